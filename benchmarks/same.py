"""Two folders' results, compared to the last bit: `python -m benchmarks same OLD NEW`.

Each of OLD's feature and prediction tables and reports must be in NEW and be equal there, all
columns but versions and dates. Says equal or differs by column, and ends with exit status 1 where
anything differs.
"""

import base64
import gzip
import json
import re
import sys
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

COMPARED = ("features*.parquet", "features*.csv", "predictions*.csv", "predictions*.parquet")
REPORTS = "report*.html"
# What a report says of when and with what it was made.
_MADE = re.compile(r"als-ml [\d.]+\w*|definitions [0-9a-f]{12}|\d{4}-\d\d-\d\d")

# Tables of a report are JSON, compressed.
_PACKED = re.compile(r"(?<=>)(H4sI[\w+/=]+)(?=</script>)")


def table(path: Path) -> pd.DataFrame:
    read = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)
    return read[[name for name in read.columns if "version" not in name and "date" not in name]]


def changed_cells(old: pd.Series, new: pd.Series) -> int:
    """How many cells differ.

    Unknown equals unknown, 0.0 is not -0.0, and 1.0 is not the number 1.
    """
    if len(old) != len(new) or old.dtype != new.dtype:
        return max(len(old), len(new))
    if pd.api.types.is_float_dtype(old.dtype):
        bits = [np.ascontiguousarray(c.to_numpy()) for c in (old, new)]
        unsigned = f"u{bits[0].dtype.itemsize}"
        same = bits[0].view(unsigned) == bits[1].view(unsigned)
        return int((~same & ~(np.isnan(bits[0]) & np.isnan(bits[1]))).sum())
    either_unknown = old.isna() | new.isna()
    return int(((old.isna() != new.isna()) | (~either_unknown & (old != new))).sum())


def differing_columns(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, str]:
    """Column -> how it differs; columns in another order count as differing, too."""
    found = {name: "only in OLD" for name in old.columns if name not in new.columns}
    found |= {name: "only in NEW" for name in new.columns if name not in old.columns}
    for name in old.columns:
        if name in new.columns and (n := changed_cells(old[name], new[name])):
            found[name] = f"{n} of {len(old)} cells"
    if not found and list(old.columns) != list(new.columns):
        found["the order"] = "columns stand in another order"
    return found


def page(path: Path) -> str:
    """A report with the tables in it unpacked, a line for each of their values."""
    return _PACKED.sub(_unpacked, path.read_text(encoding="utf-8"))


def _unpacked(packed: re.Match[str]) -> str:
    content = gzip.decompress(base64.b64decode(packed[1]))
    return json.dumps(json.loads(content), indent=0)


def differences(old: Path, new: Path) -> dict[str, str]:
    """What differs in one file."""
    if not new.exists():
        return {"the file": "is not in NEW"}
    if old.suffix != ".html":
        return differing_columns(table(old), table(new))
    texts = [_MADE.sub("", page(path)).splitlines() for path in (old, new)]
    if texts[0] == texts[1]:
        return {}
    pairs = enumerate(zip_longest(*texts, fillvalue=""), 1)
    line, (was, now) = next((line, pair) for line, pair in pairs if pair[0] != pair[1])
    return {"the page": f"from line {line} on, {was[:80]!r} is {now[:80]!r}"}


def compared(old: Path, new: Path) -> dict[str, dict[str, str]]:
    """File -> what differs in it, for every table and report of OLD."""
    paths = {path for pattern in (*COMPARED, REPORTS) for path in old.rglob(pattern)}
    paths = {path for path in paths if ".dictionary" not in path.name}
    return {
        path.relative_to(old).as_posix(): differences(path, new / path.relative_to(old))
        for path in sorted(paths)
    }


def main(arguments: list[str]) -> None:
    if len(arguments) != 2:
        sys.exit("usage: python -m benchmarks same OLD NEW")
    found = compared(Path(arguments[0]), Path(arguments[1]))
    for name, columns in found.items():
        print(f"{name}: {'differs' if columns else 'equal'}")
        for column, how in columns.items():
            print(f"  {column}: {how}")
    if not found:
        sys.exit(f"{arguments[0]} holds no table and no report")
    sys.exit(1 if any(found.values()) else 0)
