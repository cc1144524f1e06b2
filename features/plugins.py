"""Packages of others that add estimators or feature blocks: which are here, and which may run.

A package registers by an entry point (`als_ml.estimators`, `als_ml.blocks`). Its code runs only if
the site allows it: the environment variable ALS_ML_PLUGINS lists distributions with their versions,
as in `ALS_ML_PLUGINS="our-lab-als==1.2, other==0.3"`. A model says which it needs; it names them,
it does not allow them.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from features.errors import RequestError

ALLOW_LIST = "ALS_ML_PLUGINS"
GROUPS = ("als_ml.estimators", "als_ml.blocks")


@dataclass(frozen=True)
class Plugin:
    """A distribution that is installed and allowed, and the entry points of one group in it."""

    distribution: str
    version: str
    entries: tuple[EntryPoint, ...]

    def load(self, name: str) -> object:
        """Import what it registered under a name.

        Parameters
        ----------
        name : str
            Of one of its entry points.

        Returns
        -------
        object
            Whatever the entry point names: not checked here.

        Raises
        ------
        RequestError
            If its code cannot be imported.
        """
        (entry,) = (entry for entry in self.entries if entry.name == name)
        try:
            return entry.load()
        except (ImportError, AttributeError) as error:
            where = f"package {self.distribution} {self.version}"
            remedy = "Install it again, or ask who made it."
            raise RequestError(
                where, f"{name} cannot be loaded ({error})", remedy, code="package_needed"
            ) from None

    @property
    def pin(self) -> str:
        """As a requirement and in the allow-list."""
        return f"{self.distribution}=={self.version}"


def allowed() -> dict[str, str]:
    """Distribution -> version that the site allows.

    Raises
    ------
    RequestError
        If an entry of the list does not pin one version.
    """
    pins: dict[str, str] = {}
    for entry in os.environ.get(ALLOW_LIST, "").replace(",", " ").split():
        try:
            requirement = Requirement(entry)
        except InvalidRequirement:
            raise _not_pinned(entry) from None
        (version,) = [s.version for s in requirement.specifier if s.operator == "=="] or [""]
        if not version or len(requirement.specifier) != 1:
            raise _not_pinned(entry)
        pins[canonicalize_name(requirement.name)] = version
    return pins


def _not_pinned(entry: str) -> RequestError:
    remedy = "Write package==version, several apart by commas."
    return RequestError(
        ALLOW_LIST, f"{entry!r} does not name one version of a package", remedy, code="key_value"
    )


@cache
def installed(group: str) -> list[Plugin]:
    """Every package that registers something in a group, allowed or not; nothing of it runs.

    Parameters
    ----------
    group : str
        Of entry points.

    Returns
    -------
    list of Plugin
        Sorted by name and version.
    """
    entries: dict[tuple[str, str], list[EntryPoint]] = {}
    for entry in entry_points(group=group):
        if entry.dist is not None:
            key = (canonicalize_name(entry.dist.name), entry.dist.version)
            entries.setdefault(key, []).append(entry)
    return [
        Plugin(distribution=name, version=version, entries=tuple(named))
        for (name, version), named in sorted(entries.items())
    ]


def offered(group: str) -> dict[str, Plugin]:
    """Name -> the allowed package that registers it.

    Parameters
    ----------
    group : str
        Of entry points.

    Returns
    -------
    dict of Plugin
        Only of the pinned version.
    """
    pins = allowed()
    # A request asks often, and a look at all installed packages takes longer than an answer.
    if not pins:
        return {}
    return {
        entry.name: plugin
        for plugin in installed(group)
        if pins.get(plugin.distribution) == plugin.version
        for entry in plugin.entries
    }


def not_allowed(group: str, name: str) -> str:
    """What to do where an installed package that is not allowed registers a name; else empty.

    Parameters
    ----------
    group : str
        Of entry points.
    name : str
        That was asked for.

    Returns
    -------
    str
        A sentence for a message.
    """
    pins = allowed()
    for plugin in installed(group):
        held = pins.get(plugin.distribution) != plugin.version
        if held and any(entry.name == name for entry in plugin.entries):
            return f"Package {plugin.pin} has it: if you trust it, set {ALLOW_LIST}={plugin.pin}."
    return ""


def check_needed(pins: Iterable[str], where: str) -> None:
    """Refuse a model whose packages are not installed in its versions, or not allowed.

    Parameters
    ----------
    pins : iterable of str
        What the model was trained with, as `package==version`.
    where : str
        How a message names the model.

    Raises
    ------
    RequestError
        With the first package that stands in the way, and the remedy.
    """
    needed, pinned = tuple(pins), allowed()
    # A look at all installed packages takes longer than the rest of a small model.
    groups = GROUPS if needed else ()
    here = {plugin.distribution: plugin.version for g in groups for plugin in installed(g)}
    for pin in needed:
        name, _, version = pin.partition("==")
        if here.get(name) != version:
            state = f"{name} {here[name]} is installed" if name in here else "it is not installed"
            remedy = f"Install {pin}, and name it in {ALLOW_LIST}."
            raise RequestError(
                where, f"it needs the package {pin}, and {state}", remedy, code="package_needed"
            )
        if pinned.get(name) != version:
            remedy = f"If you trust that package, set {ALLOW_LIST}={pin}."
            raise RequestError(
                where,
                f"it needs {pin}, which this site does not allow",
                remedy,
                code="package_needed",
            )
