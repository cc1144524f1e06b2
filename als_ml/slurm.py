"""A SLURM profile: what to ask the scheduler for, and the script of a job array made from it.

One file serves both ways: `--cluster slurm:PROFILE.yaml` asks for Dask workers, `als-ml extract
--slurm PROFILE.yaml` prints a script whose tasks share nothing but a folder.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from als_ml.config import wrong_key
from features.errors import RequestError

# Words that stand alone in a line of a script.
Word = Annotated[str, Field(pattern=r"^[\w.,:+@/=-]+$")]
Line = Annotated[str, Field(pattern=r"^[^\r\n]+$")]


class Profile(BaseModel):
    """What one cluster wants to hear; the names are those of `sbatch`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs: int = Field(ge=1, description="tasks of the array, or jobs that hold workers")
    cores: int = Field(default=1, ge=1, description="of a job; as many workers or readers")
    memory: str = Field(default="4G", pattern=r"^\d+[MG]$", description="of a job")
    walltime: str = Field(default="04:00:00", pattern=r"^(\d+-)?\d{1,2}:\d{2}:\d{2}$")
    partition: Word | None = None
    account: Word | None = None
    interface: Word | None = Field(default=None, description="network of the workers, as ib0")
    shared: Word | None = Field(
        default=None, description="folder on all nodes that is yours alone: keys of the workers"
    )
    scratch: Word = Field(default="/tmp", description="folder of a node")  # noqa: S108
    directives: tuple[Line, ...] = Field(default=(), description="further arguments of sbatch")
    prologue: tuple[Line, ...] = Field(default=(), description="lines before the work begins")
    python: Word = "python"


def read_profile(path: Path) -> Profile:
    """Read a profile.

    Parameters
    ----------
    path : Path
        YAML.

    Raises
    ------
    RequestError
        If it is absent, no YAML, or a key or value does not fit.
    """
    try:
        return Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError:
        raise RequestError(
            str(path), "there is no such profile", "Give its path.", code="file_absent"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise RequestError(
            str(path), "this is not YAML", "Correct the profile.", code="file_unreadable"
        ) from None
    except ValidationError as error:
        raise wrong_key(error, Profile, str(path)) from None


def array_script(profile: Profile, command: Sequence[str]) -> str:
    """The script of a job array, to be handed to `sbatch`.

    Parameters
    ----------
    profile : Profile
        Of the cluster.
    command : sequence of str
        Arguments of `als-ml` without `--part`.

    Returns
    -------
    str
        Bash.
    """
    asked = {
        "job-name": "als-ml-extract",
        "array": f"1-{profile.jobs}",
        "cpus-per-task": str(profile.cores),
        "mem": profile.memory,
        "time": profile.walltime,
        "partition": profile.partition,
        "account": profile.account,
    }
    directives = [f"--{name}={value}" for name, value in asked.items() if value is not None]
    run = shlex.join([profile.python, "-m", "als_ml", *command])
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH {line}" for line in (*directives, *profile.directives)),
            "set -euo pipefail",
            *profile.prologue,
            f'exec {run} --part "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"',
            "",
        ]
    )
