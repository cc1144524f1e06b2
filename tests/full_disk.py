"""Run a command of ours where no file may become longer than some bytes, as on a full disk: a
process of its own, which runs one after the other and prints what became of each as JSON.

Its argument is a JSON list of [words, targets]; a target is a file or a folder that is written.
"""

import contextlib
import io
import json
import resource
import shutil
import sys
from pathlib import Path

import predict
from als_ml.__main__ import main as als_ml
from features.genotypes.bcftools import stop_workers

YESTERDAY = b"yesterday's\n"


def main(cases: list[tuple[list[str], list[str]]]) -> None:
    """Print, for each case and limit, [words, limit, status, what it said, what was left]."""
    for words, targets in cases:
        places = [Path(target) for target in targets]
        assert run(words)[0] == 0, words
        largest = max(path.stat().st_size for place in places for path in files(place))
        whole = {place: place.read_bytes() for place in places if place.is_file()}
        ended = {place: state(place.parent) for place in places}
        for limit in (largest // 2, largest - 1):
            for place in places:
                made_anew(place)
            before = {place: state(place.parent) for place in places}
            with full(limit):
                status, said = run(words)
            # Of two outputs the smaller one may be whole.
            left = [str(p) for p in places if state(p.parent) not in (before[p], ended[p])]
            print(json.dumps([" ".join(words[:1]), limit, status, said, left]), flush=True)
        for place, content in whole.items():  # a later case reads it
            place.write_bytes(content)


def run(words: list[str]) -> tuple[int, str]:
    """Status, and all that was said."""
    command, rest = (predict.main, words[1:]) if words[0] == "predict.py" else (als_ml, words)
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(said):
        try:
            status = command(rest)
        except SystemExit as error:
            status = int(error.code or 0)
    stop_workers()  # they would keep the limit
    return status, said.getvalue()


@contextlib.contextmanager
def full(limit: int):
    """No file of this process becomes longer than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files(place: Path) -> list[Path]:
    """The files that a target is; `init` makes links to what is there."""
    found = place.rglob("*") if place.is_dir() else [place]
    return [path for path in found if path.is_file() and path.stat().st_nlink == 1]


def made_anew(place: Path) -> None:
    """A file of yesterday; a folder is gone, since none is written twice."""
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.write_bytes(YESTERDAY)


def state(folder: Path) -> dict[str, bytes]:
    """Name and content of all files of a folder, hidden ones too, but for the finished parts of a
    batch, which wait for `--resume`.
    """
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in found if path.parent.suffix != ".parts"}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
