"""Signatures of locks: who released a model, proven by a key that does not lie beside it.

Ed25519 (RFC 8032) over the canonical JSON of what is signed. A private key is a PEM file that its
owner alone reads; public keys stand in the site's own list of those that it trusts, never in what
they vouch for.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import RequestError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# A file with one public key a line (`#` begins a comment): with it only what one of them signed is
# accepted.
TRUSTED = "ALS_ML_TRUSTED_KEYS"
SIGNATURE, SIGNER = "signature", "signed_by"


def new_key(path: Path) -> str:
    """Make a private key.

    Parameters
    ----------
    path : Path
        PEM file to make, readable by its owner alone; an existing one stays.

    Returns
    -------
    str
        Its public key, as the list of trusted keys has it.

    Raises
    ------
    RequestError
        If the file is there already, or cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise RequestError(
            str(path), f"it cannot be made ({error})", "Name a new file.", code="output_refused"
        ) from None
    with os.fdopen(handle, "wb") as file:
        file.write(text)
    return _public(key)


def signed(content: Mapping[str, str], path: Path) -> dict[str, str]:
    """Content with its signature and the public key of who signed.

    Parameters
    ----------
    content : mapping of str
        What is vouched for.
    path : Path
        PEM file of an Ed25519 private key.

    Returns
    -------
    dict of str
        The same, with `signature` and `signed_by`.

    Raises
    ------
    RequestError
        If the file holds no such key, or others may read it.
    """
    key = _private(path)
    signature = base64.b64encode(key.sign(_bytes(content))).decode()
    return {**content, SIGNATURE: signature, SIGNER: _public(key)}


def check_signature(content: Mapping[str, str], where: str) -> None:
    """Refuse what was changed since it was signed, or that nobody signed whom the site trusts.

    Parameters
    ----------
    content : mapping of str
        As it was read.
    where : str
        For the message.

    Raises
    ------
    RequestError
        If the signature is not that of the content, or of a key outside of the site's list; with a
        list, also if there is none.
    """
    trusted = _trusted()
    signer, signature = content.get(SIGNER), content.get(SIGNATURE)
    if signer is None and signature is None and trusted is None:
        return
    if trusted is not None and signer not in trusted:
        reason = "nobody signed it" if signer is None else "the key that signed it is not trusted"
        raise RequestError(
            where, reason, f"{TRUSTED} lists whose models are used here.", code="model_changed"
        )
    if not _fits(content, str(signer), str(signature)):
        reason = "it is not what was signed"
        raise RequestError(
            where, reason, "Get it again from who released it.", code="model_changed"
        )


def _fits(content: Mapping[str, str], signer: str, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(signer, validate=True))
        key.verify(base64.b64decode(signature, validate=True), _bytes(content))
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def _bytes(content: Mapping[str, str]) -> bytes:
    """What is signed: everything but the signature and its key, in one order."""
    kept = {key: value for key, value in content.items() if key not in (SIGNATURE, SIGNER)}
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()


def _trusted() -> frozenset[str] | None:
    """The site's list, None where it has none."""
    named = os.environ.get(TRUSTED)
    if not named:
        return None
    try:
        lines = Path(named).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"{TRUSTED}={named}",
            f"it cannot be read ({error})",
            "Name a text file with a key a line, or unset the variable.",
            code="file_unreadable",
        ) from None
    return frozenset(line.split("#")[0].strip() for line in lines) - {""}


def _private(path: Path) -> "Ed25519PrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    where, remedy = f"--sign {path}", "Make one: python -m als_ml lock --new-key FILE"
    try:
        if path.stat().st_mode & 0o077:
            raise RequestError(where, "others may read it", "chmod 600 it.", code="option_value")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = f"it is not a private key ({type(error).__name__})"
        raise RequestError(where, reason, remedy, code="file_unreadable") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise RequestError(where, "it is not an Ed25519 key", remedy, code="file_unreadable")
    return key


def _public(key: "Ed25519PrivateKey") -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
