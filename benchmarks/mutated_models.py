"""Mutated model files: refused, or the same answer: python -m benchmarks models [MODELS] [SEED].

A registered model is copied, and one of its files changed: a bit, a cut, more bytes, other bytes,
gone, moved over another, a further file beside it, the list of files made again. It is then read as
every command reads it, against the digest that the registry has. The test in CI tries 60.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from als_ml.prediction.example import EXAMPLE
from als_ml.tracking.loader import model_in
from als_ml.tracking.model_files import LIST, list_digest, list_files
from features.errors import RequestError

MODEL = Path(__file__).resolve().parent.parent / "tests/fixtures/models_format_1/progression"
Change = Callable[[Path, np.random.Generator], None]


def _bit(path: Path, rng: np.random.Generator) -> None:
    data = bytearray(path.read_bytes() or b"\0")
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)


def _cut(path: Path, rng: np.random.Generator) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.integers(len(data) + 1)])


def _more(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(path.read_bytes() + rng.bytes(int(rng.integers(1, 100))))


def _other(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(rng.bytes(int(rng.integers(0, 1000))))


def _gone(path: Path, rng: np.random.Generator) -> None:  # noqa: ARG001  one shape for all
    path.unlink()


def _over_another(path: Path, rng: np.random.Generator) -> None:
    others = [p for p in _files(path.parents[0]) if p != path] or [path]
    shutil.copy(path, others[rng.integers(len(others))].with_suffix(".moved"))
    others[rng.integers(len(others))].write_bytes(path.read_bytes())


def _beside(path: Path, rng: np.random.Generator) -> None:
    name = rng.choice(["__pycache__/x.cpython-311.pyc", "more.py", "x.pkl", "sub/MLmodel"])
    further = path.parent / str(name)
    further.parent.mkdir(exist_ok=True)
    further.write_bytes(rng.bytes(50))


def _listed_again(path: Path, rng: np.random.Generator) -> None:
    _bit(path, rng)
    folder = next(p for p in path.parents if (p / LIST).exists())
    (folder / LIST).write_bytes(list_files(folder))


CHANGES: dict[str, Change] = {
    "a bit": _bit,
    "cut": _cut,
    "more bytes": _more,
    "other bytes": _other,
    "gone": _gone,
    "over another": _over_another,
    "a file beside": _beside,
    "listed again": _listed_again,
}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def run(count: int, seed: int) -> tuple["Counter[str]", list[str]]:
    """Change models, and read them.

    Parameters
    ----------
    count : int
        Models.
    seed : int
        Same seed, same changes.

    Returns
    -------
    told : Counter
        How many were refused, and how many gave the same answer.
    wrong : list of str
        Changes after which something else happened.
    """
    rng = np.random.default_rng(seed)
    told: Counter[str] = Counter()
    wrong = []
    for _ in range(count):
        name = str(rng.choice(list(CHANGES)))
        with tempfile.TemporaryDirectory(prefix="als-ml-") as parent:
            folder = Path(parent) / "model"
            shutil.copytree(MODEL, folder)
            digest = list_digest((folder / LIST).read_bytes())
            found = _files(folder)
            path = found[rng.integers(len(found))]
            CHANGES[name](path, rng)
            what = _what_happens(folder, digest)
        told[what] += 1
        if what not in ("refused", "the same answer"):
            wrong.append(f"{name} {path.name}: {what}")
    return told, wrong


def _what_happens(folder: Path, digest: str) -> str:
    try:
        (row,) = model_in(folder, digest).predictor().predict_records([EXAMPLE])
    except RequestError:
        return "refused"
    except Exception as error:
        return f"raised {type(error).__name__}"
    return "the same answer" if row["probability"] == _expected() else "another answer"


_answers: list[float | None] = []


def _expected() -> float | None:
    if not _answers:
        (row,) = model_in(MODEL).predictor().predict_records([EXAMPLE])
        _answers.append(row["probability"])
    return _answers[0]


def main(arguments: Sequence[str]) -> None:
    """Print what became of the models."""
    count, seed = (int(word) for word in [*arguments, "1000", "1"][:2])
    told, wrong = run(count, seed)
    print(f"{count:,} models: " + ", ".join(f"{n:,} {what}" for what, n in sorted(told.items())))
    print("\n".join(wrong[:20]) or "none else")
