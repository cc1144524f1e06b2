"""What the product is made of, as CycloneDX: each pinned package of the lock with its hashes.

The wheel carries it in its metadata (PEP 770), made while it is built: `tools/sbom_hook.py`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(\S+?)(?:\s*;[^\\]*)?\s*\\?$")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Pin(NamedTuple):
    """A package of the lock: name (normalised), version, SHA-256 of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pins(text: str) -> Iterator[Pin]:
    """The packages of a lock, in its order.

    Parameters
    ----------
    text : str
        Of `requirements.lock`.

    Yields
    ------
    Pin
        One a package.

    Examples
    --------
    >>> [pin.version for pin in pins("Ab_c==1.0")]
    ['1.0']
    """
    name, version, hashes = "", "", list[str]()
    for line in text.splitlines():
        if match := _PIN.match(line):
            if name:
                yield Pin(name, version, tuple(hashes))
            name, version, hashes = normalised(match[1]), match[2], []
        hashes += _HASH.findall(line)
    if name:
        yield Pin(name, version, tuple(hashes))


def normalised(name: str) -> str:
    """A name as packages are compared by (PEP 503).

    >>> normalised("Ab_c.D")
    'ab-c-d'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def bill(version: str, text: str) -> str:
    """The bill of materials, the same for the same lock.

    Parameters
    ----------
    version : str
        Of the product.
    text : str
        Of the lock.

    Returns
    -------
    str
        CycloneDX 1.6 as JSON.
    """
    parts = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{pin.name}@{pin.version}",
            "name": pin.name,
            "version": pin.version,
            "purl": f"pkg:pypi/{pin.name}@{pin.version}",
            "properties": [{"name": "sha256", "value": value} for value in pin.hashes],
        }
        for pin in pins(text)
    ]
    product = {"type": "application", "bom-ref": "als-ml", "name": "als-ml", "version": version}
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product},
        "components": parts,
    }
    return json.dumps(content, indent=1) + "\n"
