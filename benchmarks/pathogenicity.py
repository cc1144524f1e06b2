"""ROC AUC of `pathogenicity` on public ClinVar records (2020) with gnomAD r2.1, ClinVar's own word
and its table left out.

P/LP against B/LB, SNVs with at least a consequence, GRCh37. "ClinVar off" (contract): no PP5/BP6,
PS1, PM5, PM1 from known variants, no known-variant table, and the tested variant left out of every
lookup. Consequences come from ClinVar's HGVS names, as an annotator would give them. Beside it:
allele frequency alone, and consequence alone. Offline there are no predictor scores, so missense
variants rest on depletion in gnomAD, substitution (BLOSUM62) and frequency; that a present score is
used is shown with made-up ones.
"""

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.public_tables import reference_data
from features.catalogue import gene_names, shipped, variant_key
from features.variants.annotation import (
    Effect,
    consequence_kinds,
    consequence_term,
    hgvs_protein,
    protein_change,
)
from features.variants.evidence import Assessment, Sources, assess
from features.variants.gene_models import transcripts
from features.variants.lookups import NO_LOOKUPS, Lookups, population_lookups
from features.variants.null_variants import validity
from features.variants.variant import Variant, describe

BUILD, DRAWS = "GRCh37", 2000
STEPS_FULL = ("definitive", "strong")
INPUTS = (
    ("bare VCF", False, False),
    ("bare VCF and gnomAD", False, True),
    ("CSQ", True, False),
    ("CSQ and gnomAD", True, True),
)


def records() -> pd.DataFrame:
    """SNVs of panel genes with a clear ClinVar class: `key`, `gene`, `effect`, `pathogenic`."""
    table = pd.read_csv(
        reference_data() / "clinvar" / "clinvar_als_2020.tsv",
        sep="\t",
        dtype=str,
        keep_default_na=False,
    )
    word = table["clnsig"].str.lower()
    clear = word.str.contains("pathogenic|benign") & ~word.str.contains("conflict|uncertain")
    single = (table["ref"] != "") & ~table["name"].str.contains("[", regex=False)
    table = table[clear & single & table["gene"].isin(gene_names(shipped()))]
    contig = table["chrom"].str.split("|").str[0]
    alleles = [
        alleles_by_name(*row)
        for row in zip(table["name"], table["gene"], table["ref"], table["alt"], strict=True)
    ]
    sites = zip(contig, table["pos37"].astype(int), *zip(*alleles, strict=True), strict=True)
    made = table.assign(
        key=[variant_key(*site) for site in sites],
        pathogenic=word[table.index].str.contains("pathogenic"),
    )
    named = zip(made["name"], made["protein_change"], made["gene"], strict=True)
    effects = [
        (effect_of_name(name) or effect_of_name(f"(p.{short.split(',')[0]})"))
        if _is_of(name, gene)
        else None
        for name, short, gene in named
    ]
    return made.assign(effect=effects).drop_duplicates("key")


def _is_of(name: str, gene: str) -> bool:
    """Whether a name speaks of this gene: some records lie beside it, in MASP2 or FANCG."""
    told = re.match(r"N[A-Z]_[\d.]+\(([^)]+)\)", name)
    return told is None or told[1] == gene


def alleles_by_name(name: str, gene: str, ref: str, alt: str) -> tuple[str, str]:
    """Alleles on the forward strand: the table has SOD1, NEFH, PFN1 and TUBA4A on the wrong one, as
    its own names show.
    """
    change, model = (
        re.search(r":c\.[-*+\d]+([ACGT])>([ACGT])", name),
        transcripts(shipped(), BUILD).get(gene),
    )
    if change is None or model is None:
        return ref, alt
    told = change[1] + change[2]
    told = told if model.strand == "+" else told.translate(str.maketrans("ACGT", "TGCA"))
    return told[0], told[1]


def effect_of_name(name: str) -> Effect | None:
    """Consequence that a ClinVar name such as `NM_000454.5(SOD1):c.14C>T (p.Ala5Val)` states."""
    protein = re.search(r"\((p\.[^)]*)\)", name)
    change = protein_change(protein[1]) if protein else None
    if change is not None:
        term = (
            "synonymous"
            if change[0] == change[2]
            else "stop_gained"
            if change[2] == "*"
            else "missense"
        )
        term = "start_lost" if change[:2] == ("M", 1) else term
        return Effect(
            consequence_term(shipped(), term), hgvs_p=hgvs_protein(*change), origin="ClinVar name"
        )
    if protein and "fs" in protein[1]:
        return Effect("frameshift_variant", hgvs_p=protein[1], origin="ClinVar name")
    return None


