"""Fixtures that several test files share: a small simulated cohort, and both models trained on it
in a store of their own.

A file of tests meets one worker (`--dist loadfile`), which makes its fixtures once; those of a
session are made by each of the two workers.
"""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Two workers share the cores: threads of OpenMP and BLAS beside them wait for each other (five
# times as long measured).
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# No test sees what the user fetched: a folder that is not there.
os.environ["ALS_ML_DATA"] = str(Path(__file__).parent / "no-data")

# A busy machine is no failure: no test is timed.
settings.register_profile("als-ml", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("als-ml")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _key_of_patients(tmp_path_factory: pytest.TempPathFactory):
    """No test makes or reads the user's own key of patients."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALS_ML_PATIENT_KEY", str(tmp_path_factory.mktemp("key") / "patients.key"))
        yield


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The public data that the tests measure on; not part of the repository."""
    folder = Path(os.environ.get("ALS_ML_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"reference data not found at {folder}; set ALS_ML_REFERENCE_DATA")
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a simulated cohort of 240 patients."""
    from als_ml.simulate import simulate

    folder = tmp_path_factory.mktemp("simulated") / "demo"
    simulate(folder, patients=240, seed=5)
    return folder


@pytest.fixture(scope="session")
def cohort(demo: Path):
    from tests.cohorts import read

    return read(demo / "cohort.yaml")


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium of the system."""
    sync = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        pytest.skip("no Chromium here (Debian's package is `chromium`)")
    with sync.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store in SQLite without a run, shared by the workers: making one takes ten seconds,
    copying it none.
    """
    from mlflow import MlflowClient

    from als_ml.tracking.store import quiet_mlflow

    template = (
        tmp_path_factory.getbasetemp().parent
        / f"empty-store-{os.environ.get('PYTEST_XDIST_TESTRUNUID', 'one')}.db"
    )
    if not template.exists():
        fresh = tmp_path_factory.mktemp("migrated") / "mlflow.db"
        with quiet_mlflow():
            MlflowClient(f"sqlite:///{fresh}").search_experiments()
        fresh.replace(template)
    return template


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, demo: Path, migrated: Path) -> dict[str, str]:
    """Environment of an MLflow store with a champion of each task, trained by train.py."""
    import train

    folder = tmp_path_factory.mktemp("store")
    shutil.copy(migrated, folder / "mlflow.db")
    before, here = os.environ.get("MLFLOW_TRACKING_URI"), Path.cwd()
    os.chdir(folder)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    small = [
        "validation.folds=3",
        "validation.repeats=1",
        "validation.inner_folds=3",
        "validation.bootstrap=50",
        "validation.honesty=false",
    ]
    small += ["validation.sites=false", f"cohort={demo}/cohort.yaml"]
    changes = [part for change in small for part in ("--set", change)]
    try:
        for name in ("familial", "progression"):
            assert (
                train.main(["--config", str(ROOT / f"configs/{name}.yaml"), "--quiet", *changes])
                == 0
            )
        os.chdir(here)
        yield {"MLFLOW_TRACKING_URI": os.environ["MLFLOW_TRACKING_URI"], "folder": str(folder)}
    finally:
        os.chdir(here)
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture(scope="session")
def training(demo: Path):
    """A progression run with every check, not tracked."""
    from als_ml.config import load_config
    from als_ml.training.run import train

    changes = [
        f"cohort={demo}/cohort.yaml",
        "validation.folds=3",
        "validation.repeats=2",
        "validation.inner_folds=3",
        "validation.bootstrap=50",
    ]
    return train(load_config(ROOT / "configs/progression.yaml", changes))
