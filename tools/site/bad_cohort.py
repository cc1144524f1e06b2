"""Made-up cohorts, configurations and commands in which much is wrong, so that the page of messages
shows messages as they are read.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

from als_ml.__main__ import COMMANDS as ALL
from als_ml.__main__ import make_parser
from als_ml.cluster import on_cluster
from als_ml.cohort.check import check_cohort
from als_ml.cohort.source import open_cohort
from als_ml.config import load_config
from features.errors import UserError
from features.tables.problems import ProblemRow

ROOT = Path(__file__).resolve().parents[2]
TABLES = {
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


# Two patients, and what their genomes are said to be.
_TWO = """
sample_id,diagnosis,onset_days
P1,als,-300
P2,als,-200
"""
_GENOMES = """
name: genomes
patients: patients.csv
variants: calls.vcf
genome_build: GRCh38
"""
_VCF = """
##fileformat=VCFv4.2
##contig=<ID=chr21,length=46709983>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1\tP2
chr21\t31663829\t.\tA\tG\t.\tPASS\t.\tGT\t0/1\t0/1
"""


def _of_two(key: str) -> dict[str, str]:
    return {"cohort.yaml": f"name: two\npatients: patients.csv\n{key}\n", "patients.csv": _TWO}


def _genomes(calls: str, key: str = "") -> dict[str, str]:
    return {"cohort.yaml": f"{_GENOMES}{key}\n", "patients.csv": _TWO, "calls.vcf": calls}


_AGES = "sample_id,age_at_onset\nP1,58\nP2,five\n"
_BARE = _VCF.replace("\tFORMAT\tP1\tP2", "").replace("\tGT\t0/1\t0/1", "")
COHORTS: tuple[dict[str, str], ...] = (
    TABLES,
    {},
    {"cohort.yaml": "name: [two"},
    {"cohort.yaml": "# nothing yet"},
    _of_two("patient: p.csv"),
    _of_two("on_error: ignore"),
    _of_two("format: 99"),
    _of_two("genome_build: hg17"),
    {"cohort.yaml": "name: two\npatients: ../others.csv\n"},
    {**_of_two(""), "patients.csv": "sample_id,sex,sex\nP1,male,female\n"},
    {**_of_two(""), "patients.csv": "sample_id,death_days\nP1,next spring\n"},
    {**_of_two(""), "patients.csv": "sample_id,alter_bei_beginn\nP1,58\n"},
    {**_of_two("on_error: drop_value"), "patients.csv": _AGES},
    {**_of_two("definitions: own"), "own/genes.tsv": "gene\tcolour\nSOD1\tred\n"},
    _genomes(_VCF),
    _genomes(_BARE),
    _genomes(_VCF.replace("P1", "ALS-1").replace("P2", "ALS-2")),
    _genomes(_VCF.replace("\t31663829", "\t5031663")),
    _genomes(_VCF.replace("GRCh38", "GRCh37"), "reference: {}"),
)
CHANGES = ("model.estimater=elastic_net", "model.estimator=forest", "landmark_days=soon")
# Commands beside a cohort of two patients.
COMMANDS = (
    "check --cohort cohort.yaml --set landmark_days=30",
    "check --cohort cohort.yaml --config run.yaml --set features.columns=[sex,shoe_size]",
    "check --cohort cohort.yaml --cluster cloud",
    "features --cohort cohort.yaml --output features.txt",
    "features --cohort cohort.yaml --output features.csv --values mood",
    "extract --cohort cohort.yaml --extracts kept --part 0/3",
    "simulate --output cohort.yaml",
    "import-omop nowhere --output made",
    "import-proact nowhere --output made",
    "import-phenopackets packets --output made",
    "references --only frequencies --genome-build GRCh38",
    "references --only frequencies --output refs --into-package",
    "trial --cohort cohort.yaml --model models:/m/1 --output plan --effect 0",
)


def _beside() -> dict[str, str]:
    run = (ROOT / "configs/quick.yaml").read_text(encoding="utf-8")
    return {**_of_two(""), "run.yaml": run, "packets/p1.json": '{"id": "P1", '}


@cache
def examples() -> dict[str, list[ProblemRow]]:
    """Code -> the problems that are told of these, as `--json` has them, each text once."""
    found: dict[str, dict[str, ProblemRow]] = {}
    for problem in (*_of_cohorts(), *_of_configurations(), *_of_commands()):
        found.setdefault(problem["code"], {}).setdefault(problem["found"], problem)
    return {code: list(problems.values()) for code, problems in found.items()}


def _of_cohorts() -> Iterator[ProblemRow]:
    for files in COHORTS:
        with _in_folder(files):
            try:
                yield from check_cohort(open_cohort(Path("cohort.yaml")))["problems"]
            except UserError as error:
                yield _told(error)


def _of_configurations() -> Iterator[ProblemRow]:
    with _in_folder(_beside()):
        for change in CHANGES:
            try:
                load_config(Path("run.yaml"), [change])
            except UserError as error:
                yield _told(error)


def _of_commands() -> Iterator[ProblemRow]:
    with _in_folder(_beside()), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for words in COMMANDS:
            arguments = make_parser().parse_args([*words.split(), "--quiet"])
            try:
                with on_cluster(getattr(arguments, "cluster", None)):
                    ALL[arguments.command].run(arguments)
            except UserError as error:
                yield _told(error)


@contextmanager
def _in_folder(files: dict[str, str]) -> Iterator[None]:
    """Work in a folder of these files, so that a message names them and no other place."""
    with tempfile.TemporaryDirectory(prefix="als-ml-bad-") as name, chdir(name):
        for file, text in files.items():
            Path(file).parent.mkdir(exist_ok=True)
            Path(file).write_text(text.lstrip("\n"), encoding="utf-8")
        yield


def _told(error: UserError) -> ProblemRow:
    return {
        "code": error.code,
        "severity": "error",
        "where": error.where,
        "found": error.found,
        "remedy": error.remedy,
        "count": 1,
    }