@cache
def gnomad_table() -> pd.DataFrame:
    """gnomAD r2.1 as text."""
    path = reference_data() / "gnomad" / "gnomad_r2.1_als_genes.GRCh37.tsv.gz"
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


@cache
def gnomad_lookups() -> Lookups:
    """What a frequency file of gnomAD r2.1 says: AF, and by AN what it is at least."""
    table = gnomad_table()
    sites = zip(
        table["Chromosome"],
        table["Position"].astype(int),
        table["Reference"],
        table["Alternate"],
        strict=True,
    )
    keys = [variant_key(*site) for site in sites]
    known = dict(zip(keys, table["AF"].replace("", "0").astype(float), strict=True))
    alleles = dict(zip(keys, table["AN"].astype(float), strict=True))
    return population_lookups(known, {"AN": alleles}, clinvar=None)


def described(
    table: pd.DataFrame, annotated: bool = True, frequencies: bool = True
) -> list[Variant]:
    """Variants with or without a consequence by ClinVar's name, and with or without gnomAD."""
    lookups = gnomad_lookups() if frequencies else NO_LOOKUPS
    return [
        describe(shipped(), key, gene, effect if annotated else None, BUILD, lookups)
        for key, gene, effect in zip(table["key"], table["gene"], table["effect"], strict=True)
    ]


def assessed(variants: list[Variant]) -> list[Assessment]:
    """Each variant weighed with ClinVar off."""
    off = Sources(shipped(), BUILD, known=False)
    return [assess(variant, off) for variant in variants]


def scores(variants: list[Variant]) -> pd.DataFrame:
    """Pathogenicity with ClinVar off, and the two baselines."""
    rank = {t: i for i, t in enumerate(shipped().table("consequences")["term"])}
    return pd.DataFrame({
        "pathogenicity": [found.pathogenicity for found in assessed(variants)],
        "frequency alone": [-float(v.frequency or 0.0) for v in variants],
        "consequence alone": [-rank.get(v.consequence, 99) for v in variants],
    })  # fmt: skip


def print_classes(table: pd.DataFrame) -> None:
    """What the best order of the classes and of missense would give, without any frequency."""
    truth = table["pathogenic"].to_numpy()
    kinds = np.array([v.kind for v in described(table, frequencies=False)])
    missense, rate = kinds == "missense", pd.Series(truth).groupby(kinds).transform("mean")
    pairs = (missense & truth).sum() * (missense & ~truth).sum() / truth.sum() / (~truth).sum()
    best = roc_auc_score(truth, rate)
    print(f"classes in their best order: AUC {best:.3f}; missense pairs are {pairs:.3f} of all")
    for wanted in (0.97, 0.98):
        print(f"  for {wanted} missense must reach {0.5 + (wanted - best) / pairs:.3f}")


def print_inputs(table: pd.DataFrame) -> None:
    """What each kind of input gives for the starred records: AUC, classes, exceptions by name."""
    truth = table["pathogenic"].to_numpy()
    kinds = np.array([v.kind for v in described(table, frequencies=False)])
    valid = np.array([validity(shipped()).get((g, "loss")) in STEPS_FULL for g in table["gene"]])
    for title, annotated, frequencies in INPUTS:
        found = assessed(described(table, annotated, frequencies))
        score = np.array([a.pathogenicity for a in found])
        likely = np.array([a.classification in ("P", "LP") for a in found])
        benign = np.array([a.classification in ("B", "LB") for a in found])
        missense, utr = kinds == "missense", np.isin(kinds, ("utr", "other"))
        print(f"{title}: AUC {interval(truth, score)}, missense", end=" ")
        print(interval(truth[missense], score[missense]))
        beyond = _share(benign, ~truth & utr)
        print(f"  B/LB of benign {_share(benign, ~truth & ~utr)}; in and beyond UTRs {beyond}")
        null = truth & (kinds == "null")
        print(f"  P/LP of null P where loss is strong or definitive {_share(likely, null & valid)}")
        for wrong, words in ((benign & truth, "P called B/LB"), (likely & ~truth, "B called P/LP")):
            for i in np.flatnonzero(wrong):
                print(f"  {words}: {table['name'].iloc[i]}: {found[i].text}")


