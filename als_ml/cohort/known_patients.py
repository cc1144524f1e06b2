"""Which patients a model has seen, told without a list of them: keyed hashes of stable raw fields
in a Bloom filter.

A print is made of sex, age and day of onset, day of diagnosis, site of onset, and the first
ALSFRS-R visit: what a centre knows at the start and does not change when a visit is added.
Identifiers are left out, since they change between tables; the diagnosis is, since it is revised.
One corrected field makes another print. Without the key, which stays with the user and never goes
into a store, nobody can ask the filter whether a given person is in it.
"""

import base64
import hashlib
import hmac
import math
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from features.cohort import Cohort
from features.errors import RequestError

KEY_VARIABLE = "ALS_ML_PATIENT_KEY"
# Chance that a stranger is taken for a patient of one filter: one in ten million, at 34 bits a
# patient.
FALSE_POSITIVE = 1e-7
_KEY_BYTES, _PRINT_BYTES = 32, 16
_FIELDS = ("sex", "age_at_onset", "onset_days", "diagnosis_days", "onset_site")
_ITEMS = (*(f"q{i}" for i in range(1, 13)), "q10_alsfrs", "total")
# Sex and site of onset tell few people apart: of the other four, three must be known (P).
_TELLING, _FEWEST = ("age_at_onset", "onset_days", "diagnosis_days", "first visit"), 3


# Filters have room for a multiple of so many patients, so that their length does not count them.
_STEP = 1_000


def key_path() -> Path:
    """File of the key: what ALS_ML_PATIENT_KEY names, else `als-ml/patients.key` in the user's
    configuration folder.
    """
    if given := os.environ.get(KEY_VARIABLE):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "als-ml" / "patients.key"


def patient_key() -> bytes:
    """The user's key; made on first use, readable by the user alone.

    Raises
    ------
    RequestError
        If the file cannot be made or read, or is not such a key.
    """
    path = key_path()
    remedy = f"Set {KEY_VARIABLE} to a file that you can write, or restore the one you had."
    try:
        if not path.exists():
            _make_key(path)
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not a key"
        raise RequestError(
            f"key of patients {path}", reason, remedy, code="file_unreadable"
        ) from None
    if len(key) != _KEY_BYTES:
        raise RequestError(
            f"key of patients {path}", "this is not a key", remedy, code="file_unreadable"
        )
    return key


def _make_key(path: Path) -> None:
    """Write a key whole or not at all; of two at the same time one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(_KEY_BYTES))
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        Path(name).unlink()


def key_name(key: bytes) -> str:
    """What a filter says of the key it was made with; nothing of the key can be told from it."""
    return hmac.new(key, b"als-ml key", hashlib.sha256).hexdigest()[:16]


def patient_prints(cohort: Cohort, key: bytes) -> list[bytes | None]:
    """The print of each patient; None where too little is known to tell them apart.

    Parameters
    ----------
    cohort : Cohort
        n patients.
    key : bytes
        The user's key.

    Returns
    -------
    list of n bytes or None
        None for a patient with too few stable fields.
    """
    columns = {name: cohort.patients[name].tolist() for name in _FIELDS}
    visits = _first_visits(cohort)
    prints: list[bytes | None] = []
    for i in range(len(cohort)):
        facts = {name: _written(values[i]) for name, values in columns.items()}
        facts["first visit"] = visits.get(i, "")
        enough = sum(bool(facts[name]) for name in _TELLING) >= _FEWEST
        text = "\n".join(f"{name}={value}" for name, value in facts.items())
        prints.append(_hashed(key, text) if enough else None)
    return prints


def _hashed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()[:_PRINT_BYTES]


def _first_visits(cohort: Cohort) -> dict[int, str]:
    """Day, items and total of the earliest visit of each patient who has one."""
    visits = cohort.alsfrs.sort_values(["row", "days"], kind="stable").drop_duplicates("row")
    names = [name for name in ("days", *_ITEMS) if name in visits.columns]
    texts = [
        " ".join(_written(value) or "-" for value in values)
        for values in visits[names].itertuples(index=False)
    ]
    return dict(zip(visits["row"].astype(int).tolist(), texts, strict=True))


def _written(value: float | str | None) -> str:
    """A cell as text, the same whatever number type a table was read into; empty where unknown."""
    if value is None or value != value:
        return ""
    return value if isinstance(value, str) else f"{float(value):.2f}"


class Remembered(TypedDict):
    """A Bloom filter (1970) of prints: name of its key, hashes a print, bits (base64), and the
    chance of a stranger.
    """

    key: str
    hashes: int
    bits: str
    false_positive: float


def remembered(prints: Sequence[bytes | None], key: bytes) -> Remembered:
    """A Bloom filter of prints.

    Parameters
    ----------
    prints : sequence of bytes or None
        Of `patient_prints`.
    key : bytes
        The user's key.

    Returns
    -------
    dict
        For JSON; nobody can be listed from it.
    """
    known = [one for one in prints if one is not None]
    room = max(-(-len(known) // _STEP), 1) * _STEP
    size = math.ceil(-room * math.log(FALSE_POSITIVE) / math.log(2) ** 2)
    hashes = round(-math.log2(FALSE_POSITIVE))
    bits = np.zeros(-(-size // 8) * 8, dtype=bool)
    for one in known:
        bits[_places(one, hashes, len(bits))] = True
    return {
        "key": key_name(key),
        "hashes": hashes,
        "bits": base64.b64encode(np.packbits(bits).tobytes()).decode(),
        "false_positive": FALSE_POSITIVE,
    }


def recognised(prints: Sequence[bytes | None], memory: Remembered) -> np.ndarray:
    """Which prints are in a filter: every one that was put in, and others with the filter's
    false-positive rate.

    Parameters
    ----------
    prints : sequence of n bytes or None
        Of `patient_prints`.
    memory : dict
        Of `remembered`.

    Returns
    -------
    array of bool (n,)
        False for a patient with too few stable fields.
    """
    bits = np.unpackbits(np.frombuffer(base64.b64decode(memory["bits"]), dtype=np.uint8))
    return np.array(
        [
            one is not None and bool(bits[_places(one, memory["hashes"], len(bits))].all())
            for one in prints
        ],
        dtype=bool,
    )


def _places(one: bytes, hashes: int, size: int) -> np.ndarray:
    """Bits of a print, by double hashing (Kirsch and Mitzenmacher 2008)."""
    first, step = (int.from_bytes(half, "big") for half in (one[:8], one[8:]))
    return np.array([(first + i * (step | 1)) % size for i in range(hashes)])
