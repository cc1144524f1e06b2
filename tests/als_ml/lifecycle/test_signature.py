"""Signed locks: whose they are, what was changed, and whom a site trusts."""

import json
from pathlib import Path

import pytest

from als_ml.__main__ import main as als_ml
from als_ml.lifecycle.lock import read_lock
from als_ml.lifecycle.signature import TRUSTED, check_signature, new_key, signed
from features.errors import RequestError

PINNED = {
    "name": "als-progression",
    "version": "3",
    "digest": "ab",
    "threshold": "0.4",
    "definitions_version": "d",
    "als_ml_version": "1",
    "created": "2026-11-28",
}


@pytest.fixture
def key(tmp_path) -> Path:
    new_key(tmp_path / "key.pem")
    return tmp_path / "key.pem"


@pytest.fixture
def trusted(tmp_path, monkeypatch):
    """Set the site's list of trusted keys."""

    def set_to(*keys: str) -> None:
        path = tmp_path / "trusted"
        path.write_text("# of this hospital\n" + "\n".join(keys))
        monkeypatch.setenv(TRUSTED, str(path))

    return set_to


def lock_file(content: dict, folder: Path) -> Path:
    path = folder / "lock.json"
    path.write_text(json.dumps(content))
    return path


def test_a_signed_lock_is_read(key, tmp_path, trusted):
    lock = signed(PINNED, key)
    assert read_lock(lock_file(lock, tmp_path))["version"] == "3"
    trusted("another", f"{lock['signed_by']}  # ours")
    assert read_lock(lock_file(lock, tmp_path))["version"] == "3"


@pytest.mark.parametrize("name", [*PINNED, "signature", "signed_by", "added"])
def test_a_change_is_seen(name, key, tmp_path):
    """Of any key, of the signature, of who signed, of a key more or less."""
    lock = signed(PINNED, key)
    with pytest.raises(RequestError, match="it is not what was signed"):
        read_lock(lock_file(lock | {name: "x"}, tmp_path))
    if name in ("created", "signature", "signed_by"):
        del lock[name]
        with pytest.raises(RequestError, match="it is not what was signed"):
            read_lock(lock_file(lock, tmp_path))


def test_each_changed_character_of_a_signature_is_seen(key):
    lock = signed(PINNED, key)
    good = lock["signature"]
    for i in range(0, len(good) - 3, 7):
        other = good[:i] + ("A" if good[i] != "A" else "B") + good[i + 1 :]
        with pytest.raises(RequestError, match="not what was signed"):
            check_signature(lock | {"signature": other}, "lock")


def test_a_site_takes_only_whom_it_trusts(key, tmp_path, trusted):
    other = tmp_path / "other.pem"
    public = new_key(other)
    trusted(public)
    with pytest.raises(RequestError, match="the key that signed it is not trusted"):
        read_lock(lock_file(signed(PINNED, key), tmp_path))
    with pytest.raises(RequestError, match="nobody signed it"):
        read_lock(lock_file(PINNED, tmp_path))
    # A trusted name over somebody else's signature.
    with pytest.raises(RequestError, match="not what was signed"):
        read_lock(lock_file(signed(PINNED, key) | {"signed_by": public}, tmp_path))
    assert read_lock(lock_file(signed(PINNED, other), tmp_path))
    trusted()
    with pytest.raises(RequestError, match="not trusted"):
        read_lock(lock_file(signed(PINNED, other), tmp_path))


def test_a_list_that_is_not_there_trusts_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv(TRUSTED, str(tmp_path / "none"))
    with pytest.raises(RequestError, match="cannot be read"):
        read_lock(lock_file(PINNED, tmp_path))


def test_without_a_list_an_unsigned_lock_is_read(tmp_path, monkeypatch):
    monkeypatch.delenv(TRUSTED, raising=False)
    assert read_lock(lock_file(PINNED, tmp_path))["digest"] == "ab"


def test_keys(tmp_path, capsys):
    path = tmp_path / "key.pem"
    assert als_ml(["lock", "--new-key", str(path)]) == 0
    assert len(capsys.readouterr().out.strip()) == 44
    assert path.stat().st_mode & 0o777 == 0o600
    assert als_ml(["lock", "--new-key", str(path)]) == 2  # the key that is there stays
    assert als_ml(["lock", "--output", "x.json"]) == 2


@pytest.mark.parametrize(
    ("content", "mode", "message"),
    [
        (None, 0o600, "not a private key"),
        (b"", 0o600, "not a private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600, "not a private"),
        ("of another curve", 0o600, "not an Ed25519 key"),
        ("own", 0o640, "others may read it"),
        ("own", 0o604, "others may read it"),
    ],
)
def test_a_key_that_cannot_sign(content, mode, message, key, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = tmp_path / "other.pem"
    if content == "of another curve":
        made = generate_private_key(SECP256R1())
        content = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    elif content == "own":
        content = key.read_bytes()
    if content is not None:
        path.write_bytes(content)
        path.chmod(mode)
    with pytest.raises(RequestError, match=message):
        signed(PINNED, path)
