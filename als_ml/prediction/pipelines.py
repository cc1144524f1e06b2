"""skops, which stores pipelines without a pickle, imported without its walk over scikit-learn.

At its import skops asks scikit-learn for the names of all estimators, to trust them, and for that
scikit-learn imports every module that it has, and dask and pytest where they are installed: a
quarter of the time to load a model. The names of one release are always the same, so those of the
release in the lock stand beside this file; any other release is walked over as before.
"""

import contextlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import sklearn
import sklearn.utils

NAMES = Path(__file__).with_name("sklearn_estimators.txt")


def skops_io() -> ModuleType:
    """The module `skops.io`, trusting by itself the very types that it always trusts."""
    with contextlib.ExitStack() as stack:
        if "skops.io" not in sys.modules and kept_names()[0] == sklearn.__version__:
            stack.enter_context(_without_walk(kept_names()[1:]))
        return import_module("skops.io")


@cache
def kept_names() -> tuple[str, ...]:
    """The release of scikit-learn, and the full names of all its estimators."""
    return tuple(NAMES.read_text().split())


@contextlib.contextmanager
def _without_walk(names: tuple[str, ...]) -> Iterator[None]:
    """Let scikit-learn tell the names that are known, in place of the estimators themselves."""
    walk = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = lambda: [_named(name) for name in names]
    try:
        yield
    finally:
        sklearn.utils.all_estimators = walk


def _named(name: str) -> tuple[str, type]:
    """An empty class under the name of an estimator, of which skops takes the name alone."""
    module, _, own = name.rpartition(".")
    return own, type(own, (), {"__module__": module})
