"""The real tables that the benchmarks measure on, where they are: as a plain matrix, and as cohort
files of ours.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parent / "configs"
ITEMS = (*(f"q{i}" for i in range(1, 10)), "q10_alsfrs")
# A month is 30.4375 days; dFS is undefined under one month and is drawn up by this much before its
# logarithm.
MONTH, LEAST_RATE = 30.4375, 0.1


@dataclass(frozen=True)
class PublicTable:
    """`X` (n, p) are the raw columns, `y` the label, `likely` what ours learns of it; `config` and
    `changes` are our run.
    """

    name: str
    ids: np.ndarray
    columns: tuple[str, ...]
    X: np.ndarray
    y: np.ndarray
    likely: np.ndarray
    config: Path
    changes: tuple[str, ...]


def reference_data() -> Path:
    return Path(os.environ.get("ALS_ML_REFERENCE_DATA", HERE.parent.parent / "shared" / "data"))


def present(names: tuple[str, ...], folder: Path) -> list[PublicTable]:
    """The tables that are there; `folder` takes cohort files that we write."""
    makers = {
        "casi": lambda: [casi(folder)],
        "alsml": lambda: [alsml("loss_12m", 0.95), alsml("died_12m", 0.5)],
    }
    found = [name for name in names or makers if (reference_data() / name).is_dir()]
    return [table for name in found for table in makers[name]()]


def casi(folder: Path) -> PublicTable:
    """Efron and Hastie's ALS table: fast = dFRS < -0.5 points a month.

    Its slopes have an error of 0.3.
    """
    text = (reference_data() / "casi" / "als_train.csv").read_text()
    (folder / "als_train.csv").write_text(text)
    cohort = folder / "cohort.yaml"
    cohort.write_text("name: casi\npatients: als_train.csv\ncolumns: {sample_id: patient_id}\n")
    table = pd.read_csv(folder / "als_train.csv")
    features = table.drop(columns=["patient_id", "dFRS"])
    return PublicTable(
        name="casi",
        ids=table["patient_id"].to_numpy(dtype=str),
        columns=tuple(features.columns),
        X=features.to_numpy(np.float32),
        y=(table["dFRS"] < -0.5).to_numpy(float),
        likely=norm.cdf((-0.5 - table["dFRS"].to_numpy()) / 0.3),
        config=HERE / "casi.yaml",
        changes=(f"cohort={cohort}",),
    )


def alsml(outcome: str, above: float) -> PublicTable:
    """3,782 trial patients at one visit: their raw columns, and an outcome over 12 months."""
    folder = reference_data().resolve() / "alsml"
    patients = pd.read_csv(folder / "patients.csv").set_index("sample_id")
    features = raw_columns(patients, folder)
    y = (patients[outcome] > above).to_numpy(float)
    return PublicTable(
        name=f"alsml {outcome}",
        ids=patients.index.to_numpy(dtype=str),
        columns=tuple(features.columns),
        X=features.to_numpy(np.float32),
        y=y,
        likely=y,
        config=CONFIGS / "baseline-visit.yaml",
        changes=(f"cohort={folder}/cohort.yaml", f"label.column={outcome}", f"label.above={above}"),
    )


def raw_columns(patients: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """What any analyst takes from the tables: items, total, dFS, months, FVC, weight, height, age,
    sex, site of onset.
    """
    visits = pd.read_csv(folder / "alsfrs.csv").drop_duplicates("sample_id").set_index("sample_id")
    measured = pd.read_csv(folder / "biomarkers.csv")
    wide = measured.pivot_table(index="sample_id", columns="analyte", values="value")
    items = visits.reindex(patients.index)[list(ITEMS)]
    wide = wide.reindex(patients.index)
    months = (-patients["onset_days"] / MONTH).clip(lower=1)
    total = items.sum(axis=1, skipna=False)
    return items.assign(
        total=total,
        log_months=np.log(months),
        log_delta_fs=np.log((40 - total) / months + LEAST_RATE),
        fvc_litres=patients["fvc_litres"],
        weight=wide["weight"],
        height=wide["height"],
        age=patients["age_at_onset"],
        male=(patients["sex"] == "male").astype(float),
        bulbar=(patients["onset_site"] == "bulbar").astype(float),
    )
