"""The real tables that the benchmarks measure on, where they are.

A table is kept as its cells, as text: the raw columns that the rivals get and the cohort files that
ours reads are both made of the same cells, so what is removed or restricted holds for both sides.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parent / "configs"
ITEMS = (*(f"q{i}" for i in range(1, 10)), "q10_alsfrs")
PATIENT_CELLS = ("sex", "age_at_onset", "onset_days", "onset_site", "fvc_litres")
# A month is 30.4375 days; dFS is undefined under one month and is drawn up by this much before its
# logarithm.
MONTH, LEAST_RATE = 30.4375, 0.1
# Efron and Hastie's classes: fast below this many points a month, known with this error.
CASI_FAST, CASI_ERROR = -0.5, 0.3
HALVES = ("even", "odd")
LOCAL_AGE = 65.0

Frames = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class PublicTable:
    """A real table and the question that is asked of it.

    `frames` are its files by name, every cell as text. `outcome` is the column of the outcome.
    `raw` makes the columns (n, p) of any analyst. `label` makes the 0/1 label and what ours learns
    of it. `cells` are the columns of each file that hold inputs. `config` and `changes` are our run
    of the cohort file that `written` makes.
    """

    name: str
    id_column: str
    outcome: str
    frames: Frames
    raw: Callable[[Frames], pd.DataFrame]
    label: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    cells: dict[str, tuple[str, ...]]
    config: Path
    changes: tuple[str, ...] = ()

    @property
    def ids(self) -> np.ndarray:
        """Of the patients (n,), as text."""
        return self.frames["patients"][self.id_column].to_numpy(dtype=str)

    def columns(self) -> pd.DataFrame:
        """The raw columns (n, p) as numbers, NaN unknown, by patient."""
        return self.raw(self.frames).set_axis(self.ids)

    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """The 0/1 label (n,), and the probability that ours learns of it."""
        return self.label(pd.to_numeric(self.frames["patients"][self.outcome]).to_numpy())

    def kept(self, patients: np.ndarray) -> "PublicTable":
        """The table of some patients: a bool (n,)."""
        ids = set(self.ids[patients])
        frames = {
            name: frame[frame[self.id_column].isin(ids)] for name, frame in self.frames.items()
        }
        return replace(self, frames=frames)

    def half(self, which: str) -> "PublicTable":
        """The patients whose SHA-256 of the id is even or odd."""
        own = np.array([_parity(name) == HALVES.index(which) for name in self.ids])
        return self.kept(own)

    def with_gaps(self, share: float, seed: int) -> "PublicTable":
        """The same patients with a share of their input cells removed at random."""
        rng = np.random.default_rng(seed)
        frames = dict(self.frames)
        for file, columns in self.cells.items():
            frame = frames[file].copy()
            for column in columns:
                gone = rng.random(len(frame)) < share
                frame[column] = frame[column].mask(gone, "")
            if "analyte" in frame:
                frame = frame[frame["value"] != ""]
            frames[file] = frame
        return replace(self, frames=frames)

    def on_revised_scale(self) -> "PublicTable":
        """The same visits as they stand on the ALSFRS-R: q1-q9, the breathing items not known."""
        visits = self.frames["alsfrs"].drop(columns="q10_alsfrs").assign(scale="alsfrs_r")
        return replace(self, frames={**self.frames, "alsfrs": visits})

    def written(self, folder: Path) -> Path:
        """Write cohort files of ours and name the cohort file."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"name: {self.name.split()[0]}"]
        for name, frame in self.frames.items():
            frame.to_csv(folder / f"{name}.csv", index=False)
            lines.append(f"{name}: {name}.csv")
        if self.id_column != "sample_id":
            lines.append(f"columns: {{sample_id: {self.id_column}}}")
        cohort = folder / "cohort.yaml"
        cohort.write_text("\n".join(lines) + "\n")
        return cohort


def _parity(name: str) -> int:
    return hashlib.sha256(name.encode()).digest()[-1] % 2


