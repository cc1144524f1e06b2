"""Genomes behind a URL: `https://`, `s3://`, `gs://`, and `s3+http://` for a server of one's own.

htslib reads the panel's records alone, by the index beside the file, into a file in a scratch
folder; from there on a remote genome is read as any other. The index that htslib downloads goes to
that folder too. What a store says of a file (size, time, ETag) comes from fsspec. Whether a URL may
be read at all is for the person who runs the command (`--allow-remote`), never for a file to say.

A URL is kept as a Path, in which `//` becomes `/`: `url_of` gives it back.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import DataError, RequestError
from features.genotypes.bcftools import bcftools
from features.temporary import working_folder

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_URL = re.compile(r"(https|s3|gs|s3\+http|s3\+https):/+(?=[^/])")
# What a store says of a file that changes when the file does, by whichever name it says it.
_STATE = ("ETag", "etag", "md5Hash", "generation", "LastModified", "mtime", "updated")


def is_remote(path: Path | str) -> bool:
    """Whether a path is a URL that genomes can be read from.

    Parameters
    ----------
    path : Path or str
        As a person wrote it.

    Examples
    --------
    >>> [is_remote(text) for text in ("s3://b/x.vcf.gz", "https:/h/x", "http://h/x", "a/s3:/x")]
    [True, True, False, False]
    """
    return _URL.match(str(path)) is not None


def url_of(path: Path | str) -> str:
    """The URL that a path stands for.

    Parameters
    ----------
    path : Path or str
        One for which `is_remote` holds.

    Examples
    --------
    >>> url_of(Path("s3://bucket/x.vcf.gz"))
    's3://bucket/x.vcf.gz'
    """
    return _URL.sub(r"\1://", str(path), count=1)


def check_allowed(url: str, allowed: bool, where: str) -> None:
    """Refuse a URL that the user did not allow.

    Parameters
    ----------
    url : str
        What is to be read.
    allowed : bool
        Whether the user gave `--allow-remote`.
    where : str
        What names it, for the message.

    Raises
    ------
    RequestError
        Before anything is read.
    """
    if not allowed:
        remedy = "Allow it with --allow-remote if you trust that place."
        raise RequestError(where, f"{url} is not on this machine", remedy, code="path_outside")


def listed(pattern: str) -> list[Path]:
    """The files that a URL with `*` or `?` matches, in the order of their names.

    Parameters
    ----------
    pattern : str
        A URL.

    Raises
    ------
    DataError
        If the store does not answer.
    """
    store, place = _store(pattern)
    scheme = pattern.partition("://")[0]
    with _answers(pattern):
        names = sorted(map(str, store.glob(place)))
    return [Path(n if "://" in n else f"{scheme}://{n.lstrip('/')}") for n in names]


def state_of(path: Path) -> list[str | int]:
    """URL, size, and what else the store says that changes when the file does.

    Parameters
    ----------
    path : Path
        Of a URL.

    Raises
    ------
    DataError
        If there is no such file, or the store does not answer.
    """
    url = url_of(path)
    store, place = _store(url)
    with _answers(url):
        info = store.info(place)
    return [url, int(info.get("size") or 0), *(str(info[name]) for name in _STATE if name in info)]


# What was listed before may have changed.
_FRESH = {"use_listings_cache": False}


@contextmanager
def _answers(url: str) -> Iterator[None]:
    """What goes wrong with a store, as a message; none holds a key."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(
            url, "there is no such file", "Correct `variants`.", code="file_absent"
        ) from None
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        remedy = "Check the address, the network and the keys for it."
        raise DataError(
            url,
            f"the store does not answer ({type(error).__name__})",
            remedy,
            code="download_failed",
        ) from None


def _store(url: str) -> "tuple[AbstractFileSystem, str]":
    """The file system of a URL, and the name of the file in it."""
    try:
        import fsspec

        scheme, _, rest = url.partition("://")
        if scheme.startswith("s3+"):
            # htslib takes the server from this variable, so fsspec does.
            server = f"{scheme.removeprefix('s3+')}://{os.environ.get('HTS_S3_HOST', '')}"
            return fsspec.filesystem("s3", endpoint_url=server, **_FRESH), rest
        return fsspec.filesystem(scheme, **_FRESH), url if scheme == "https" else rest
    except ImportError as error:
        remedy = "Install it: pip install 'als-ml[remote]' (gs:// needs gcsfs)."
        raise RequestError(
            url, f"{error.name or 'fsspec'} is not installed", remedy, code="package_needed"
        ) from None


@contextmanager
def staged(path: Path, restriction: list[str]) -> Iterator[Path]:
    """The records of the panel in a file of this machine, as long as the block lasts.

    Parameters
    ----------
    path : Path
        Of a URL; its index must lie beside it.
    restriction : list of str
        Arguments of bcftools that say which records (`features.genotypes.vcf.restriction`).

    Yields
    ------
    Path
        BCF without an index.

    Raises
    ------
    DataError
        If it cannot be read, with htslib's words.
    """
    url = url_of(path)
    with working_folder("remote") as folder:
        local = Path(folder) / "panel.bcf"
        view = ["view", "-Ob", *restriction, url]
        with bcftools(view, where=url, folder=Path(folder)) as records, local.open("wb") as file:
            shutil.copyfileobj(records, file)
        yield local
