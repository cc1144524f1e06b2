"""Families, causes, alleles, repeats, and who was tested."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import truncnorm

from als_ml.simulate import constants as c
from features.catalogue import genes, known_variants, shipped

CAUSES = (*c.CAUSES, "unexplained")
UNEXPLAINED = len(CAUSES) - 1
_SHARES = np.array(list(c.CAUSES.values()))
# P(cause | sporadic), P(cause | familial); a familial phenocopy has no cause.
CAUSE_SHARES = np.vstack([np.append(s, 1 - s.sum()) for s in (_SHARES[:, 1], _SHARES[:, 0])])


@dataclass
class People:
    """Patients in random order.

    Arrays of n. `cause` indexes CAUSES; `familial` is the reported family history.
    """

    family: np.ndarray
    familial: np.ndarray
    cause: np.ndarray
    female: np.ndarray
    age: np.ndarray
    onset_site: np.ndarray
    ftd: np.ndarray
    site: np.ndarray


def draw_people(n: int, rng: np.random.Generator) -> People:
    """Draw families until there are n patients."""
    familial_family = rng.random(n) < c.FAMILIAL_SHARE
    size = np.where(familial_family, rng.choice([1, 2, 3], n, p=c.FAMILY_SIZES), 1)
    family = np.repeat(np.arange(n), size)[:n]
    familial = familial_family[family]
    family_cause = np.array(
        [rng.choice(len(CAUSES), p=CAUSE_SHARES[int(f)]) for f in familial_family]
    )
    cause = np.where(familial & (rng.random(n) < c.PHENOCOPY), UNEXPLAINED, family_cause[family])
    female = rng.random(n) < c.FEMALE
    mean, sd = age_parameters(cause, familial, female)
    low, high = (np.array(c.AGE_RANGE)[:, None] - mean) / sd
    # Of one patient scipy makes a scalar.
    age = np.atleast_1d(truncnorm.rvs(low, high, loc=mean, scale=sd, random_state=rng))
    onset_site = rng.choice(list(c.ONSET_SITES), n, p=_normalised(c.ONSET_SITES))
    ftd = rng.random(n) < ftd_share(cause)
    family_site = rng.choice(c.SITES, n, p=c.SITE_SHARES)
    people = People(
        family=family,
        familial=familial,
        cause=cause,
        female=female,
        age=np.round(age, 1),
        onset_site=onset_site,
        ftd=ftd,
        site=family_site[family],
    )
    order = rng.permutation(n)
    return People(**{name: values[order] for name, values in people.__dict__.items()})


def _normalised(shares: dict[str, float]) -> np.ndarray:
    values = np.array(list(shares.values()))
    return values / values.sum()


def age_parameters(
    cause: np.ndarray, familial: np.ndarray, female: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD of the age at onset before truncation."""
    sporadic = np.where(female[:, None], c.AGE["sporadic_female"], c.AGE["sporadic_male"])
    table = np.where(familial[:, None], c.AGE["familial"], sporadic)
    for index, name in enumerate(c.CAUSES):
        by_cause = np.broadcast_to(c.AGE.get(name, c.AGE["carrier"]), table.shape)
        if name == "UBQLN2":
            by_cause = np.where(female[:, None], c.AGE["UBQLN2_female"], c.AGE["UBQLN2_male"])
        table = np.where((cause == index)[:, None], by_cause, table)
    return table[:, 0], table[:, 1]


def ftd_share(cause: np.ndarray) -> np.ndarray:
    """Probability of frontotemporal dementia by cause."""
    return np.array([c.FTD.get(name, c.FTD["other"]) for name in CAUSES])[cause]


@dataclass
class Genome:
    """Alleles written to the VCF.

    `sites` has one row a site (chrom, pos, ref, alt, gene, frequency, kind); `copies` (sites, n)
    counts the alternative allele, -1 for a no-call. `cause_seen` (n, causes): a table allele of
    that gene with the zygosity it needs; `rare` (n, causes): rare made-up alleles of that gene;
    `ala5val`, `unc13a` are copies.
    """

    sites: pd.DataFrame
    copies: np.ndarray
    cause_seen: np.ndarray
    rare: np.ndarray
    ala5val: np.ndarray
    unc13a: np.ndarray


def draw_genome(
    people: People, rng: np.random.Generator, sites: "pd.DataFrame | None" = None
) -> Genome:
    """Give every patient alleles: the founder's causal one, and rare and common ones around it.

    `sites` are those of `draw_sites`; without them they are drawn first.
    """
    sites, n = draw_sites(rng) if sites is None else sites, len(people.family)
    copies = _background(sites, people, rng)
    novel = (
        rng.random(n)[people.family] < c.NOVEL
    )  # the same for all relatives, since it is the founder's allele
    pick = rng.random(n)[people.family]
    second = np.where(
        rng.random(n) < c.SECOND_HIT, rng.choice(np.arange(1, UNEXPLAINED), n), UNEXPLAINED
    )
    for carrier in (people.cause, second):
        for index in range(1, UNEXPLAINED):
            _plant(
                sites,
                copies,
                np.flatnonzero(carrier == index),
                CAUSES[index],
                novel & (carrier is people.cause),
                pick,
            )
    made_up = sites["kind"].isin(["rare", "common"]).to_numpy()
    copies[made_up[:, None] & (rng.random(copies.shape) < c.NO_CALL)] = -1
    return _observed(sites, copies, n)


