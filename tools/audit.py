"""Whether a pinned package has a known flaw: make audit DATABASE=FOLDER_OR_ZIP.

Works without a network, on a copy of an advisory database in OSV's format (the `PyPI` export of
osv.dev, or a checkout of the PyPA's advisories as JSON), brought by hand. Every advisory that names
a package of the lock is counted; those that name its version are printed, and end it with 1.
"""

import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from packaging.version import InvalidVersion, Version

from tools.sbom import LOCK, normalised, pins

Advisory = dict[str, Any]


class Found(NamedTuple):
    """A pinned package with a known flaw."""

    name: str
    version: str
    advisory: str
    fixed: str


def advisories(path: Path) -> Iterator[Advisory]:
    """Every advisory of a database.

    Parameters
    ----------
    path : Path
        A folder with JSON files, or a ZIP of them.

    Yields
    ------
    dict
        As OSV describes it.
    """
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield json.loads(file.read_text(encoding="utf-8"))
        return
    with zipfile.ZipFile(path) as packed:
        for name in sorted(packed.namelist()):
            if name.endswith(".json"):
                yield json.loads(packed.read(name))


def audited(lock: str, found: Iterator[Advisory]) -> tuple[int, int, list[Found]]:
    """What a database says of the packages of a lock.

    Parameters
    ----------
    lock : str
        Text of the lock.
    found : iterator of dict
        Of `advisories`.

    Returns
    -------
    int
        How many advisories were read.
    int
        How many name a package of the lock, of any version.
    list of Found
        Those that name its version.
    """
    pinned = {pin.name: pin.version for pin in pins(lock)}
    read, near, hits = 0, 0, list[Found]()
    for advisory in found:
        read += 1
        for part in advisory.get("affected", ()):
            name = normalised(part.get("package", {}).get("name", ""))
            ours = part.get("package", {}).get("ecosystem") == "PyPI" and name in pinned
            if not ours or advisory.get("withdrawn"):
                continue
            near += 1
            if affects(part, pinned[name]):
                hits.append(Found(name, pinned[name], advisory["id"], _fixed(part)))
    return read, near, hits


def affects(part: Advisory, version: str) -> bool:
    """Whether a part of an advisory names a version.

    Parameters
    ----------
    part : dict
        Of `affected`.
    version : str
        That is pinned.

    Returns
    -------
    bool
        By its list of versions or its ranges.

    Examples
    --------
    >>> ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]
    >>> [affects({"ranges": ranges}, version) for version in ("1.9", "2.0", "2.1")]
    [True, False, False]
    """
    if version in part.get("versions", ()):
        return True
    ranges = (each for each in part.get("ranges", ()) if each.get("type") == "ECOSYSTEM")
    return any(_within(each.get("events", ()), Version(version)) for each in ranges)


def _within(events: Sequence[dict[str, str]], version: Version) -> bool:
    """By the events in their order: the last that lies at or below the version decides."""
    inside = False
    for event in events:
        for kind, text in event.items():
            at = _version(text)
            if kind == "introduced" and at <= version:
                inside = True
            elif (kind == "fixed" and at <= version) or (kind == "last_affected" and at < version):
                inside = False
    return inside


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        return Version("0")


def _fixed(part: Advisory) -> str:
    events = [event for each in part.get("ranges", ()) for event in each.get("events", ())]
    return ", ".join(event["fixed"] for event in events if "fixed" in event) or "nowhere yet"


def main(arguments: Sequence[str]) -> int:
    """Print what is known, and end with 1 where a pinned version has a flaw."""
    if not arguments or not arguments[0] or not Path(arguments[0]).exists():
        print(
            "make audit DATABASE=PATH: give a folder or ZIP of advisories in OSV's format",
            file=sys.stderr,
        )
        return 2
    read, near, hits = audited(LOCK.read_text(encoding="utf-8"), advisories(Path(arguments[0])))
    for hit in hits:
        print(f"{hit.name} {hit.version}: {hit.advisory}, fixed in {hit.fixed}")
    print(f"{read:,} advisories, {near:,} of them of a pinned package, {len(hits)} of its version")
    if not read:
        print("error: the database has no advisory", file=sys.stderr)
        return 2
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
