"""Write the cohort as the files a centre has."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import yaml

from als_ml.simulate import constants as c
from als_ml.simulate.course import Course, Future, draw_items
from als_ml.simulate.genetics import Genome, People, Repeats
from als_ml.simulate.oracle import Best
from als_ml.simulate.panel import Panel
from features.catalogue import shipped
from features.tables.coded import records_of

COHORT = {
    "name": "demo",
    "simulated": True,
    "genome_build": "GRCh38",
    "variants": ["variants.vcf.gz"],
    "repeats": ["repeats.vcf.gz"],
    "patients": "patients.csv",
    "biomarkers": "biomarkers.csv",
    "alsfrs": "alsfrs.csv",
    "reference": {"frequencies": "frequencies.vcf.gz"},
}
README = """Made-up patients, simulated by als-ml. They prove that the machinery works;
they say nothing of medicine. Known variants have their real positions and alleles (GRCh38); the
other alleles and all frequencies are made up.
truth.csv holds the best possible probabilities: never an input.
"""


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write the tables."""
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)


def write_cohort_file(folder: Path, genomes: dict[str, list[str]] | None = None) -> None:
    """Write the cohort file and what it is; `genomes` names other genetic files than one of each
    kind.
    """
    cohort = {**COHORT, **(genomes or {})}
    (folder / "cohort.yaml").write_text(yaml.safe_dump(cohort, sort_keys=False))
    (folder / "README.txt").write_text(README)


def patients_table(
    ids: np.ndarray,
    people: People,
    repeats: Repeats,
    course: Course,
    future: Future,
    treated: dict[str, np.ndarray],
    rng: np.random.Generator,
    first: int = 0,
) -> pd.DataFrame:
    """The patients table of the contract; `treated` has the start day by drug (inf never), families
    are numbered from `first`.
    """
    n = len(ids)
    onset = -np.round(course.months * 30.4375).astype(int)
    diagnosis = np.round(onset * (1 - rng.beta(6, 2, n))).astype(int)
    history, diagnosis_name = _histories(people, rng), _diagnoses(people, rng)
    riluzole = rng.random(n) < c.RILUZOLE
    table = pd.DataFrame(
        {
            "sample_id": ids,
            "family_id": _family_ids(people.family, rng, first),
            "site": people.site,
            "diagnosis": diagnosis_name,
            "sex": np.where(people.female, "female", "male"),
            "ancestry": rng.choice(list(c.ANCESTRY), n, p=list(c.ANCESTRY.values())),
            "age_at_onset": people.age,
            "onset_days": onset,
            "diagnosis_days": diagnosis,
            "onset_site": people.onset_site,
            "el_escorial": rng.choice(list(c.EL_ESCORIAL), n, p=list(c.EL_ESCORIAL.values())),
            "ftd": np.where(people.ftd, "yes", "no"),
            "family_history": history,
            **_laboratory(people, repeats),
            "riluzole": np.where(riluzole, "yes", "no"),
            "riluzole_start_days": np.where(
                riluzole, np.minimum(diagnosis + rng.integers(0, 120, n), 60).astype(float), np.nan
            ),
            "consent_genetic_return": np.where(rng.random(n) < 0.7, "yes", "no"),
        }
    )
    later = {**outcome_days(course, future, rng), **_drugs(course, future, treated)}
    return _whole_days(table.assign(**later))


def _laboratory(people: People, repeats: Repeats) -> dict[str, np.ndarray]:
    """Why C9orf72 was tested in the laboratory, and what was found."""
    tested = repeats.lab != ""
    reason = np.where(
        people.familial, "family_history", np.where(people.age < 45, "young_onset", "all_comers")
    )
    return {
        "genetic_test_reason": np.where(tested, reason, ""),
        "c9orf72_status": np.where(tested, repeats.lab, "not_tested"),
        "c9orf72_method": repeats.lab_method,
    }


