"""Whether what lies here is a release: `make release` runs this, then builds and tries the wheel.

A release of version X.Y.Z is a commit with the tag vX.Y.Z, nothing changed beside it, and a dated
section of the changelog; what came after the last release stands in that section.
"""

import re
import subprocess
import sys
from pathlib import Path

from packaging.version import InvalidVersion, Version

import als_ml

ROOT = Path(__file__).resolve().parents[1]
_SECTION = re.compile(
    r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>\d{4}-\d\d-\d\d))?[ ]*$", re.MULTILINE
)


def sections(changelog: str) -> dict[str, tuple[str, str]]:
    """Name of each section of a changelog -> its date, empty where it has none, and its text."""
    found = list(_SECTION.finditer(changelog))
    ends = [match.start() for match in found[1:]] + [len(changelog)]
    return {
        match["name"]: (match["date"] or "", changelog[match.end() : end].strip())
        for match, end in zip(found, ends, strict=True)
    }


def wrong_version(version: str) -> list[str]:
    """What a version must be to be released: X.Y.Z, in the form that packages have."""
    try:
        parsed = Version(version)
    except InvalidVersion:
        return [f"als_ml.__version__ {version!r} is not a version."]
    if parsed.is_prerelease or parsed.local or len(parsed.release) != 3 or str(parsed) != version:
        return [f"als_ml.__version__ {version!r} is not X.Y.Z."]
    return []


def wrong_changelog(version: str, changelog: str) -> list[str]:
    """What the changelog lacks for a version."""
    named = sections(changelog)
    date, text = named.get(version, ("", ""))
    wrong = []
    if version not in named:
        wrong.append(f"CHANGELOG.md has no section [{version}]: move what is Unreleased there.")
    elif not date or not text:
        wrong.append(f"CHANGELOG.md: the section [{version}] is empty or lacks its date.")
    if named.get("Unreleased", ("", ""))[1]:
        wrong.append(f"CHANGELOG.md: what is Unreleased belongs to [{version}].")
    released = [Version(name) for name in named if name != "Unreleased"]
    if released != sorted(released, reverse=True) or version not in [str(v) for v in released[:1]]:
        wrong.append(f"CHANGELOG.md: [{version}] is not the newest section.")
    return wrong


def wrong_commit(version: str, tags: list[str], changed: list[str]) -> list[str]:
    """What the commit lacks: its tag, or that nothing was changed since."""
    wrong = []
    if f"v{version}" not in tags:
        wrong.append(
            f"This commit has no tag v{version}: git tag -a v{version} -m 'als-ml {version}'."
        )
    if changed:
        wrong.append(f"{len(changed)} files differ from the commit, the first is {changed[0]}.")
    return wrong


def _git(*arguments: str) -> list[str]:
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def main() -> int:
    """Say what stands in the way of a release; exit 1 if something does."""
    version = als_ml.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    wrong = wrong_version(version)
    wrong += wrong_changelog(version, changelog)
    wrong += wrong_commit(
        version, _git("tag", "--points-at", "HEAD"), _git("status", "--porcelain")
    )
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    if not wrong:
        print(f"als-ml {version}: version, changelog and tag agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
