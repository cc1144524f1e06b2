"""A cohort in which much is wrong, so that the page of messages shows some as they are read."""

import tempfile
from functools import cache
from pathlib import Path

from als_ml.cohort.check import check_cohort
from als_ml.cohort.source import open_cohort
from features.tables.problems import ProblemRow

FILES = {
    "cohort.yaml": """
name: bad
patients: patients.csv
biomarkers: biomarkers.csv
alsfrs: alsfrs.csv
columns: {onset_site: Region}
""",
    "patients.csv": """
Patient ID,sex,age_at_onset,index_date,onset_days,diagnosis_days,death_days,geschlecht,zip
P1,female,58,2024-03-01,2022,-60,300,w,1
P2,m/w,61,2024-05-14,06/2023,-30,,m,2
P3,male,abc,2024-06-03,03/04/2023,-30,,m,3
P4,male,140,2024-06-03,-30,-90,,m,4
P5,male,66,2024-06-03,-300,soon,,m,5
P5,male,66,2024-06-03,-300,-30,,m,5
,male,66,2024-06-03,-300,-30,,m,6
""",
    "biomarkers.csv": """
sample_id,analyte,value,unit,matrix,assay,tube,days
P1,nfl,96,pg/mL,serum,simoa,,0
P1,nfl,96,pg/mL,plasma,simoa,edta,0
P2,nfl,80,pg/mL,plasma,ella,heparin,0
P2,nfl,9000,pg/mL,serum,simoa,,0
P3,creatinine,0.9,,serum,,,0
P3,creatinine,ND,mg/dL,serum,,,0
P3,nosuch,1,pg/mL,serum,,,0
P3,crp,"1,234",mg/L,serum,,,0
P9,nfl,96,pg/mL,serum,simoa,,0
""",
    "alsfrs.csv": """
sample_id,days,q1,q2,q3,q4,q5,q6,q7,q8,q9,q10,q11,q12,total
P1,0,3,3,3,3,3,3,4,4,3,4,4,4,40
P1,400,3,3,3,3,3,3,4,4,3,4,4,4,41
P2,0,5,3,3,3,3,3,4,4,3,4,4,4,
P2,30,3,3,3,3,3,3,4,4,3,4,4,4,41
P2,30,2,3,3,3,3,3,4,4,3,4,4,4,40
""",
}


@cache
def examples() -> dict[str, ProblemRow]:
    """Code -> the first problem that `check` tells of this cohort, as `--json` has it."""
    found: dict[str, ProblemRow] = {}
    with tempfile.TemporaryDirectory(prefix="als-ml-bad-") as name:
        folder = Path(name)
        for file, text in FILES.items():
            (folder / file).write_text(text.lstrip("\n"), encoding="utf-8")
        for problem in check_cohort(open_cohort(folder / "cohort.yaml"))["problems"]:
            found.setdefault(problem["code"], problem)
    return found
