"""Where the work is done: in this process, or by the workers of a Dask cluster.

`with on_cluster("local:4"):` hands the parts of what runs inside to four processes of this machine;
`tls://HOST:PORT` names a scheduler that runs already, `slurm:PROFILE.yaml` asks SLURM for workers.
The answers are the same wherever a part is worked on. Nothing of Dask is imported without a
cluster.

What is the machine's fault is tried again: a part whose worker died, or that met an error of the
disk. What is the data's fault is not: a part returns its error as a value, so that Dask neither
retries it nor writes it, with the names of patients, into a log.
"""

import logging
import pickle
import re
import shlex
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from features.errors import DataError, RequestError
from features.genotypes.workers import MapParts, Part, Result, Shared, in_threads, worker_count
from features.temporary import working_folder

if TYPE_CHECKING:
    from dask_jobqueue import SLURMCluster
    from distributed import Client, Future
    from distributed.security import Security

    from als_ml.slurm import Profile

Value = TypeVar("Value")
# Times that a part is tried whose worker dies, or that meets an error of the disk.
TRIES = 4
# Seconds that a process may take to start or to answer on a machine that is busy.
PATIENCE = 120
# Seconds that a scheduler which is said to run may take to answer.
ANSWER = 30
# What a worker needs to read genomes, as a module.
_READS_GENOMES = "features.genotypes.extraction"
_LOCAL = re.compile(r"local(?::([1-9]\d*))?")
_current: ContextVar["OnWorkers | None"] = ContextVar("cluster", default=None)


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What became of a part: its value, packed for the way, or the error that it met."""

    packed: bytes = b""
    error: Exception | None = None

    @classmethod
    def of(cls, value: Value) -> "Outcome[Value]":
        """Pack a value: numbers of patients in order take a quarter of their bytes."""
        return cls(packed=zlib.compress(pickle.dumps(value), level=1))

    def value(self) -> Value:
        """What was packed."""
        unpacked: Value = pickle.loads(zlib.decompress(self.packed))  # noqa: S301 - of our worker
        return unpacked


def map_parts() -> MapParts:
    """How parts are worked on here: by the cluster that this block is on, else in threads."""
    return _current.get() or in_threads


def is_on_cluster() -> bool:
    """Whether parts go to a cluster."""
    return _current.get() is not None


@contextmanager
def on_cluster(where: str | None) -> Iterator[None]:
    """Let the workers of a cluster do what is divided into parts inside the block.

    Parameters
    ----------
    where : str, optional
        `local[:N]`, `tls://HOST:PORT`, `tcp://HOST:PORT` or `slurm:PROFILE.yaml`; None: no cluster.

    Raises
    ------
    RequestError
        If it is none of these, the profile does not hold, or Dask is not installed.
    """
    if where is None:
        yield
        return
    start = _starter(where)
    _check_installed()
    with ExitStack() as stack:
        token = _current.set(OnWorkers(start(stack)))
        try:
            yield
        finally:
            _current.reset(token)


def _starter(where: str) -> "Callable[[ExitStack], Client]":
    """What starts a cluster or finds it; a wrong word is told before anything is imported."""
    local = _LOCAL.fullmatch(where)
    if local:
        n = int(local[1]) if local[1] else worker_count()
        return lambda stack: _local(n, stack)
    if where.startswith(("tls://", "tcp://")):
        return lambda stack: _connected(where, stack)
    if where.startswith("slurm:"):
        from als_ml.slurm import read_profile

        profile = read_profile(Path(where.removeprefix("slurm:")))
        return lambda stack: _slurm(profile, stack)
    remedy = "Give local, local:4, tls://HOST:PORT, tcp://HOST:PORT or slurm:PROFILE.yaml."
    raise RequestError(f"--cluster {where}", "this is not a cluster", remedy, code="option_value")


def _check_installed() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError:
        remedy = "Install it: pip install 'als-ml[cluster]'."
        raise RequestError(
            "--cluster", "Dask is not installed here", remedy, code="cluster_failed"
        ) from None


def settings(folder: str) -> dict[str, object]:
    """Settings of Dask: patient, silent, and nothing of the data on a disk.

    Parameters
    ----------
    folder : str
        Where workers keep what is theirs.
    """
    return {
        "temporary-directory": folder,
        "distributed.comm.timeouts.connect": f"{PATIENCE}s",
        "distributed.comm.timeouts.tcp": f"{PATIENCE}s",
        "distributed.scheduler.allowed-failures": TRIES - 1,
        # A worker is given what it works on and nothing beforehand: what waits with a part that
        # kills it would be blamed like that.
        "distributed.scheduler.worker-saturation": 1.0,
        # Parts are small and go to the client at once: a worker never needs to write them down.
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        # A worker logs the arguments of a task that fails; ours do not fail, and this makes sure.
        "distributed.logging": {"distributed": "critical", "bokeh": "critical"},
        "distributed.admin.log-length": 0,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }


def _local(n: int, stack: ExitStack) -> "Client":
    """Processes of this machine that speak to this one alone, by TLS with keys made for the run."""
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    folder = stack.enter_context(working_folder("cluster"))
    stack.enter_context(dask.config.set(settings(folder)))
    cluster = LocalCluster(
        n_workers=n,
        threads_per_worker=1,
        processes=True,
        # A page could be read by everybody on the machine: a port of its own, and no routes.
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        security=Security.temporary(),
        local_directory=folder,
        silence_logs=logging.CRITICAL,
        # Imported before the first part comes: half a second of each worker, all at one time.
        preload=[_READS_GENOMES],
    )
    stack.enter_context(cluster)
    return stack.enter_context(Client(cluster, timeout=PATIENCE))


def _slurm(profile: "Profile", stack: ExitStack) -> "Client":
    """Workers that SLURM starts; as many as are there when work begins, the others join later."""
    from distributed import Client

    cluster = stack.enter_context(slurm_cluster(profile, stack))
    cluster.scale(jobs=profile.jobs)
    return stack.enter_context(Client(cluster, timeout=PATIENCE))


def slurm_cluster(profile: "Profile", stack: ExitStack) -> "SLURMCluster":
    """A scheduler in this process, and the script by which SLURM starts its workers.

    The keys of the run lie in a folder that is the user's alone, on a file system that all nodes
    see, as long as the block lasts.

    Parameters
    ----------
    profile : Profile
        Of `als_ml.slurm.read_profile`.
    stack : ExitStack
        What ends with the block.
    """
    import dask
    from dask_jobqueue import SLURMCluster

    shared = Path(profile.shared).expanduser() if profile.shared else Path.home()
    keys = stack.enter_context(tempfile.TemporaryDirectory(prefix=".als-ml-keys-", dir=shared))
    quiet = settings(profile.scratch)
    stack.enter_context(dask.config.set(quiet))
    of_workers = [f"export {name}={shlex.quote(value)}" for name, value in _exported(quiet)]
    return SLURMCluster(
        queue=profile.partition,
        account=profile.account,
        walltime=profile.walltime,
        cores=profile.cores,
        processes=profile.cores,
        memory=f"{profile.memory}iB",
        interface=profile.interface,
        local_directory=profile.scratch,
        # What a worker has to say it says in its job's own files, where SLURM puts them.
        job_extra_directives=list(profile.directives),
        job_script_prologue=[*of_workers, *profile.prologue],
        python=profile.python,
        security=_written_keys(Path(keys)),
        protocol="tls://",
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
    )


def _written_keys(folder: Path) -> "Security":
    """Keys made for the run, in files that workers elsewhere can read."""
    from distributed.security import Security

    made = Security.temporary().get_tls_config_for_role("worker")
    paths = {name: folder / f"{name}.pem" for name in ("ca_file", "cert", "key")}
    for name, path in paths.items():
        path.touch(mode=0o600)
        path.write_text(made[name])
    ca, cert, key = map(str, paths.values())
    roles = {
        f"tls_{role}_{name}": path
        for role in ("client", "scheduler", "worker")
        for name, path in (("cert", cert), ("key", key))
    }
    return Security(tls_ca_file=ca, require_encryption=True, **roles)


def _exported(of_dask: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Settings of Dask as variables of the workers' environment."""
    for key, value in of_dask.items():
        yield f"DASK_{key.upper().replace('.', '__').replace('-', '_')}", repr(value)


