"""What an archive or a workbook asks for in memory, before anything reads it."""

import gzip
import re
import zipfile
from pathlib import Path

import pyarrow.parquet as pq

from features import bounds
from features.tables.open_document import check_open_document

_PLACE = re.compile(rb'<(?:c|row|dimension) r(?:ef)?="(?:[A-Z]+\d+:)?([A-Z]*)(\d+)"')


def check_unpacked(path: Path) -> None:
    """Refuse an archive that is small on disk and huge in memory.

    Parameters
    ----------
    path : Path
        Of any format; only .gz, .xlsx, .xlsm, .ods and .parquet unpack.

    Raises
    ------
    ValueError
        If it unpacks to more than `features.bounds` allows, or a sheet spans more cells.
    """
    suffix, most = path.suffix.lower(), _most_unpacked(path)
    if suffix == ".gz":
        with gzip.open(path) as file:
            size = sum(
                len(block)
                for block in iter(lambda: file.read(1 << 20) if file.tell() <= most else b"", b"")
            )
    elif suffix in (".xlsx", ".xlsm", ".ods"):
        check = check_open_document if suffix == ".ods" else _check_extent
        with zipfile.ZipFile(path) as file:
            size = sum(part.file_size for part in file.infolist())
            if size <= most:
                check(file)
    elif suffix == ".parquet":
        metadata = pq.read_metadata(path)
        size = metadata.num_rows * metadata.num_columns  # a cell takes a byte or more in memory
    else:
        return
    if size > most:
        raise ValueError(
            f"it unpacks to more than {bounds.MOST_RATIO} times its size; unpack it yourself if you"
            " trust it"
        )


def _most_unpacked(path: Path) -> int:
    return max(bounds.MOST_UNPACKED, bounds.MOST_RATIO * path.stat().st_size)


def _check_extent(file: zipfile.ZipFile) -> None:
    """Refuse a sheet whose cells, or the extent that it states, span more than any table has: what
    reads it makes every cell in between.
    """
    rows = columns = 1
    for part in file.infolist():
        if part.filename.startswith("xl/worksheets/"):
            for letters, number in _PLACE.findall(file.read(part)):
                rows = max(rows, int(number[:12]))
                columns = max(columns, _column_number(letters[:6]))
    if rows * columns > bounds.MOST_CELLS:
        raise ValueError(f"a sheet of it spans {rows:,} rows and {columns:,} columns")


def _column_number(letters: bytes) -> int:
    """Number of a column of a sheet.

    >>> _column_number(b"A"), _column_number(b"XFD")
    (1, 16384)
    """
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number
