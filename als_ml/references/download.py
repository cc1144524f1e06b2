"""Download a file over HTTP and continue it where it broke off (Range, RFC 9110 section 14).

It is continued only if the server still has the same version, told by ETag or Last-Modified; else
it begins anew.
"""

import contextlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPResponse as Response
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from als_ml.references.folder import (
    Progress,
    difference,
    note_of,
    part_of,
    read_note,
    unwritable,
    write_note,
)
from features.errors import DataError
from features.stored import Json

TIMEOUT = 60  # seconds without a byte
WAITS = (1, 4, 16)  # seconds before each further attempt that follows one without any gain
CHUNK = 1 << 20
NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
)
_RETRIED = (408, 416, 425, 429)


def download(
    url: str, target: Path, expected: tuple[str, str] | None, progress: Progress, by_hand: str = ""
) -> None:
    """Download a file, continuing what an earlier attempt left in `target`.part.

    Parameters
    ----------
    url : str
        http, https or file.
    target : Path
        Appears when it is whole and its digest is right.
    expected : tuple, optional
        Algorithm and hexadecimal digest.
    by_hand : str, optional
        What the user can do instead, if it is more than to put this one file in its place.

    Raises
    ------
    DataError
        If the server cannot be reached or refuses, the connection keeps breaking off, or the digest
        differs.
    """
    part, most, failures = part_of(target), _size(part_of(target)), 0
    while True:
        try:
            _receive(url, target, progress)
            break
        except NETWORK_ERRORS as error:
            failures = 1 if _size(part) > most else failures + 1
            most = max(most, _size(part))
            if getattr(error, "code", None) == 416:
                part.unlink(missing_ok=True)  # the server's file is shorter: another version
            if _is_final(error, failures):
                raise _failure(url, target, error, by_hand) from None
        time.sleep(WAITS[failures - 1])
    differs = difference(part, expected)
    if differs:
        part.unlink()
        note_of(target).unlink(missing_ok=True)
        raise DataError(
            url,
            differs,
            "The download was deleted; run the command again, or correct the checksum.",
            code="download_failed",
        )
    part.replace(target)


def _receive(url: str, target: Path, progress: Progress) -> None:
    """Ask for what is missing of a file and append it."""
    part, note = part_of(target), read_note(target)
    have = _continuable(url, part, note)
    if have and have == note["total"]:
        return
    with _opened(url, _range_headers(have, note)) as response:
        version = {
            "etag": response.headers.get("ETag"),
            "modified": response.headers.get("Last-Modified"),
        }
        start, total = _place(response, have, version, note, part)
        if not start:
            # Before the note of the new version: an interruption in between must not leave it
            # beside old bytes.
            part.unlink(missing_ok=True)
            write_note(target, {"url": url, **version, "total": total})
        _append(
            response,
            part,
            start,
            lambda size: progress(f"downloading {target.name}", size, total or 0),
        )
    if total is not None and _size(part) != total:
        raise ConnectionError(f"it ended after {_size(part)} of {total} bytes")


def _continuable(url: str, part: Path, note: Json) -> int:
    """Bytes that can be continued: only those of which the version is known."""
    known = note.get("url") == url and bool(note.get("etag") or note.get("modified"))
    size = _size(part)
    return size if known and size <= (note.get("total") or size) else 0


def _range_headers(have: int, note: Json) -> dict[str, str]:
    # Without `identity` a server may compress once more; a weak ETag is not allowed in If-Range
    # (RFC 9110 section 13.1.5).
    headers = {"Accept-Encoding": "identity", "User-Agent": "als-ml"}
    if have:
        headers["Range"] = f"bytes={have}-"
        etag = note["etag"] or "W/"
        validator = note["modified"] if etag.startswith("W/") else etag
        headers |= {"If-Range": validator} if validator else {}
    return headers


def _place(
    response: Response, have: int, version: Json, note: Json, part: Path
) -> tuple[int, int | None]:
    """Where the answer begins in the file, and the size of the whole (None: not stated).

    An answer that is the whole file begins at 0. One that continues another version, or elsewhere,
    is not to be used.
    """
    if getattr(response, "status", None) != 206:
        length = response.headers.get("Content-Length")
        return 0, int(length) if length and length.isdigit() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    same = all(note.get(key) in (None, value) for key, value in version.items() if value)
    if match and same and int(match[1]) == have and note.get("total") in (None, int(match[2])):
        return have, int(match[2])
    part.unlink(missing_ok=True)
    raise ConnectionError("the file has changed on the server")


def _append(response: Response, part: Path, start: int, tell: Callable[[int], None]) -> None:
    """Write what comes as it comes, so that a broken connection loses nothing."""
    with _writable(part, "ab" if start else "wb") as file:
        size = start
        while chunk := response.read1(CHUNK):
            try:
                file.write(chunk)
            except OSError as error:
                raise unwritable(part, error) from None
            size += len(chunk)
            tell(size)


@contextlib.contextmanager
def _writable(part: Path, mode: str) -> Iterator[IO[bytes]]:
    try:
        file = part.open(mode, buffering=0)
    except OSError as error:
        raise unwritable(part, error) from None
    with file:
        yield file


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https alone, and never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request that follows a redirect; the parameters are those of the library."""
        allowed = ("https",) if req.type == "https" else ("http", "https")
        if urlsplit(newurl).scheme not in allowed:
            raise urllib.error.HTTPError(
                req.full_url, code, f"redirects to {newurl}, which is refused", headers, fp
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opened(url: str, headers: dict[str, str]) -> Response:
    # The schemes were checked when the sources file was read.
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    try:
        return urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        raise


def _is_final(error: Exception, failures: int) -> bool:
    """Whether it is no use to try again: a refusal, a server that was not reached at all, or too
    many attempts.
    """
    if isinstance(error, urllib.error.HTTPError):
        return (error.code < 500 and error.code not in _RETRIED) or failures > len(WAITS)
    return failures > len(WAITS) or (isinstance(error, urllib.error.URLError) and failures == 1)


def _failure(url: str, target: Path, error: Exception, by_hand: str) -> DataError:
    by_hand = (
        f"{by_hand or f'download the file elsewhere, put it at {target}'} and run the command again"
    )
    have, total = _size(part_of(target)), read_note(target).get("total")
    there = (
        f"; {have:,} of {total or 'unknown':{',' if total else ''}} bytes are there"
        f" ({part_of(target).name})"
        if have
        else ""
    )
    if isinstance(error, urllib.error.HTTPError):
        reason, remedy = (
            f"the server answered {error.code} {error.reason}",
            "Correct the address in the sources file, or ",
        )
    elif isinstance(error, urllib.error.URLError):
        reason, remedy = (
            f"this machine cannot reach it ({error.reason})",
            "When it can, run the command again, or ",
        )
    else:
        reason, remedy = (
            f"the connection broke off ({error or type(error).__name__})",
            "Run the command again, or ",
        )
    if have:
        remedy = "Run the command again to continue, or "
    return DataError(url, reason + there, remedy + by_hand + ".", code="download_failed")