def _connected(address: str, stack: ExitStack) -> "Client":
    """A scheduler that runs; keys for `tls://` are those of Dask's own configuration."""
    import dask
    from distributed import Client

    folder = stack.enter_context(working_folder("cluster"))
    stack.enter_context(dask.config.set(settings(folder)))
    try:
        client = Client(address, timeout=ANSWER)
    except TypeError:
        remedy = (
            "Name them in Dask's configuration: distributed.comm.tls.ca-file, client.key, cert."
        )
        reason = "there are no keys for TLS"
        raise RequestError(f"--cluster {address}", reason, remedy, code="cluster_failed") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = f"no scheduler answers ({type(error).__name__})"
        raise RequestError(
            f"--cluster {address}", reason, "Start it, or correct this.", code="cluster_failed"
        ) from None
    return stack.enter_context(client)


class OnWorkers:
    """Work on parts by the workers of a cluster (`features.genotypes.workers.MapParts`).

    Parameters
    ----------
    client : Client
        Of the cluster.
    """

    def __init__(self, client: "Client"):
        self.client = client
        self._held: tuple[object, Future[object]] | None = None

    def _hold(self, shared: object) -> "Future[object]":
        """What all parts need, on the workers; the same object is sent once.

        A task of its own, not scattered: a worker that dies takes scattered data with it.
        """
        if self._held is None or self._held[0] is not shared:
            packed = pickle.dumps(shared)
            self._held = shared, self.client.submit(pickle.loads, packed, pure=False)
        return self._held[1]

    def __call__(
        self,
        function: Callable[[Shared, Part], Result],
        shared: Shared,
        parts: list[Part],
        arrived: Callable[[Part, Result], None],
        lost: Callable[[Part, str], Result],
    ) -> Iterator[Result]:
        """Yield the result of each part, in their order; see `MapParts`."""
        ready: dict[int, Result] = {}
        at = 0
        for number, outcome in self._outcomes(function, shared, parts):
            ready[number] = self._result(outcome, parts[number], lost)
            arrived(parts[number], ready[number])
            while at in ready:
                yield ready.pop(at)
                at += 1

    def _outcomes(
        self, function: Callable[[Shared, Part], Result], shared: Shared, parts: list[Part]
    ) -> Iterator[tuple[int, Outcome[Result]]]:
        """Number and outcome of each part, as they arrive."""
        from distributed import as_completed

        if not parts:
            return
        held = self._hold(shared)
        futures = {
            self.client.submit(attempt, function, held, part, pure=False, priority=-number): number
            for number, part in enumerate(parts)
        }
        for future in as_completed(list(futures)):
            yield futures.pop(future), _outcome(future)
            future.release()

    def _result(
        self, outcome: Outcome[Result], part: Part, lost: Callable[[Part, str], Result]
    ) -> Result:
        if isinstance(outcome.error, WorkerLostError):
            return lost(part, str(outcome.error))
        if outcome.error is not None:
            raise outcome.error
        return outcome.value()


