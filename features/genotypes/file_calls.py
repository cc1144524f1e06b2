"""What one file says of the panel: who carries what, what is missing in whom, which build it is."""

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from features.catalogue import BUILDS, Definitions, derived, known_variants, plain_contig
from features.genotypes.calls import Calls, no_calls, read_panel
from features.genotypes.coverage import Coverage, coverage_of
from features.genotypes.genotype import Site
from features.genotypes.positions import far_positions
from features.genotypes.structural import read_structural
from features.genotypes.vcf import (
    LAST_POSITION,
    CallRule,
    Query,
    Sites,
    contig_lengths,
    contigs_begun,
    known_reference,
    other_build,
    read_sites,
)
from features.tables.problems import Problems
from features.variants.annotation import consequence_kinds
from features.variants.structural import structural_sites

# An alternative that is not written in bases.
_SYMBOLIC = re.compile(r"[<\[\]*]")
# What no good file has.
IMPOSSIBLE = ("beyond the contig", "calls to no allele")
COUNTS = (
    "panel records",
    "multi-allelic",
    "filtered",
    "duplicates",
    "symbolic",
    "missing genotypes",
    *IMPOSSIBLE,
)
# Records that are named of those that are counted for being impossible.
NAMED = 3


class Agreement(NamedTuple):
    """At how many known positions of each build REF is the base of that build, of how many met."""

    agree: dict[str, int]
    met: dict[str, int]


@dataclass
class FileCalls:
    """What one file, or one part of it, says of the panel.

    Attributes
    ----------
    sites : list of (key, gene, effect)
        The alternative alleles that somebody carries.
    alleles : dict of arrays
        `row`, `site` (position in `sites`), `copies`, `ploidy` of each allele carried.
    no_calls : dict of arrays
        Known variant -> the patients whose genotype is missing or filtered there.
    coverage : Coverage
        How much of each gene was called.
    counts : dict
        By the names of `COUNTS`.
    agreement : Agreement
        REF against the known positions of both builds.
    named : dict
        The first records behind a count of what is impossible, by its name.
    """

    sites: list[Site]
    alleles: dict[str, np.ndarray]
    no_calls: dict[str, np.ndarray]
    coverage: Coverage
    counts: dict[str, int]
    agreement: Agreement
    named: dict[str, list[str]]


def read_file(
    query: Query, rule: CallRule, vcf_rows: dict[str, int], every: bool = False
) -> FileCalls:
    """Read what a file says of the panel, in one pass.

    Parameters
    ----------
    query : Query
        The file and the regions.
    rule : CallRule
        Thresholds below which a genotype is missing.
    vcf_rows : dict
        Sample name in the VCF -> patient index; other samples are left out.
    every : bool
        Whether alleles that nobody carries are among the sites.

    Returns
    -------
    FileCalls
        Small beside the file.
    """
    if query.header.has_calls:
        sites, calls = read_panel(query, rule, vcf_rows)
    else:
        sites = read_sites(query)
        calls = no_calls(sites.names())
    rows = [vcf_rows[name] for name in query.header.samples if name in vcf_rows]
    return _file_calls(sites, calls, np.array(sorted(rows), dtype=np.int32), query, every)


def with_structural(
    found: FileCalls, query: Query, rule: CallRule, vcf_rows: dict[str, int], every: bool
) -> FileCalls:
    """The same with structural variants, where the file may have them: they need another pass.

    Parameters
    ----------
    found : FileCalls
        Of `read_file`.
    query, rule, vcf_rows
        As for `read_file`.
    every : bool
        Whether all are wanted; else those that somebody carries and that take or repeat exons.

    Returns
    -------
    FileCalls
        Its further sites stand behind the others.
    """
    header = query.header
    if not header.structural and (header.blocks or not found.counts["symbolic"]):
        return found
    told = read_structural(query, rule, vcf_rows)
    of_variant = structural_sites(query.definitions, told.variants, query.build)
    own, sites = set(query.gene_indices()), list(found.sites)
    pieces: list[tuple[np.ndarray, np.ndarray]] = []
    for number, some in enumerate(of_variant):
        at = np.flatnonzero(told.carried["site"] == number)
        # Of the parts of a file, the one that reads a gene takes what meets it.
        for site in (site for site in some if site[1] in own):
            if every or (len(at) and _is_null(query.definitions, site)):
                pieces.append((at, np.full(len(at), len(sites))))
                sites.append(site)
    if not pieces:
        return found
    taken, numbers = (np.concatenate(some) for some in zip(*pieces, strict=True))
    further = {name: column[taken] for name, column in told.carried.items()} | {"site": numbers}
    alleles = {n: np.concatenate([c, further[n].astype(c.dtype)]) for n, c in found.alleles.items()}
    return replace(found, sites=sites, alleles=alleles)


