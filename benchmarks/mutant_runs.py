"""Mutants tried in forked copies of a process that has loaded the code and collected its tests.

So a mutant costs its tests and no imports. A mutant is killed where a test fails, where the module
no longer loads, or where a test does not end.
"""

import functools
import gc
import os
import signal
import sys
import types
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.mutants import Mutant, mutated_table

# A test of a decision takes milliseconds; a mutant that loops is ended after so many seconds of the
# processor: on a busy machine the clock alone would kill mutants that live.
LONGEST = 20
ROOT = Path(__file__).resolve().parent.parent


# Definitions that were read; frozen objects are found by no collector any more.
_READ: list[Any] = []
_CACHED = type(functools.lru_cache(int))
Change = tuple[Mutant, Callable[[], None]]


class Tried(NamedTuple):
    """A mutant and what became of it."""

    mutant: Mutant
    killed: bool
    by: str = ""


class MutantRuns:
    """A pytest plugin: the collected tests once as they are, then once for each mutant."""

    def __init__(self, changes: list[Change], path: str, out_of_time: Callable[[], bool]):
        self.changes, self.path, self.out_of_time = changes, path, out_of_time
        self.tried: list[Tried] = []
        self.broken = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Tables of cases only: a property is tried on many examples for each mutant."""
        items[:] = [
            item
            for item in items
            if not getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        ]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = list(session.items)
        self.broken = _first_failure(session, items) is not None
        _forget_results(_who_sees(self.path))
        # What fails with the code as it is, put in anew, would count every mutant as killed.
        self.broken |= _failing(session, items, partial(_put_unchanged, self.path)) is not None
        for mutant, put in [] if self.broken else self.changes:
            if self.out_of_time():
                break
            failed, by = _failing(session, items, put), "it does not load, or does not end"
            if failed is not None and failed < len(items):
                items.insert(0, items.pop(failed))  # what killed one mutant kills its neighbours
                by = items[0].nodeid
            self.tried.append(Tried(mutant, failed is not None, by))
        return True


def _forget_results(seen: "set[str] | None") -> None:
    """What cached functions of some modules (None: of all) gave must not hide a mutant."""
    from features.catalogue import Definitions

    for thing in gc.get_objects():
        if isinstance(thing, Definitions):
            _READ.append(thing)
            made = vars(thing)["_made"]
            for function in [f for f in made if seen is None or f.__module__ in seen]:
                del made[function]
        elif isinstance(thing, _CACHED) and (
            thing.__module__ in seen if seen is not None else _is_ours(str(thing.__module__))
        ):
            thing.cache_clear()
    gc.collect()
    gc.freeze()


def _who_sees(path: str) -> "set[str] | None":
    """A module and all that use it, one through another; None for a table, which any may read."""
    if path.endswith(".tsv"):
        return None
    uses = {
        name: {str(getattr(value, "__module__", "")) for value in vars(module).values()}
        for name, module in sys.modules.items()
        if _is_ours(name)
    }
    seen, new = {_name(path)}, {_name(path)}
    while new:
        new = {name for name, used in uses.items() if used & new} - seen
        seen |= new
    return seen


def _name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def _is_ours(module: str) -> bool:
    return module.split(".")[0] in ("features", "models", "als_ml")


def _failing(
    session: pytest.Session, items: list[pytest.Item], put: Callable[[], None]
) -> int | None:
    """Which test fails in a copy of this process with a change in it.

    None if none does; one beyond the last if the change does not load.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _silence()
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            put()
            failed = _first_failure(session, items)
            os.write(writing, b"lives" if failed is None else str(failed).encode())
        finally:
            os._exit(0)
    os.close(writing)
    said = os.read(reading, 16).decode()
    os.close(reading)
    os.waitpid(child, 0)
    return None if said == "lives" else int(said or len(items))


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)


def _first_failure(session: pytest.Session, items: list[pytest.Item]) -> int | None:
    for i, item in enumerate(items):
        following = items[i + 1] if i + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return i
    return None


def put_code(path: str, text: str) -> None:
    """Let a loaded module run another text: its functions get the new code wherever they are."""
    name = _name(path)
    loaded = sys.modules[name]
    fresh = types.ModuleType(name)
    fresh.__dict__.update(__file__=loaded.__file__, __package__=loaded.__package__)
    exec(compile(text, str(loaded.__file__), "exec"), fresh.__dict__)  # noqa: S102 - our own code
    for key, new in vars(fresh).items():
        if not key.startswith("__"):
            _renew(loaded, key, new)


def _put_unchanged(path: str) -> None:
    if path.endswith(".py"):
        put_code(path, (ROOT / path).read_text(encoding="utf-8"))


def _renew(loaded: types.ModuleType, name: str, new: Any) -> None:
    old = vars(loaded).get(name)
    if isinstance(new, type):
        if new.__module__ == loaded.__name__:
            _renew_class(old, new)
    elif list(_functions(new)):
        _renew_functions(old, new)
    elif _text(old) != _text(new):
        for module in list(sys.modules.values()):
            if _text(getattr(module, "__dict__", {}).get(name, _ABSENT)) == _text(old):
                setattr(module, name, new)


_ABSENT = object()


def _text(value: Any) -> str:
    """A value as text; what names an address in memory is the same in every copy."""
    return "" if " at 0x" in repr(value) else f"{type(value).__name__} {value!r}"


def _renew_class(old: Any, new: type) -> None:
    for name, value in vars(new).items():
        if list(_functions(value)):
            _renew_functions(vars(old).get(name), value)
        elif not name.startswith("__") and _text(vars(old).get(name)) != _text(value):
            setattr(old, name, value)


def _renew_functions(old: Any, new: Any) -> None:
    for own, other in zip(_functions(old), _functions(new), strict=True):
        own.__code__ = other.__code__
        own.__defaults__, own.__kwdefaults__ = other.__defaults__, other.__kwdefaults__


def _functions(thing: Any) -> Iterator[types.FunctionType]:
    """The plain functions behind a function, whatever decorates it."""
    thing = getattr(thing, "__func__", thing)
    if isinstance(thing, property):
        thing = thing.fget
    if isinstance(thing, functools.cached_property):
        thing = thing.func
    thing = getattr(thing, "__wrapped__", thing)
    if isinstance(thing, types.FunctionType):
        yield thing


def put_table(mutant: Mutant) -> None:
    """Let all definitions that were read hold another number."""
    table = Path(mutant.path).stem
    for definitions in _READ:
        definitions.texts[table] = mutated_table(definitions.texts[table], mutant)


def run(
    path: str,
    tests: tuple[str, ...],
    changes: list[Change],
    out_of_time: Callable[[], bool],
) -> list[Tried]:
    """Try mutants of a module or a table against some tests.

    Raises
    ------
    SystemExit
        If the tests fail as they are, or none is collected.
    """
    runs = MutantRuns(changes, path, out_of_time)
    options = ["-p", "no:terminal", "-p", "no:cacheprovider", "-n", "0", "-m", "not slow"]
    plain = ["-o", "addopts=--import-mode=importlib", "--rootdir", str(ROOT)]
    status = pytest.main([*options, *plain, *tests], plugins=[runs])
    if runs.broken or status not in (0, pytest.ExitCode.OK):
        raise SystemExit(f"{' '.join(tests)}: these tests fail without a mutant (status {status})")
    return runs.tried
