"""Made-up patients: the input example of every model, and a cohort of two."""

import tempfile
from pathlib import Path

from features.stored import Json

EXAMPLE: Json = {
    "sample_id": "made-up-1",
    "genome_build": "GRCh38",
    "sex": "female",
    "age_at_onset": 58,
    "onset_days": -420,
    "diagnosis_days": -60,
    "onset_site": "bulbar",
    "el_escorial": "probable",
    "ftd": "no",
    "biomarkers": [
        {"analyte": "nfl_serum", "value": 96.0, "unit": "pg/mL", "assay": "simoa", "days": 0},
        {"analyte": "creatinine_serum", "value": 55, "unit": "umol/L", "days": 0},
        {"analyte": "fvc_pct", "value": 78, "unit": "%", "days": 0},
    ],
    "variants": ["21-31659783-C-T 0/1"],
    "repeats": {
        "C9orf72": {"alleles": [2, 8], "ci": [8, 8], "method": "short_read", "status": "PASS"}
    },
    "assayed": {"SOD1": "full", "TARDBP": "full", "FUS": "full"},
    "alsfrs": [
        {
            "days": 0,
            "q1": 3,
            "q2": 3,
            "q3": 3,
            "q4": 3,
            "q5": 3,
            "q6": 3,
            "q7": 4,
            "q8": 4,
            "q9": 3,
            "q10": 4,
            "q11": 4,
            "q12": 4,
        },
        {
            "days": 84,
            "q1": 2,
            "q2": 3,
            "q3": 2,
            "q4": 3,
            "q5": 3,
            "q6": 2,
            "q7": 3,
            "q8": 4,
            "q9": 3,
            "q10": 4,
            "q11": 4,
            "q12": 4,
        },
    ],
}

_PATIENTS = """sample_id,sex,age_at_onset,family_history
P1,female,58,first_degree
P2,male,64,none
"""


def example_cohort(folder: Path | None = None) -> Path:
    """Write a cohort of two made-up patients, to try a function on.

    Parameters
    ----------
    folder : Path, optional
        That exists; by default a new temporary one.

    Returns
    -------
    Path
        Its cohort file.
    """
    place = folder or Path(tempfile.mkdtemp(prefix="als-ml-example-"))
    (place / "patients.csv").write_text(_PATIENTS, encoding="utf-8")
    (place / "cohort.yaml").write_text("patients: patients.csv\n", encoding="utf-8")
    return place / "cohort.yaml"
