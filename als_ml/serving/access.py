"""Who may ask: keys of a server, compared in constant time."""

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from pathlib import Path

from features.errors import RequestError

# Shorter keys can be tried out.
SHORTEST_KEY = 24
# What says that a server lives, and nothing else: asked by what has no key.
OPEN = ("/ping", "/health", "/ready")


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys of a file as SHA-256 digests: one a line, `#` begins a comment.

    Parameters
    ----------
    path : Path
        Readable by its owner alone.

    Returns
    -------
    tuple of str
        Hexadecimal digests; the keys themselves go nowhere.

    Raises
    ------
    RequestError
        If it cannot be read, others may read it, or a key is too short.
    """
    where = f"--api-keys {path}"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        others = path.stat().st_mode & 0o077
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            where, f"it cannot be read ({error})", "Give a text file.", code="file_unreadable"
        ) from None
    if others:
        raise RequestError(where, "others may read it", "chmod 600 it.", code="option_value")
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys or min(map(len, keys)) < SHORTEST_KEY:
        remedy = "Make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        raise RequestError(
            where, f"a key has at least {SHORTEST_KEY} characters", remedy, code="option_value"
        )
    return tuple(hashlib.sha256(key.encode()).hexdigest() for key in keys)


def admitted(headers: Mapping[bytes, bytes], digests: tuple[str, ...]) -> bool:
    """Whether a request brings one of the keys.

    Every key is compared, each in constant time, so that the time tells nothing.

    Parameters
    ----------
    headers : mapping of bytes
        Lower-case names; the key is a bearer token, or the password of a browser's login.
    digests : tuple of str
        Of `read_keys`.

    Returns
    -------
    bool
        True where there are no keys.

    Examples
    --------
    >>> import hashlib
    >>> digests = (hashlib.sha256(b"k").hexdigest(),)
    >>> admitted({b"authorization": b"Bearer k"}, digests), admitted({}, digests)
    (True, False)
    """
    if not digests:
        return True
    brought = hashlib.sha256(_brought(headers.get(b"authorization", b""))).hexdigest()
    same = [hmac.compare_digest(brought, digest) for digest in digests]
    return any(same)


def _brought(header: bytes) -> bytes:
    kind, _, value = header.strip().partition(b" ")
    if kind.lower() != b"basic":
        return value.strip() if kind.lower() == b"bearer" else b""
    try:
        return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def check_exposed(host: str, guarded: bool, insecure: bool) -> None:
    """Refuse to listen beyond this machine without a key or a certificate.

    Parameters
    ----------
    host : str
        Address to listen on.
    guarded : bool
        Whether a key or a client's certificate is asked for.
    insecure : bool
        Whether the user wants it even so.

    Raises
    ------
    RequestError
        If others can reach it and nothing is asked of them.
    """
    if not (guarded or insecure or _of_this_machine(host)):
        reason = "it can be reached from other machines and asks for no key"
        remedy = "Give --api-keys or --tls-client-ca, or --insecure behind something that does."
        raise RequestError(f"--host {host}", reason, remedy, code="option_conflict")


def _of_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, such as 127.example
        return False
