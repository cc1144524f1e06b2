"""The genomes of a cohort read ahead, in parts: by the tasks of a job array, or once for all.

Each part lies in a file of its own (`features.genotypes.kept`). A command that is given the folder
by `--extracts` reads no genome again whose part is there, and keeps the parts that it reads itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from als_ml import cluster
from als_ml.cohort.read import Reading, panel_of, read_patients, vcf_patients
from als_ml.cohort.source import CohortSource
from features.genotypes.extraction import Panel, Task, read_tasks, tasks
from features.genotypes.kept import KeptExtracts
from features.tables.problems import Problem, Problems

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be read of the genomes of a cohort.

    Attributes
    ----------
    panel : Panel
        What is asked of every genome.
    patients : dict
        Sample name in the files -> patient index.
    tasks : list of Task
        What is read at a time, the same on every machine.
    kept : KeptExtracts
        Where the extracts go.
    """

    panel: Panel
    patients: dict[str, int]
    tasks: list[Task]
    kept: KeptExtracts

    def share(self, number: int, of: int) -> list[Task]:
        """What the task `number` (from 1) of a job array of `of` reads: every `of`-th."""
        return self.tasks[number - 1 :: of]

    def absent(self) -> list[Path]:
        """Files of which a part is not there."""
        lacking = [task for task in self.tasks if self.kept.get(task) is None]
        return list(dict.fromkeys(path for paths, _ in lacking for path in paths))


def plan_extraction(source: CohortSource, reading: Reading, folder: Path) -> Plan:
    """Say what is to be read of the genomes of a cohort.

    Parameters
    ----------
    source : CohortSource
        Of `open_cohort`.
    reading : Reading
        Definitions and thresholds: of a model, of a configuration, or plain.
    folder : Path
        Where the extracts go.

    Returns
    -------
    Plan

    Raises
    ------
    DataError
        If the patients table has an error, or a pattern of `variants` matches nothing.
    """
    problems = Problems()
    table = read_patients(reading.definitions, source, problems)
    rows = {name: i for i, name in enumerate(table["sample_id"]) if name is not None}
    panel, patients = panel_of(source, reading), vcf_patients(source, rows, problems)
    return Plan(
        panel=panel,
        patients=patients,
        tasks=tasks(panel, source.files("variants")) if source.described.variants else [],
        kept=KeptExtracts(folder, panel, patients),
    )


def extract_share(plan: Plan, number: int, of: int, progress: Progress) -> list[Problem]:
    """Read the share of one task of a job array; what is there already is not read again.

    Parameters
    ----------
    plan : Plan
        Of `plan_extraction`.
    number, of : int
        Which share, from 1, of how many.
    progress : callable
        Told the name of a file whenever one was read.

    Returns
    -------
    list of Problem
        What is wrong with which file.
    """
    share = plan.share(number, of)
    extracts = read_tasks(
        share, plan.patients, plan.panel, progress, plan.kept, cluster.map_parts()
    )
    return [problem for extract in extracts for problem in extract.problems]