def _is_null(definitions: Definitions, site: Site) -> bool:
    effect = site[2]
    return effect is not None and consequence_kinds(definitions).get(effect.consequence) == "null"


def _file_calls(
    sites: Sites, calls: Calls, rows: np.ndarray, query: Query, every: bool
) -> FileCalls:
    """Join sites and calls; a record that is there twice counts as the first of its name."""
    calls, impossible = _possible(sites, calls)
    names = sites.names()
    number = {name: i for i, name in reversed(list(enumerate(names)))}
    at = np.array([number[name] for name in names], dtype=int)
    first = at == np.arange(len(names))
    lost = (at[calls.missing["record"]], calls.missing["row"])
    odd = dict(zip(IMPOSSIBLE, (_beyond(sites, query), _places(sites, impossible)), strict=True))
    carried, alleles = _carried(sites, calls, at)
    if every:
        carried += alternatives(sites)
    return FileCalls(
        sites=carried,
        alleles=alleles,
        no_calls=_no_calls(sites, lost, rows, query.build),
        coverage=coverage_of(sites, first, lost, rows, query.gene_indices(), query.build),
        counts=_counts(sites, first, lost, len(rows)) | {name: len(i) for name, i in odd.items()},
        agreement=reference_agreement(query.definitions, names),
        named={name: list(dict.fromkeys(places))[:NAMED] for name, places in odd.items()},
    )


def _possible(sites: Sites, calls: Calls) -> tuple[Calls, np.ndarray]:
    """Calls of alleles that their record has, and the records of the others, one a call.

    Who is called with an allele that is not there has a missing one.
    """
    alternatives = np.array([0 if a == "." else a.count(",") + 1 for a in sites.alt], dtype=int)
    absent = calls.carried["allele"] > alternatives[calls.carried["record"]]
    if not absent.any():
        return calls, np.empty(0, dtype=int)
    pairs = [
        np.stack([some["record"][of], some["row"][of]])
        for some, of in ((calls.missing, slice(None)), (calls.carried, absent))
    ]
    record, row = np.unique(np.concatenate(pairs, axis=1), axis=1)
    kept = {name: column[~absent] for name, column in calls.carried.items()}
    inside = np.unique(pairs[1], axis=1)[0]
    return (
        calls._replace(carried=kept, missing={"record": record, "row": row}),
        inside[sites.gene[inside] >= 0],
    )


def _places(sites: Sites, at: np.ndarray) -> list[str]:
    """Contig and position of some records."""
    return [f"{sites.chrom[i]}:{sites.pos[i]}" for i in at.tolist()]


def _counts(
    sites: Sites, first: np.ndarray, lost: tuple[np.ndarray, np.ndarray], patients: int
) -> dict[str, int]:
    inside = sites.gene >= 0
    filtered = int((inside & ~sites.passed).sum())
    values = (
        int(inside.sum()),
        sum("," in alt for alt in sites.alt[inside]),
        filtered,
        int((inside & ~first).sum()),
        sum(_SYMBOLIC.search(alt) is not None for alt in sites.alt[inside]),
        int((sites.gene[lost[0]] >= 0).sum()) + filtered * patients,
    )
    return dict(zip(COUNTS[: -len(IMPOSSIBLE)], values, strict=True))


def _beyond(sites: Sites, query: Query) -> list[str]:
    """Records that lie beyond the end of their contig, those that bcftools cannot read last."""
    lengths = contig_lengths(sites.definitions, query.build)
    last = np.array([lengths.get(plain_contig(c), LAST_POSITION) for c in sites.chrom], dtype=int)
    begun = contigs_begun(sites.definitions, query.regions, query.build)
    far = far_positions(query.path, begun)
    named = [f"{contig}:{pos}" for contig, pos in far]
    return _places(sites, np.flatnonzero(sites.pos > last)) + named


def _carried(
    sites: Sites, calls: Calls, at: np.ndarray
) -> tuple[list[Site], dict[str, np.ndarray]]:
    """Alternative alleles of the calls as sites, and who carries them.

    Those outside the panel or without a key are left out.
    """
    record, allele = calls.carried["record"], calls.carried["allele"]
    most = int(allele.max(initial=0)) + 1
    used, inverse = _distinct(record * np.int64(most) + allele if most > 2 else record)
    rows: list[Site] = []
    number = np.full(len(used), -1, dtype=np.int32)
    for i, which in enumerate(used.tolist()):
        of_record, of_allele = divmod(which, most) if most > 2 else (which, 1)
        site = _allele_site(sites, int(at[of_record]), of_allele)
        if site is not None:
            number[i] = len(rows)
            rows.append(site)
    site_of = number[inverse]
    columns = {
        "row": calls.carried["row"],
        "site": site_of,
        "copies": calls.carried["copies"],
        "ploidy": calls.carried["ploidy"],
    }
    if (number < 0).any():
        columns = {name: column[site_of >= 0] for name, column in columns.items()}
    return rows, columns