def reference_data() -> Path:
    """The folder of the public data."""
    return Path(os.environ.get("ALS_ML_REFERENCE_DATA", HERE.parent.parent / "shared" / "data"))


def present(names: tuple[str, ...]) -> list[PublicTable]:
    """The tables that are there, of those named or of all."""
    makers: dict[str, Callable[[], list[PublicTable]]] = {
        "casi": lambda: [casi()],
        "alsml": lambda: [alsml("loss_12m", 0.95), alsml("died_12m", 0.5)],
    }
    found = [name for name in names or makers if (reference_data() / name).is_dir()]
    return [table for name in found for table in makers[name]()]


def casi() -> PublicTable:
    """Efron and Hastie's ALS table: fast = dFRS < -0.5 points a month; its slopes have an error."""
    patients = _text(reference_data() / "casi" / "als_train.csv")
    inputs = tuple(name for name in patients if name not in ("patient_id", "dFRS"))
    return PublicTable(
        name="casi",
        id_column="patient_id",
        outcome="dFRS",
        frames={"patients": patients},
        raw=lambda frames: _numbers(frames["patients"][list(inputs)]),
        label=lambda rate: (
            (rate < CASI_FAST).astype(float),
            norm.cdf((CASI_FAST - rate) / CASI_ERROR),
        ),
        cells={"patients": inputs},
        config=HERE / "casi.yaml",
    )


def alsml(outcome: str, above: float) -> PublicTable:
    """3,782 trial patients at one visit, and an outcome over 12 months."""
    folder = reference_data() / "alsml"
    return PublicTable(
        name=f"alsml {outcome}",
        id_column="sample_id",
        outcome=outcome,
        frames={
            name: _text(folder / f"{name}.csv") for name in ("patients", "alsfrs", "biomarkers")
        },
        raw=raw_columns,
        label=lambda value: ((value > above).astype(float), (value > above).astype(float)),
        cells={"patients": PATIENT_CELLS, "alsfrs": ITEMS, "biomarkers": ("value",)},
        config=CONFIGS / "baseline-visit.yaml",
        changes=(f"label.column={outcome}", f"label.above={above}"),
    )


def raw_columns(frames: Frames) -> pd.DataFrame:
    """What any analyst takes from the tables.

    Items, total, dFS, months, FVC, weight, height, age, sex, site of onset.
    """
    patients = frames["patients"].set_index("sample_id")
    visits = frames["alsfrs"].drop_duplicates("sample_id").set_index("sample_id")
    items = _numbers(visits.reindex(index=patients.index, columns=list(ITEMS)))
    measured = frames["biomarkers"].assign(value=pd.to_numeric(frames["biomarkers"]["value"]))
    wide = measured.pivot_table(index="sample_id", columns="analyte", values="value")
    wide = wide.reindex(index=patients.index, columns=["weight", "height"])
    own = _numbers(patients[["onset_days", "fvc_litres", "age_at_onset"]])
    months = (-own["onset_days"] / MONTH).clip(lower=1)
    total = items.sum(axis=1, skipna=False)
    return items.assign(
        total=total,
        log_months=np.log(months),
        log_delta_fs=np.log((40 - total) / months + LEAST_RATE),
        fvc_litres=own["fvc_litres"],
        weight=wide["weight"],
        height=wide["height"],
        age=own["age_at_onset"],
        male=_is(patients["sex"], "male"),
        bulbar=_is(patients["onset_site"], "bulbar"),
    )


def older(table: PublicTable) -> np.ndarray:
    """The patients (n,) who stand for a population that training does not see: onset from 65."""
    age = pd.to_numeric(table.frames["patients"]["age_at_onset"], errors="coerce")
    return (age >= LOCAL_AGE).to_numpy()


def _text(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(pd.to_numeric)


def _is(column: pd.Series, value: str) -> pd.Series:
    return (column == value).astype(float).where(column != "")