def _share(hit: np.ndarray, among: np.ndarray) -> str:
    n = int(among.sum())
    return f"{int(hit[among].sum())} of {n} ({hit[among].mean() if n else np.nan:.2f})"


def interval(truth: np.ndarray, score: np.ndarray) -> str:
    """ROC AUC with its bootstrap interval over variants."""
    rng, found = np.random.default_rng(1), []
    for _ in range(DRAWS):
        drawn = np.concatenate(
            [rng.choice(np.flatnonzero(truth == c), (truth == c).sum()) for c in (False, True)]
        )
        found.append(roc_auc_score(truth[drawn], score[drawn]))
    low, high = np.quantile(found, [0.025, 0.975])
    return f"{roc_auc_score(truth, score):.3f} ({low:.3f}-{high:.3f})"


def with_made_up_scores(variants: list[Variant], truth: np.ndarray) -> list[Variant]:
    """The same variants with a REVEL-like score that knows the truth a little: it shows use, not
    performance.
    """
    rng = np.random.default_rng(1)
    made_up = np.clip(rng.normal(0.4 + 0.3 * truth, 0.2), 0, 1)
    return [
        Variant(**{**v.__dict__, "scores": {"revel": float(s)}})
        for v, s in zip(variants, made_up, strict=True)
    ]


def main(_arguments: Sequence[str] = ()) -> None:
    """Print the AUCs: pooled, missense only, per gene."""
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    table = records()
    starred = table[~table["revstat"].str.startswith("no assertion")]
    n = int(starred["pathogenic"].sum())
    print(f"starred: {n} P/LP, {len(starred) - n} B/LB")
    print_classes(starred)
    print_inputs(starred)
    variants, truth = described(table), table["pathogenic"].to_numpy()
    found = scores(variants)
    missense = np.array([v.kind for v in variants]) == "missense"
    _print_groups(truth, found, missense)
    _print_made_up(variants, truth, missense)
    for gene, rows in pd.Series(np.arange(len(table))).groupby(table["gene"].to_numpy()):
        _print_gene(str(gene), rows.to_numpy(), truth, found["pathogenicity"].to_numpy(), missense)
    unknown = sum(
        1 for v in variants if consequence_kinds(shipped()).get(v.consequence) in (None, "coding")
    )
    print(f"{unknown} of {len(variants)} variants without a consequence")


def _print_groups(truth: np.ndarray, found: pd.DataFrame, missense: np.ndarray) -> None:
    for title, chosen in (
        ("all", np.ones(len(truth), dtype=bool)),
        ("missense only", missense),
        ("all but missense", ~missense),
    ):
        print(f"{title}: {truth[chosen].sum()} P/LP, {(~truth[chosen]).sum()} B/LB")
        for name in found:
            print(f"  {name:20s} {interval(truth[chosen], found[name].to_numpy()[chosen])}")


def _print_made_up(variants: list[Variant], truth: np.ndarray, missense: np.ndarray) -> None:
    chosen = [v for v, m in zip(variants, missense, strict=True) if m]
    made_up = scores(with_made_up_scores(chosen, truth[missense]))
    print(
        "missense with made-up scores"
        f" {interval(truth[missense], made_up['pathogenicity'].to_numpy())}"
    )


def _print_gene(
    gene: str, rows: np.ndarray, truth: np.ndarray, score: np.ndarray, missense: np.ndarray
) -> None:
    """One gene, where it has variants of both kinds."""
    own, only = truth[rows], rows[missense[rows]]
    if own.all() or not own.any():
        return
    of_missense = (
        "-" if len(set(truth[only])) < 2 else f"{roc_auc_score(truth[only], score[only]):.3f}"
    )
    auc, pathogenic = roc_auc_score(own, score[rows]), int(own.sum())
    counts = f"({pathogenic} P/LP, {len(own) - pathogenic} B/LB)"
    print(f"  {gene:10s} {auc:.3f}  missense {of_missense:6s} {counts}")
