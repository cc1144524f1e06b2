"""How many processors are ours."""

import os
from collections.abc import Mapping


def worker_count(environment: Mapping[str, str] = os.environ) -> int:
    """Processors of the allocation: of the SLURM task, else those that the process may use.

    The machine may have many more. Another number of workers gives the same answers.

    Parameters
    ----------
    environment : mapping
        Variables of the process.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> worker_count({"SLURM_CPUS_PER_TASK": "3"})
    3
    """
    stated = environment.get("SLURM_CPUS_PER_TASK", "")
    if stated.isdigit() and int(stated):
        return int(stated)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
