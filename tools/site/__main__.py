"""Build the site: `make docs`. Warnings are errors, and every link is followed."""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.site.checks import wrong
from tools.site.staging import stage

ROOT = Path(__file__).resolve().parents[2]
PAGES, SITE = ROOT / ".site/pages", ROOT / "site"
# What the theme fetches so that search works without a server; ours is beside the pages.
_FETCHED_SHIM = "https://unpkg.com/iframe-worker/shim"
_OWN_SHIM = "assets/search-without-server.js"


def main(argv: list[str] | None = None) -> int:
    """Put the pages together, render them, and look whether they hold."""
    argparse.ArgumentParser(prog="python -m tools.site", description=__doc__).parse_args(argv)
    stage(PAGES)
    shutil.rmtree(SITE, ignore_errors=True)
    said = _render()
    if said is not None:
        print(said, file=sys.stderr)
        return 1
    for path in SITE.rglob("*.html"):
        _with_own_shim(path)
    found = wrong(SITE)
    for line in found:
        print(f"error: {line}", file=sys.stderr)
    if not found:
        n = len(list(SITE.rglob("*.html")))
        print(f"{n} pages; open {(SITE / 'index.html').relative_to(ROOT)}")
    return 1 if found else 0


def _render() -> str | None:
    """Let Zensical render; what it said comes back where it warned or failed."""
    done = subprocess.run(
        [Path(sys.executable).parent / "zensical", "build", "--strict", "--clean"],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)
    failed = done.returncode or "Warning:" in said or not (SITE / "index.html").is_file()
    return said.partition("Traceback")[0] if failed else None


def _with_own_shim(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    up = "../" * (len(path.relative_to(SITE).parts) - 1)
    path.write_text(text.replace(_FETCHED_SHIM, f"{up}{_OWN_SHIM}"), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
