"""The export that `docs/hospital-export.md` reads: `python -m tests.hospital examples/hospital`."""

import sys
import tempfile
from pathlib import Path

from als_ml.simulate import simulate
from tests.exports import Simulated, german

PATIENTS, SEED = 220, 7


def write_export(folder: Path) -> None:
    """Write the files of the German export of made-up patients into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="als-ml-export-") as name:
        made = Path(name) / "cohort"
        simulate(made, PATIENTS, SEED)
        german(Simulated(made), folder, typed_twice=False)


if __name__ == "__main__":
    write_export(Path(sys.argv[1]))