def draw_sites(rng: np.random.Generator) -> pd.DataFrame:
    """Table rows with a confirmed position, and made-up rare and common sites in every panel
    gene.
    """
    table = known_variants(shipped(), "GRCh38")
    usable = table[table["coord_status"].isin(["confirmed"]) | (table["rsid"] == "rs12608932")]
    known = usable[["chrom", "pos", "ref", "alt", "gene", "als_role", "rsid", "hgvs_p"]].rename(
        columns={"als_role": "kind"}
    )
    known["frequency"] = known["kind"].map(c.TABLE_FREQUENCY).fillna(0.0)
    known.loc[known["rsid"] == "rs12608932", "frequency"] = c.UNC13A_C
    rows = [
        _made_up(str(gene), bounds, rng) for gene, bounds in genes(shipped(), "GRCh38").iterrows()
    ]
    sites = pd.concat([known, *rows], ignore_index=True).drop_duplicates(["chrom", "pos"])
    order = {name: i for i, name in enumerate([*map(str, range(1, 23)), "X"])}
    return sites.assign(order=sites["chrom"].map(order)).sort_values(
        ["order", "pos"], ignore_index=True
    )


def _made_up(gene: str, bounds: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    kinds = ["rare"] * c.RARE_SITES + ["common"] * c.COMMON_SITES
    pos = np.sort(rng.choice(np.arange(bounds["start"], bounds["end"]), len(kinds), replace=False))
    bases = np.array([rng.choice(list("ACGT"), 2, replace=False) for _ in kinds])
    frequency = np.where(
        np.array(kinds) == "rare",
        c.RARE_FREQUENCY,
        rng.uniform(*c.COMMON_RANGE, len(kinds)).round(4),
    )
    columns = {
        "chrom": bounds["chrom"],
        "pos": pos,
        "ref": bases[:, 0],
        "alt": bases[:, 1],
        "gene": gene,
        "kind": kinds,
    }
    return pd.DataFrame({**columns, "rsid": "", "hgvs_p": "", "frequency": frequency})


def _background(sites: pd.DataFrame, people: People, rng: np.random.Generator) -> np.ndarray:
    """Copies by frequency.

    Each chromosome of a relative is the founder's with probability one half.
    """
    n, frequency = len(people.family), sites["frequency"].to_numpy()[:, None]
    dominant = sites["kind"].isin(["causal_dominant", "causal_xlinked"]).to_numpy()
    frequency = np.where(dominant[:, None], 0.0, frequency)
    copies = np.zeros((len(sites), n), dtype=np.int8)
    for _ in range(2):
        founder = rng.random((len(sites), n)) < frequency
        drawn = rng.random((len(sites), n)) < frequency
        inherited = rng.random((len(sites), n)) < 0.5
        copies += np.where(inherited, founder[:, people.family], drawn)
    male_x = (sites["chrom"] == "X").to_numpy()[:, None] & ~people.female
    recessive = (sites["kind"] == "causal_recessive").to_numpy()[:, None]
    return np.where(
        male_x | recessive, np.minimum(copies, 1), copies
    )  # nobody is homozygous for a recessive row by chance


def _plant(
    sites: pd.DataFrame,
    copies: np.ndarray,
    carriers: np.ndarray,
    gene: str,
    novel: np.ndarray,
    pick: np.ndarray,
) -> None:
    """Give carriers one causal row of the gene (recessive rows twice), or one more rare made-up
    allele if it is novel.
    """
    of_gene = (sites["gene"] == gene).to_numpy()
    causal = np.flatnonzero(of_gene & sites["kind"].str.startswith("causal").to_numpy())
    rare = np.flatnonzero(of_gene & (sites["kind"] == "rare").to_numpy())
    for person in carriers:
        if novel[person]:
            site = rare[int(pick[person] * len(rare))]
            copies[site, person] = min(copies[site, person] + 1, 2)
        else:
            site = causal[int(pick[person] * len(causal))]
            copies[site, person] = 2 if sites["kind"][site] == "causal_recessive" else 1


def _observed(sites: pd.DataFrame, copies: np.ndarray, n: int) -> Genome:
    kind, gene = sites["kind"].to_numpy(), sites["gene"].to_numpy()
    dominant = np.isin(kind, ["causal_dominant", "causal_xlinked"])
    enough = (copies >= 1) & dominant[:, None] | (copies >= 2) & (kind == "causal_recessive")[
        :, None
    ]
    seen, rare = np.zeros((n, len(CAUSES)), dtype=bool), np.zeros((n, len(CAUSES)), dtype=int)
    for index, name in enumerate(c.CAUSES):
        seen[:, index] = enough[gene == name].any(axis=0)
        rare[:, index] = np.maximum(copies[(gene == name) & (kind == "rare")], 0).sum(axis=0)
    ala5val = copies[((gene == "SOD1") & (sites["hgvs_p"] == "p.Ala5Val")).to_numpy()].sum(axis=0)
    unc13a = copies[(sites["rsid"] == "rs12608932").to_numpy()].sum(axis=0)
    return Genome(
        sites=sites, copies=copies, cause_seen=seen, rare=rare, ala5val=ala5val > 0, unc13a=unc13a
    )


@dataclass
class Repeats:
    """Repeat calls of n patients.

    Sizes are in repeat units as called, NaN missing. `c9_state` is what the files tell: -1 unknown,
    0 normal or intermediate, 1 expanded; `atxn2_state`: -1 unknown, 0, 1 at risk; `atxn2_true`:
    what it is. `lab` is the laboratory's state of C9orf72, empty if it did not test.
    """

    c9_short: np.ndarray
    c9_long: np.ndarray
    c9_low: np.ndarray
    c9_high: np.ndarray
    atxn2_short: np.ndarray
    atxn2_long: np.ndarray
    lab: np.ndarray
    lab_method: np.ndarray
    c9_state: np.ndarray
    atxn2_state: np.ndarray
    atxn2_true: np.ndarray


def draw_repeats(people: People, rng: np.random.Generator) -> Repeats:
    """Size both loci, call them by short reads, and test C9orf72 in the laboratory, more often with
    a family history.
    """
    n, expanded = len(people.family), people.cause == CAUSES.index("C9orf72")
    pair = _normal_pairs(c.C9_NORMAL, n, rng)
    long, low, high = _by_short_reads(pair[:, 1], expanded, rng)
    called = (people.site != c.NO_REPEAT_SITE) & (rng.random(n) >= c.NO_REPEAT_CALL)
    one = rng.random(n) < c.ONE_ALLELE
    short = np.where(one, np.nan, pair[:, 0])
    long, low, high, short = (np.where(called, x, np.nan) for x in (long, low, high, short))
    lab, method = _in_the_laboratory(people, pair[:, 1], expanded, rng)
    by_reads = np.where(~called, -1, np.where(low >= 31, 1, np.where((high >= 31) | one, -1, 0)))
    state = np.where(lab != "", expanded.astype(int), by_reads)
    atxn2, at_risk = _draw_atxn2(n, rng)
    sizes = np.where(called[:, None], atxn2, np.nan)
    atxn2_state = np.where(called, at_risk.astype(int), -1)
    return Repeats(
        c9_short=short,
        c9_long=long,
        c9_low=low,
        c9_high=high,
        atxn2_short=sizes[:, 0],
        atxn2_long=sizes[:, 1],
        lab=lab,
        lab_method=method,
        c9_state=state,
        atxn2_state=atxn2_state,
        atxn2_true=at_risk,
    )


def _normal_pairs(shares: dict[int, float], n: int, rng: np.random.Generator) -> np.ndarray:
    """Two sizes of each patient in the normal range, the shorter first, (n, 2)."""
    drawn = rng.choice(list(shares), (n, 2), p=list(shares.values()))
    return np.sort(drawn, axis=1).astype(float)


def _by_short_reads(
    normal: np.ndarray, expanded: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Size of the longer allele and the ends of its interval; an expansion may be missed."""
    n = len(normal)
    detected = expanded & (rng.random(n) < c.SHORT_READ_SENSITIVITY)
    size = np.round(np.exp(rng.normal(np.log(120), 0.5, n))).clip(60, 900)
    straddles = rng.random(n) < c.STRADDLES
    long = np.where(detected, size, normal)
    low = np.where(detected, np.where(straddles, 27, np.maximum(np.round(size * 0.7), 32)), long)
    return long, low, np.where(detected, np.round(size * 1.6), long)


def _in_the_laboratory(
    people: People, normal: np.ndarray, expanded: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """State of C9orf72 and the method of its test, both empty if it was not tested."""
    n = len(normal)
    tested = rng.random(n) < np.where(people.familial, c.LAB_TESTED[True], c.LAB_TESTED[False])
    result = np.where(expanded, "expanded", np.where(normal >= 24, "intermediate", "normal"))
    method = rng.choice(["rp_pcr", "southern"], n, p=[0.85, 0.15])
    return np.where(tested, result, ""), np.where(tested, method, "")


def _draw_atxn2(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both sizes of each patient, (n, 2), and who is at risk."""
    sizes = _normal_pairs(c.ATXN2_NORMAL, n, rng)
    at_risk = rng.random(n) < c.ATXN2_RISK
    sizes[:, 1] = np.where(at_risk, rng.choice(c.ATXN2_RISK_SIZES, n), sizes[:, 1])
    return sizes, at_risk
