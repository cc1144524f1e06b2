"""MLflow stores of the tests: other test files have one of their own in the same process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from als_ml.tracking.store import use_store


@contextmanager
def store_in(folder: Path) -> Iterator[None]:
    """Work in a folder, with the SQLite store that lies there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        use_store()  # a training of another file in this process may have selected its own
        yield
