"""How many processors are ours, and how work is spread over them or handed to a cluster."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

Shared = TypeVar("Shared")
Part = TypeVar("Part")
Result = TypeVar("Result")


class MapParts(Protocol):
    """Work on parts side by side: in threads (`in_threads`), or on a cluster."""

    def __call__(
        self,
        function: Callable[[Shared, Part], Result],
        shared: Shared,
        parts: list[Part],
        arrived: Callable[[Part, Result], None],
        lost: Callable[[Part, str], Result],
    ) -> Iterator[Result]:
        """Yield `function(shared, part)` of each part, in their order.

        Parameters
        ----------
        function : callable
            Of a module, so that another process finds it by its name.
        shared : object
            What all parts need; it travels once to each process.
        parts : list
            What is worked on at a time.
        arrived : callable
            Told each part and its result as soon as it is there, in any order.
        lost : callable
            Makes the result of a part whose process died whenever it was tried; told the part and
            the reason.

        Yields
        ------
        Result
            One a part.
        """


def in_threads(
    function: Callable[[Shared, Part], Result],
    shared: Shared,
    parts: list[Part],
    arrived: Callable[[Part, Result], None],
    lost: Callable[[Part, str], Result],  # noqa: ARG001 - threads do not die alone
) -> Iterator[Result]:
    """Work on parts in threads of this process, as many as it has processors (`MapParts`)."""

    def work(part: Part) -> Result:
        result = function(shared, part)
        arrived(part, result)
        return result

    with ThreadPoolExecutor(worker_count()) as pool:
        yield from pool.map(work, parts)


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
