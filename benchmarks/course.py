"""How well the course after the landmark is predicted on simulated cohorts, and what dying and
being lost does to it: `python -m benchmarks course [SEEDS] [PATIENTS]`.

Against the true rate, which the simulator knows of everybody. Simulated data: this proves the
machinery, not medicine.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.cohort.source import open_cohort
from als_ml.config import Config, load_config
from als_ml.simulate import simulate
from als_ml.training.course_estimates import course_estimates, unbeaten_courses
from als_ml.training.folds import Validated, cross_validate
from als_ml.training.task_data import Trainable, prepared
from benchmarks.kept import whole_number
from models.course import followed

CONFIG = Path(__file__).resolve().parent.parent / "configs/survival.yaml"
SHOWN = ("slope_rmse", "slope_r2", "slope_coverage", "total_3m_rmse", "total_12m_rmse")
SHOWN += ("total_3m_coverage", "total_12m_coverage", "baseline_last_total_total_12m_rmse")
SHOWN += ("baseline_early_slope_total_12m_rmse", "not beaten")
BIASES = ("all", "measured", "not measured", "fastest fifth", "slowest fifth")


def main(arguments: Sequence[str] = ()) -> None:
    """Measure cohort by cohort and print means over the seeds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks course", description=__doc__)
    parser.add_argument("seeds", nargs="?", type=whole_number, default=5)
    parser.add_argument("patients", nargs="?", type=whole_number, default=800)
    asked = parser.parse_args(arguments)
    found = []
    for seed in range(1, asked.seeds + 1):
        with tempfile.TemporaryDirectory() as folder:
            simulate(Path(folder) / "cohort", asked.patients, seed)
            found.append(measure(Path(folder) / "cohort"))
        print(f"  seed {seed}", file=sys.stderr, flush=True)
    table = pd.DataFrame(found)
    print(f"{asked.patients} patients, {asked.seeds} seeds, out of fold")
    for name in table.columns:
        print(f"  {name}: {table[name].mean():.3f} (SD {table[name].std():.3f})")


def measure(folder: Path) -> dict[str, float]:
    """Figures of one cohort."""
    changes = [f"cohort={folder}/cohort.yaml", "validation.honesty=false"]
    changes.append("validation.bootstrap=200")
    config = load_config(CONFIG, changes)
    data = prepared(config, open_cohort(Path(config.cohort)))
    validated = cross_validate(data, config)
    courses = [fold.course for fold in validated.folds]
    metrics = course_estimates(data, courses, config)
    metrics["not beaten"] = float(len(unbeaten_courses(metrics)))
    return {name: metrics[name] for name in SHOWN} | _bias(data, validated, config, folder)


def _bias(data: Trainable, validated: Validated, config: Config, folder: Path) -> dict[str, float]:
    """Predicted minus true rate, points a month, of groups of patients."""
    truth = pd.read_csv(folder / "truth.csv").set_index("sample_id")["future_rate"]
    rate = truth.reindex(data.rows.index).to_numpy()
    slope = np.full(len(rate), np.nan)
    for fold in validated.folds:
        if fold.course is not None:
            slope[fold.course.test] = fold.course.slope[:, 0]
    measured = followed(data.cohort, config.landmark_days).measured
    fifths = np.array_split(np.argsort(slope), 5)
    place = np.arange(len(rate))
    groups = (
        np.ones(len(rate), dtype=bool),
        measured,
        ~measured,
        np.isin(place, fifths[-1]),
        np.isin(place, fifths[0]),
    )
    return {
        f"bias of the rate, {name}": float((slope - rate)[group].mean())
        for name, group in zip(BIASES, groups, strict=True)
    }