def _drugs(course: Course, future: Future, treated: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tofersen and trial drugs that were started while the patient was followed."""
    end = np.minimum.reduce(
        [course.early_event, course.early_lost, future.event_days, future.lost_days]
    )
    columns = {}
    for drug, start in treated.items():
        known = start < end
        columns[drug] = np.where(known, "yes", "no")
        columns[f"{drug}_start_days"] = np.where(known, start, np.nan)
    return columns


def _histories(people: People, rng: np.random.Generator) -> np.ndarray:
    """Family history as it is reported: by degree, wider, unknown or none."""
    n = len(people.familial)
    degree = np.where(rng.random(n) < c.SECOND_DEGREE, "second_degree", "first_degree")
    other = rng.random(n)
    vague = np.where(
        other < c.WIDER_HISTORY,
        "wider",
        np.where(other < c.WIDER_HISTORY + c.UNKNOWN_HISTORY, "unknown", ""),
    )
    return np.where(vague != "", vague, np.where(people.familial, degree, "none"))


def _diagnoses(people: People, rng: np.random.Generator) -> np.ndarray:
    """ALS or ALS-FTD, and a few others who came to the same clinic."""
    mimic = rng.random(len(people.ftd)) < c.OTHER_DIAGNOSIS
    diagnosis = np.where(people.ftd, "als_ftd", "als").astype(object)
    diagnosis[mimic] = rng.choice(["pls", "mimic", "unaffected_relative"], mimic.sum())
    return diagnosis


def outcome_days(course: Course, future: Future, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Day and kind of the event, and last contact of those lost before the landmark or at
    drop-out.
    """
    early = np.minimum(course.early_event, course.early_lost)
    event = np.where(
        np.isfinite(early),
        np.where(course.early_event <= course.early_lost, course.early_event, np.inf),
        future.event_days,
    )
    kind = rng.choice(list(c.EVENT_KINDS), len(event), p=list(c.EVENT_KINDS.values()))
    days = {
        name: np.where((kind == name) & np.isfinite(event), event, np.nan) for name in c.EVENT_KINDS
    }
    lost = np.where(np.isfinite(early), course.early_lost, future.lost_days)
    return days | {
        "last_contact_days": np.where(np.isfinite(lost) & ~np.isfinite(event), lost, np.nan)
    }


def _family_ids(family: np.ndarray, rng: np.random.Generator, first: int) -> np.ndarray:
    """Only families with several sampled patients have a name.

    An empty one is a family of its own.
    """
    several = np.bincount(family)[family] > 1
    number = first + rng.permutation(family.max() + 1)[family]
    return np.where(several, np.array([f"F{i:05d}" for i in number], dtype=object), "")


def _whole_days(table: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in table.columns if name.endswith("_days")]
    return table.astype(dict.fromkeys(names, "Int64"))


def alsfrs_table(
    ids: np.ndarray, people: People, course: Course, future: Future, rng: np.random.Generator
) -> pd.DataFrame:
    """Visits by item, none after an event or after the patient was lost."""
    n = len(ids)
    days = np.column_stack([np.zeros(n), course.early_day, future.days])
    totals = np.column_stack([course.early_totals, future.totals])
    items = draw_items(totals, people.onset_site, rng)
    early = np.minimum(course.early_event, course.early_lost)[:, None]
    kept = (
        np.isfinite(days)
        & np.isfinite(totals)
        & (days < np.minimum(early, future.event_days[:, None]))
    )
    row, visit = np.nonzero(kept)
    table = pd.DataFrame({"sample_id": ids[row], "days": days[row, visit].astype(int)})
    for item in range(12):
        table[f"q{item + 1}"] = items[row, visit, item]
    table["q5_form"] = "a"
    return table


def biomarker_table(
    ids: np.ndarray,
    people: People,
    course: Course,
    future: Future,
    panel: Panel,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Long table with the units and assays of each site.

    Values under a limit are written as `<limit`.
    """
    later = rng.integers(100, 400, len(ids))
    table = pd.concat([*_nfl(ids, people, panel, later), *_other_analytes(ids, people, panel)])
    table = table[table["value"].notna()]
    written = table["value"].map("{:.6g}".format)
    table["value"] = np.where(table["limit"] != "", table["limit"], written)
    early = np.minimum(course.early_event, course.early_lost)
    end = pd.Series(np.minimum(early, future.event_days), index=ids)
    table = table[table["days"] < table["sample_id"].map(end)]
    return (
        table.drop(columns="limit")
        .sort_values(["sample_id", "analyte", "days"])
        .astype({"days": int})
    )


def _nfl(
    ids: np.ndarray, people: People, panel: Panel, later: np.ndarray
) -> Iterator[pd.DataFrame]:
    """NfL at its three times, by the assay of the site; `limit` where it lies under it."""
    ella = np.isin(people.site, c.ELLA_SITES)
    columns = [
        (np.zeros(len(ids)), panel.nfl[:, 0]),
        (panel.nfl_day, panel.nfl[:, 1]),
        (later, panel.later_nfl),
    ]
    assay = np.where(ella, "ella", "simoa")
    for days, values in columns:
        limit = np.where(ella & (values < c.ELLA_LIMIT), f"<{c.ELLA_LIMIT}", "")
        part = _measured(ids, "nfl_serum", "pg/mL", "serum", assay, days, values)
        yield part.assign(limit=limit)


def _other_analytes(ids: np.ndarray, people: People, panel: Panel) -> Iterator[pd.DataFrame]:
    """What was measured once, in the units of the site; `limit` where CRP lies under its own."""
    units = shipped().table("biomarkers").set_index("analyte")["unit"]
    no_assay, day_zero = np.full(len(ids), ""), np.zeros(len(ids))
    for name, values in panel.analytes.items():
        matrix = "serum" if name.endswith("_serum") else "none"
        limit = np.where((name == "crp_serum") & (values < c.CRP_LIMIT), f"<{c.CRP_LIMIT}", "")
        part = _measured(ids, name, units[name], matrix, no_assay, day_zero, values)
        yield _at_site(part, people.site == c.SI_SITE).assign(limit=limit)


def with_further(measured: pd.DataFrame, further: pd.DataFrame) -> pd.DataFrame:
    """The biomarkers table with further rows, in its order; what was there keeps its text."""
    rows = further.assign(value=further["value"].map("{:.6g}".format))
    table = pd.concat([measured, rows]).astype({"days": int})
    return table.sort_values(["sample_id", "analyte", "days"], kind="stable")


def _measured(
    ids: np.ndarray,
    analyte: str,
    unit: str,
    matrix: str,
    assay: np.ndarray,
    days: np.ndarray,
    values: np.ndarray,
) -> pd.DataFrame:
    columns = {
        "sample_id": ids,
        "analyte": analyte,
        "value": values,
        "unit": unit,
        "matrix": matrix,
        "assay": assay,
        "days": days,
    }
    return pd.DataFrame(columns)


def _at_site(part: pd.DataFrame, si: np.ndarray) -> pd.DataFrame:
    """Creatinine in umol/L and uric acid in mg/dL at one site (factors:
    definitions/biomarkers.tsv).
    """
    change = {"creatinine_serum": ("umol/L", 88.4), "uric_acid_serum": ("mg/dL", 1 / 59.48)}.get(
        part["analyte"].iloc[0]
    )
    if change is None:
        return part
    unit, factor = change
    return part.assign(
        unit=np.where(si, unit, part["unit"]),
        value=np.where(si, part["value"] * factor, part["value"]),
    )


def truth_table(
    ids: np.ndarray,
    labels: dict[str, np.ndarray],
    best: dict[str, Best],
    cause: np.ndarray,
    rate: np.ndarray,
) -> pd.DataFrame:
    """Labels, best possible probabilities with their Monte-Carlo error, and the latents.

    `p_survival` is the risk of the event within a year after the landmark, `p_survival_24m` within
    two, where the follow-up is that long; time itself stands in the patients table.
    """
    table = pd.DataFrame({"sample_id": ids})
    for task in ("familial", "progression"):
        table[task] = pd.array(labels[task], dtype="Int64")
        table[f"p_{task}"], table[f"p_{task}_se"], table[f"p_{task}_latent"] = (
            best[task].p,
            best[task].se,
            best[task].latent,
        )
    for name in [name for name in best if name.startswith("survival")]:
        table[f"p_{name}"], table[f"p_{name}_latent"] = best[name].p, best[name].latent
    return table.assign(cause=cause, future_rate=rate).round(6)


def write_variants(
    path: Path, ids: np.ndarray, genome: Genome, people: People, rng: np.random.Generator
) -> None:
    """A bgzipped, indexed multi-sample VCF with GT:DP:GQ:AD."""
    header = _header(
        "Made-up genotypes. REF and ALT of sites without an ID are made up too.",
        genome.sites["chrom"].unique(),
    )
    header += [
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Read depth">',
        '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Genotype quality">',
        '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads per allele">',
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *ids]),
    ]
    diploid, haploid = _cells(["0/0", "0/1", "1/1", "./."], rng), _cells(["0", "1", "1", "."], rng)
    lines = []
    for site, copies in zip(records_of(genome.sites), genome.copies, strict=True):
        pick = rng.integers(0, diploid.shape[1], len(ids))
        calls = diploid[copies, pick]
        if site["chrom"] == "X":
            calls = np.where(people.female, calls, haploid[copies, pick])
        fixed = [
            f"chr{site['chrom']}",
            str(site["pos"]),
            site["rsid"] or ".",
            site["ref"],
            site["alt"],
            "100",
            "PASS",
            ".",
            "GT:DP:GQ:AD",
        ]
        lines.append("\t".join([*fixed, *calls]))
    _write_indexed(path, header + lines)


def _cells(genotypes: list[str], rng: np.random.Generator) -> np.ndarray:
    """(genotype, 16) cells with a depth and allele counts.

    The last genotype is the missing one (index -1).
    """
    cells = []
    for copies, gt in enumerate(genotypes):
        depth = rng.integers(18, 45, 16)
        share = {0: 0.0, 1: 0.5 if "/" in gt else 1.0, 2: 1.0}.get(copies, 0.0)
        alt = np.round(depth * share).astype(int)
        missing = "." in gt
        cells.append(
            [
                f"{gt}:.:.:." if missing else f"{gt}:{d}:99:{d - a},{a}"
                for d, a in zip(depth, alt, strict=True)
            ]
        )
    return np.array(cells, dtype=object)


def write_frequencies(path: Path, genome: Genome) -> None:
    """Made-up population frequencies of every site: 0 where it was looked at and not seen."""
    header = _header(
        "Made-up population frequencies of the simulator.", genome.sites["chrom"].unique()
    )
    header += [
        '##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
    ]
    lines = [
        "\t".join(
            [
                f"chr{s['chrom']}",
                str(s["pos"]),
                s["rsid"] or ".",
                s["ref"],
                s["alt"],
                ".",
                "PASS",
                f"AF={s['frequency']:g}",
            ]
        )
        for s in records_of(genome.sites)
    ]
    _write_indexed(path, header + lines)


def write_repeats(path: Path, ids: np.ndarray, repeats: Repeats) -> None:
    """ExpansionHunter v5 style calls of C9orf72 and ATXN2 for all samples."""
    header = _header(
        "Made-up repeat calls in the style of ExpansionHunter v5.", np.array(["9", "12"])
    )
    header += [f'##INFO=<ID={k},Number=1,Type={t},Description="{d}">' for k, t, d in _EH_INFO]
    header += [f'##FORMAT=<ID={k},Number=1,Type={t},Description="{d}">' for k, t, d in _EH_FORMAT]
    header.append(
        "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *ids])
    )
    c9 = (repeats.c9_short, repeats.c9_long, repeats.c9_low, repeats.c9_high)
    atxn2 = (repeats.atxn2_short, repeats.atxn2_long, repeats.atxn2_long, repeats.atxn2_long)
    lines = [_repeat_line("C9orf72", c9), _repeat_line("ATXN2", atxn2)]
    _write_indexed(path, header + lines)


_EH_INFO = [
    ("END", "Integer", "End"),
    ("REF", "Integer", "Reference copy number"),
    ("RL", "Integer", "Reference length in bp"),
    ("RU", "String", "Repeat unit"),
    ("VARID", "String", "Variant id"),
    ("REPID", "String", "Repeat id"),
    ("SVTYPE", "String", "Type"),
]
_EH_FORMAT = [
    ("GT", "String", "Genotype"),
    ("SO", "String", "Support"),
    ("REPCN", "String", "Repeat units of both alleles"),
    ("REPCI", "String", "Intervals of both alleles"),
    ("ADSP", "String", "Spanning reads"),
    ("ADFL", "String", "Flanking reads"),
    ("ADIR", "String", "In-repeat reads"),
    ("LC", "Float", "Coverage"),
]


def _repeat_line(locus: str, sizes: tuple[np.ndarray, ...]) -> str:
    rule = next(row for row in shipped().rows("repeats") if row["locus"] == locus)
    start, end, unit = int(rule["start_grch38"]), int(rule["end_grch38"]), rule["unit"]
    reference = (end - start) // len(unit)
    alleles = sorted({int(x) for pair in sizes[:2] for x in pair[np.isfinite(pair)]} - {reference})
    index = {size: i + 1 for i, size in enumerate(alleles)} | {reference: 0}
    info = (
        f"END={end};REF={reference};RL={end - start};RU={unit};"
        f"VARID={locus};REPID={locus};SVTYPE=STR"
    )
    cells = [
        _repeat_cell(short, long, low, high, index)
        for short, long, low, high in zip(*sizes, strict=True)
    ]
    alts = ",".join(f"<STR{size}>" for size in alleles) or "."
    return "\t".join(
        [
            f"chr{rule['chrom']}",
            str(start),
            ".",
            "C",
            alts,
            ".",
            "PASS",
            info,
            "GT:SO:REPCN:REPCI:ADSP:ADFL:ADIR:LC",
            *cells,
        ]
    )


def _repeat_cell(short: float, long: float, low: float, high: float, index: dict[int, int]) -> str:
    if np.isnan(long):
        return "./.:.:.:.:.:.:.:."
    way = "INREPEAT" if high > long else "SPANNING"
    if np.isnan(short):
        return f"{index[int(long)]}:{way}:{long:.0f}:{low:.0f}-{high:.0f}:9:4:0:31.5"
    pair = f"{index[int(short)]}/{index[int(long)]}"
    sizes = f"{short:.0f}/{long:.0f}"
    intervals = f"{short:.0f}-{short:.0f}/{low:.0f}-{high:.0f}"
    return f"{pair}:SPANNING/{way}:{sizes}:{intervals}:12/9:4/5:0/2:31.5"


def _header(note: str, chroms: np.ndarray) -> list[str]:
    lengths = shipped().table("contigs").set_index("chrom")["grch38"]
    contigs = [f"##contig=<ID=chr{name},length={lengths[name]}>" for name in chroms]
    return [
        "##fileformat=VCFv4.2",
        f"##als_ml_note={note}",
        '##FILTER=<ID=PASS,Description="All filters passed">',
        *contigs,
    ]


def _write_indexed(path: Path, lines: list[str]) -> None:
    plain = path.with_suffix("")
    plain.write_text("\n".join(lines) + "\n")
    pysam.tabix_compress(str(plain), str(path), force=True)
    plain.unlink()
    pysam.tabix_index(str(path), preset="vcf", force=True)