def alternatives(sites: Sites) -> list[Site]:
    """All alternative alleles of the panel, carried or not; one that is there twice comes twice.

    Parameters
    ----------
    sites : Sites
        Of a file.
    """
    return [
        (key, int(sites.gene[i]), sites.effect(i, index))
        for i in np.flatnonzero(sites.gene >= 0).tolist()
        for index, key in enumerate(sites.keys(i))
        if key
    ]


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values and the number of each; ordered ones, as records are, need no sorting."""
    if not (values[1:] >= values[:-1]).all():
        return np.unique(values, return_inverse=True)
    new = np.ones(len(values), dtype=bool)
    new[1:] = values[1:] != values[:-1]
    return values[new], np.cumsum(new, dtype=np.int32) - 1


def _allele_site(sites: Sites, i: int, allele: int) -> Site | None:
    """The n-th alternative of a record; None outside the panel or where it has no key."""
    if sites.gene[i] < 0:
        return None
    key = sites.keys(i)[allele - 1]
    return (key, int(sites.gene[i]), sites.effect(i, allele - 1)) if key else None


def _no_calls(
    sites: Sites, lost: tuple[np.ndarray, np.ndarray], rows: np.ndarray, build: str
) -> dict[str, np.ndarray]:
    """Known variants that are missing in a patient; a filtered record is missing in all."""
    known = _known_keys(sites.definitions, build)
    missing: dict[str, list[np.ndarray]] = {}
    for i in _near_known(sites, _known_places(sites.definitions, build)):
        for key in known.intersection(sites.keys(i)):
            without = lost[1][lost[0] == i] if sites.passed[i] else rows
            missing.setdefault(key, []).append(without)
    joined = {key: np.unique(np.concatenate(pieces)) for key, pieces in missing.items()}
    return {key: patients for key, patients in joined.items() if len(patients)}


def _near_known(sites: Sites, places: dict[str, list[int]]) -> list[int]:
    """Records that could spell a known variant, also a longer way than they need to.

    A look at the neighbourhood is cheap, making keys of all alleles is not.
    """
    near = []
    for i, (chrom, pos, ref) in enumerate(zip(sites.chrom, sites.pos, sites.ref, strict=True)):
        positions = places.get(plain_contig(chrom), ())
        at = bisect_left(positions, pos)
        if at < len(positions) and positions[at] <= pos + len(ref):
            near.append(i)
    return near


@derived
def _known_keys(definitions: Definitions, build: str) -> frozenset[str]:
    return frozenset(known_variants(definitions, build).index)


@derived
def _known_places(definitions: Definitions, build: str) -> dict[str, list[int]]:
    """Positions of the known variants on each chromosome, in order."""
    places: dict[str, list[int]] = {}
    for key in _known_keys(definitions, build):
        chrom, pos, *_ = key.split("-")
        places.setdefault(chrom, []).append(int(pos))
    return {chrom: sorted(positions) for chrom, positions in places.items()}


def reference_agreement(
    definitions: Definitions, names: list[tuple[str, int, str, str]]
) -> Agreement:
    """For each build, how often REF agrees at the known positions that the records hit.

    Parameters
    ----------
    definitions : Definitions
        Whose known variants count.
    names : list of tuples
        Contig, position, REF and ALT of each record.
    """
    agree, met = dict.fromkeys(BUILDS, 0), dict.fromkeys(BUILDS, 0)
    places = [(plain_contig(chrom), pos) for chrom, pos, _, _ in names]
    for build in BUILDS:
        bases = known_reference(definitions, build)
        for i in [i for i, place in enumerate(places) if place in bases]:
            met[build] += 1
            agree[build] += bases[places[i]] == names[i][2][0].upper()
    return Agreement(agree, met)


def check_reference(found: list[Agreement], build: str, where: str, problems: Problems) -> None:
    """Stop where REF at the known positions speaks for the other build.

    That is three hits or more, and twice as many as for this one.

    Parameters
    ----------
    found : list of Agreement
        One a file or part of one.
    build : str
        What the cohort file says.
    where : str
        File, for the message.
    problems : Problems
        Gets the error.
    """
    other = next(b for b in BUILDS if b != build)
    # Every part reads the other build's positions, and each its own share of this build's.
    agreeing = sum(part.agree[build] for part in found)
    foreign = max((part.agree[other] for part in found), default=0)
    met = sum(part.met[build] for part in found)
    if foreign >= 3 and foreign > 2 * agreeing and 2 * agreeing <= met:
        reason = f"REF is that of {other} at {foreign} known positions"
        found_text = f"{reason}, but the cohort file says {build} ({agreeing})"
        problems.error(where, found_text, other_build(other, build), code="genome_build")