class WorkerLostError(Exception):
    """The processes that worked on a part died, each time."""


def attempt(
    function: Callable[[Shared, Part], Result], shared: Shared, part: Part
) -> Outcome[Result]:
    """Run a part in a worker; its error is a value, which Dask neither retries nor logs.

    An error of the disk or of the system is met by trying again.

    Parameters
    ----------
    function, shared, part
        As for `MapParts`.

    Returns
    -------
    Outcome
        The value or the error.
    """
    for left in reversed(range(TRIES)):
        try:
            return Outcome.of(function(shared, part))
        except OSError as error:
            if not left:
                return Outcome(error=error)
        except Exception as error:  # noqa: BLE001 - it is raised again by the client
            return Outcome(error=_portable(error))
    raise AssertionError("unreachable")


def _portable(error: Exception) -> Exception:
    """An error that can travel: itself, or the name of its kind."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made a line before
    except Exception:  # noqa: BLE001 - whatever its own way of being made again does
        return RuntimeError(f"{type(error).__name__} in a worker")
    return error


def _outcome(future: "Future") -> Outcome[Result]:
    """What came of a future; a scheduler that is gone ends the command.

    A result whose worker died before it was fetched is made again, and waited for.
    """
    from distributed.scheduler import KilledWorker

    _settle(future)
    try:
        if future.status == "finished":
            return future.result(timeout=PATIENCE)
        error = future.exception(timeout=PATIENCE) if future.status == "error" else None
    except KilledWorker as killed:  # while the result was fetched
        error = killed
    if isinstance(error, KilledWorker):
        reason = f"the process that worked on it died each of the {TRIES} times it was tried"
        return Outcome(error=WorkerLostError(reason))
    raise DataError(
        "--cluster",
        f"the cluster is gone ({type(error).__name__ if error else future.status})",
        "Start it and run the command again, with --resume or --extracts what is done is kept.",
        code="cluster_failed",
    )


def _settle(future: "Future") -> None:
    """Wait while the scheduler makes a result again that went with its worker."""
    from concurrent.futures import CancelledError

    from distributed import wait

    for _ in range(TRIES):
        if future.status not in ("lost", "pending"):
            return
        with suppress(TimeoutError, CancelledError):
            wait([future], timeout=PATIENCE)
