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
        sizes = {size for place in places for size in written(place)}
        whole = {place: place.read_bytes() for place in places if place.is_file()}
        ended = {place: state(place.parent) for place in places}
        for limit in limits(sizes):
            for place in places:
                made_anew(place)
            before = {place: state(place.parent) for place in places}
            with full(limit):
                status, said = run(words)
            after = {place: state(place.parent) for place in places}
            left = [str(place) for place in places if after[place] != before[place]]
            assert after != ended, (words, limit)
            print(json.dumps([" ".join(words[:1]), limit, status, said, left]), flush=True)
        for place, content in whole.items():  # a later case reads it
            place.write_bytes(content)


def limits(sizes: set[int]) -> list[int]:
    """Half of the largest file, and all but the last byte of each: of several outputs some are
    whole then, and others are not.
    """
    return [max(sizes) // 2, *(size - 1 for size in sorted(sizes))]


def written(place: Path) -> list[int]:
    """Bytes of each file beside an output that is a file, or of the largest in one that is a
    folder.
    """
    if place.is_dir():
        return [max(path.stat().st_size for path in files(place))]
    return [path.stat().st_size for path in files(place.parent)]


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
    """Name and content of all files of a folder, hidden ones too, but for what an unfinished batch
    keeps for `--resume`: finished parts, and what it read of the genomes.
    """
    found = [path for path in folder.rglob("*") if path.is_file()]
    kept = (".parts", ".extracts")
    return {str(path): path.read_bytes() for path in found if path.parent.suffix not in kept}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
