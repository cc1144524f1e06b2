"""Reading of genomes that meets a fault, in whichever process it is done.

What is to happen stands in files of the folder that `ALS_ML_TEST_FAULTS` names, which workers
inherit: `die-NAME` holds how often the process that reads NAME is killed, `eat-NAME` how often it
takes `EATEN` bytes and waits to be ended for it, `wait-NAME` lets it wait until the file that it
names is there. Each try is a line of `tries`.
"""

import os
import signal
import time
from pathlib import Path

from features.genotypes.extraction import Extract, Panel, Task, extract

FOLDER = "ALS_ML_TEST_FAULTS"
# Seconds after which a test that waits for a file is given up.
PATIENCE = 240
EATEN = 600_000_000


def reading(of: tuple[dict[str, int], Panel], task: Task) -> Extract:
    """In place of `features.genotypes.extraction._read`; one file a task."""
    folder, name = Path(os.environ[FOLDER]), task[0][0].name
    with (folder / "tries").open("a") as file:
        file.write(f"{name}\n")
    if _again(folder / f"die-{name}"):
        os.kill(os.getpid(), signal.SIGKILL)
    if _again(folder / f"eat-{name}"):
        taken = b"x" * EATEN
        until(lambda: not taken)
    wait = folder / f"wait-{name}"
    if wait.is_file():
        until(Path(wait.read_text()).exists)
    found = extract(*task, *of)
    (folder / f"read-{name}").touch()
    return found


def _again(left: Path) -> bool:
    """Whether a fault is to happen once more."""
    times = int(left.read_text()) if left.is_file() else 0
    if times:
        left.write_text(str(times - 1))
    return times > 0


def until(holds) -> None:
    """Wait until something holds; how long it takes changes no result."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def tries(folder: Path) -> list[str]:
    """Files whose reading was begun, each as often as it was."""
    path = folder / "tries"
    return path.read_text().split() if path.is_file() else []
