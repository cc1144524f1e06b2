"""Puts the bill of materials into the wheel while it is built (hatchling)."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BillOfMaterials(BuildHookInterface):  # type: ignore[type-arg]
    """Makes `als-ml.cdx.json` from the lock, in the metadata of the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Make the file, and name it among what is packed."""
        sys.path.insert(0, str(Path(self.root)))
        from tools.sbom import bill

        lock = Path(self.root) / "requirements.lock"
        self.folder = tempfile.TemporaryDirectory(prefix="als-ml-")
        path = Path(self.folder.name) / "als-ml.cdx.json"
        path.write_text(bill(self.metadata.version, lock.read_text(encoding="utf-8")))
        build_data["sbom_files"].append(str(path))
