"""From the VCF files of a cohort to its genotypes: one multi-sample file, shards, or one file a
patient.

Records whose FILTER is neither PASS nor `.` are counted and not called; so are genotypes below the
thresholds. REF at the positions of known variants is compared with both builds. Files, and the
parts of one indexed file, are read in parallel.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from features.catalogue import BUILDS, Definitions, gene_names, known_variants, plain_contig
from features.genotypes.calls import Calls, read_calls, together
from features.genotypes.coverage import assayed_parts, targeted_fraction
from features.genotypes.genotype import (
    ALLELE_TYPES,
    NO_CALL_TYPES,
    SITE_TYPES,
    Genotypes,
    no_genotypes,
    numbered_sites,
    typed_table,
)
from features.genotypes.samples import check_match
from features.genotypes.vcf import (
    ANY_CALL,
    CallRule,
    Header,
    Query,
    Region,
    Sites,
    check_build,
    check_fasta,
    has_index,
    known_reference,
    other_build,
    panel_regions,
    read_header,
    read_sites,
)
from features.tables.problems import Problems
from features.variants.annotation import Effect

COUNTS = (
    "panel records",
    "multi-allelic",
    "filtered",
    "duplicates",
    "symbolic",
    "missing genotypes",
)


@dataclass
class FileCalls:
    """What one file, or one part of it, says of the panel.

    `alleles` has the columns of `ALLELE_TYPES`, its `site` numbers the rows of `sites` (one an
    allele); `called` and `whole` are (patients of the file, G), `rows` these patients; `agrees`
    tells of each build whether REF is its base.
    """

    sites: pd.DataFrame
    alleles: dict[str, np.ndarray]
    no_calls: pd.DataFrame
    rows: np.ndarray
    called: np.ndarray
    whole: np.ndarray
    counts: dict[str, int]
    agrees: dict[str, list[bool]]


def read_genotypes(
    definitions: Definitions,
    paths: list[Path],
    build: str,
    vcf_rows: dict[str, int],
    n: int,
    problems: Problems,
    progress: Callable[[str], None] = lambda _: None,
    rule: CallRule = ANY_CALL,
    fasta: Path | None = None,
) -> tuple[Genotypes, dict[str, int]]:
    """Read the panel genotypes of all patients.

    Parameters
    ----------
    definitions : Definitions
        Whose gene panel is read.
    problems : Problems
        Gets what is wrong and what was not called.
    progress : callable
        Told the name of each file that is begun.
    paths : list of Path
        VCF or BCF files, plain or compressed, indexed or not.
    build : str
        GRCh37 or GRCh38; a file whose contig lengths or REF bases are those of the other build is
        refused.
    vcf_rows : dict
        Sample name in the VCF -> patient index.
    n : int
        Number of patients.
    rule : CallRule
        Thresholds below which a genotype is missing.
    fasta : Path, optional
        Reference genome: alleles are split and left-normalised against it; without it they are
        trimmed.

    Returns
    -------
    Genotypes
    dict
        Counts of what was read, by name (`COUNTS`).
    """
    headers = {path: read_header(path) for path in paths}
    for path, header in headers.items():
        check_build(definitions, header, build, str(path))
        _check_formats(header, rule, str(path), problems)
    if fasta is not None:
        check_fasta(definitions, fasta, build)
    check_match(
        vcf_rows, {name for header in headers.values() for name in header.samples}, paths, problems
    )
    wanted = [path for path in paths if any(name in vcf_rows for name in headers[path].samples)]
    _report_indexes(wanted, problems)
    queries = [
        Query(
            definitions=definitions,
            path=p,
            regions=part,
            header=headers[p],
            build=build,
            fasta=fasta,
        )
        for p in wanted
        for part in _parts(definitions, p, build, len(wanted))
    ]

    def read(query: Query) -> FileCalls:
        progress(query.path.name)
        return _read_part(query, vcf_rows, rule)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return _joined(
            definitions, list(pool.map(read, queries)), build, n, _named(paths), problems
        )


def _check_formats(header: Header, rule: CallRule, where: str, problems: Problems) -> None:
    if not header.samples:
        problems.error(
            where,
            "this VCF has no samples",
            "A cohort needs genotypes; `variants` reads sites without them.",
        )
    elif "GT" not in header.formats:
        problems.error(
            where, "this VCF has no genotypes (FORMAT/GT)", "Give a VCF with called genotypes."
        )
    for tag, least in (("GQ", rule.min_gq), ("DP", rule.min_depth)):
        if least and tag not in header.formats:
            problems.warn(
                where,
                f"the threshold on {tag} cannot be applied: there is no FORMAT/{tag}",
                "All calls count.",
            )


def _report_indexes(paths: list[Path], problems: Problems) -> None:
    unindexed = [path for path in paths if not has_index(path)]
    if unindexed:
        found = (
            f"{len(unindexed)} of {len(paths)} files have no index, or one older than the file:"
            " read from end to end"
        )
        problems.note(
            _named(unindexed), found, "That is correct but slower; `bcftools index` makes one."
        )


def _parts(definitions: Definitions, path: Path, build: str, files: int) -> list[list[Region]]:
    """Split the panel among the processors where one indexed file is all there is.

    Parts share no gene.
    """
    regions = panel_regions(definitions, build)
    n = min(os.cpu_count() or 1, len(regions)) if files == 1 and has_index(path) else 1
    # Genomes have records by length, exomes by gene: half the weight each.
    lengths = np.array([end - start for _, start, end in regions], dtype=float)
    share = np.cumsum(lengths / lengths.sum() + 1 / len(regions)) / 2
    part = np.minimum((np.r_[0.0, share[:-1]] * n).astype(int), n - 1)
    return [
        [region for region, own in zip(regions, part, strict=True) if own == i] for i in range(n)
    ]


def _read_part(query: Query, vcf_rows: dict[str, int], rule: CallRule) -> FileCalls:
    with ThreadPoolExecutor(1) as beside:
        pending = beside.submit(read_sites, query)
        calls = read_calls(query, rule, vcf_rows)
        sites = pending.result()
    rows = np.array(
        sorted(vcf_rows[name] for name in query.header.samples if name in vcf_rows), dtype=int
    )
    return _file_calls(sites, calls, rows, query)


def _file_calls(sites: Sites, calls: Calls, rows: np.ndarray, query: Query) -> FileCalls:
    """Join sites and calls: who carries what, and how much of each gene was called in whom."""
    names = sites.names()
    number = {name: i for i, name in reversed(list(enumerate(names)))}
    at = np.array([number.get(record, -1) for record in calls.records], dtype=int)
    first = np.zeros(len(names), dtype=bool)
    first[list(number.values())] = True
    lost = (at[calls.missing["record"]], calls.missing["row"])
    called, whole = assayed_parts(sites, first, lost, rows, query.gene_indices(), query.build)
    carried, alleles = _carried(sites, calls, at)
    unknown = _no_calls(sites, lost, rows, query.build)
    return FileCalls(
        sites=carried,
        alleles=alleles,
        no_calls=unknown,
        rows=rows,
        called=called,
        whole=whole,
        counts=_counts(sites, first, lost, len(rows)),
        agrees=reference_agreement(query.definitions, names),
    )


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
        sum(any(c in alt for c in "<[]*") for alt in sites.alt[inside]),
        int((sites.gene[lost[0]] >= 0).sum()) + filtered * patients,
    )
    return dict(zip(COUNTS, values, strict=True))


def _carried(
    sites: Sites, calls: Calls, at: np.ndarray
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Alternative alleles of the calls as sites, and who carries them.

    Those outside the panel or without a key are left out.
    """
    record, allele = calls.carried["record"], calls.carried["allele"]
    most = int(allele.max(initial=0)) + 1
    used, inverse = _distinct(record * np.int64(most) + allele if most > 2 else record)
    rows: list[tuple[str, int, Effect | None]] = []
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
        **{n: calls.carried[n] for n in ("copies", "ploidy")},
    }
    if (number < 0).any():
        columns = {name: column[site_of >= 0] for name, column in columns.items()}
    return typed_table(rows, SITE_TYPES), columns


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values and the number of each.

    Those that come in order, as records do, need no sorting.
    """
    if not (values[1:] >= values[:-1]).all():
        return np.unique(values, return_inverse=True)
    new = np.ones(len(values), dtype=bool)
    new[1:] = values[1:] != values[:-1]
    return values[new], np.cumsum(new, dtype=np.int32) - 1


def _allele_site(sites: Sites, i: int, allele: int) -> tuple[str, int, Effect | None] | None:
    """`key`, `gene`, `effect` of the n-th alternative of a record; None outside the panel or where
    it has no key.
    """
    if i < 0 or sites.gene[i] < 0:
        return None
    keys = sites.keys(i)
    key = keys[allele - 1] if allele <= len(keys) else ""
    return (key, int(sites.gene[i]), sites.effect(i, allele - 1)) if key else None


def _no_calls(
    sites: Sites, lost: tuple[np.ndarray, np.ndarray], rows: np.ndarray, build: str
) -> pd.DataFrame:
    """`row`, `key` of the known variants that are missing in a patient; a filtered record is
    missing in all of the file.
    """
    known = set(known_variants(sites.definitions, build).index)
    at_known = {(key.split("-")[0], int(key.split("-")[1])) for key in known}
    found: list[tuple[int, str]] = []
    for i in range(len(sites)):
        # Alleles may be longer than the known ones: a look at the neighbourhood is cheap, making
        # keys of all is not.
        near = any(
            (plain_contig(sites.chrom[i]), sites.pos[i] + k) in at_known
            for k in range(len(sites.ref[i]) + 1)
        )
        for key in known.intersection(sites.keys(i)) if near else ():
            without = rows if not sites.passed[i] else lost[1][lost[0] == i]
            found += [(int(row), key) for row in without]
    return typed_table(found, NO_CALL_TYPES)


def reference_agreement(
    definitions: Definitions, names: list[tuple[str, int, str, str]]
) -> dict[str, list[bool]]:
    """For each build, whether REF agrees at the known positions that the records hit.

    Parameters
    ----------
    definitions : Definitions
        Whose known variants count.
    names : list of tuples
        Contig, position, REF and ALT of each record.

    Returns
    -------
    dict
        Build -> one truth value a record at a known position.
    """
    found: dict[str, list[bool]] = {}
    for build in BUILDS:
        bases = known_reference(definitions, build)
        sites = [((plain_contig(chrom), pos), ref) for chrom, pos, ref, _ in names]
        found[build] = [bases[site] == ref[0].upper() for site, ref in sites if site in bases]
    return found


def _joined(
    definitions: Definitions,
    parts: list[FileCalls],
    build: str,
    n: int,
    where: str,
    problems: Problems,
) -> tuple[Genotypes, dict[str, int]]:
    if not parts:
        return no_genotypes(definitions, n), dict.fromkeys(COUNTS, 0)
    check_reference([part.agrees for part in parts], build, where, problems)
    genes = len(gene_names(definitions))
    called, whole = np.zeros((n, genes)), np.zeros((n, genes))
    for part in parts:
        called[part.rows] += part.called
        whole[part.rows] += part.whole
    counts = {name: sum(part.counts[name] for part in parts) for name in COUNTS}
    _report_counts(counts, where, problems)
    unknown = (
        pd.concat([part.no_calls for part in parts])
        .drop_duplicates()
        .sort_values(["row", "key"], ignore_index=True)
    )
    fraction = np.divide(called, whole, out=np.full_like(called, np.nan), where=whole > 0)
    sites, alleles = _joined_alleles(parts)
    return Genotypes(sites=sites, alleles=alleles, no_calls=unknown, assayed=fraction), counts


def _joined_alleles(parts: list[FileCalls]) -> tuple[pd.DataFrame, pd.DataFrame]:
    start = np.cumsum([0, *(len(part.sites) for part in parts)])
    for part, first in zip(parts, start, strict=False):
        part.alleles["site"] += np.int32(first)
    pieces = [tuple(part.alleles.values()) for part in parts]
    for part in parts:
        part.alleles = {}  # Of millions of alleles no copy is kept longer than needed.
    return numbered_sites(
        pd.concat([part.sites for part in parts], ignore_index=True), together(pieces, ALLELE_TYPES)
    )


def check_reference(
    agrees: list[dict[str, list[bool]]], build: str, where: str, problems: Problems
) -> None:
    """Stop where REF at the known positions speaks for the other build: three hits or more, twice
    as many as for this one.

    Parameters
    ----------
    agrees : list of dict
        Of `reference_agreement`, one a file or part of one.
    build : str
        What the cohort file says.
    where : str
        File, for the message.
    problems : Problems
        Gets the error.
    """
    other = next(b for b in BUILDS if b != build)
    # Every part reads the other build's positions, and each its own share of this build's.
    agree = {
        build: sum(sum(part[build]) for part in agrees),
        other: max(sum(part[other]) for part in agrees),
    }
    hits = sum(len(part[build]) for part in agrees)
    if agree[other] >= 3 and agree[other] > 2 * agree[build] and 2 * agree[build] <= hits:
        found = (
            f"REF is that of {other} at {agree[other]} known positions, but the cohort file says"
            f" {build} ({agree[build]})"
        )
        problems.error(where, found, other_build(other, build))


def _report_counts(counts: dict[str, int], where: str, problems: Problems) -> None:
    if counts["filtered"]:
        found = (
            f"{counts['filtered']} of {counts['panel records']} panel records have a FILTER other"
            " than PASS"
        )
        problems.note(where, found, "Not called.")
    if counts["duplicates"]:
        problems.warn(
            where,
            f"{counts['duplicates']} panel records are there more than once",
            "Each allele counts once.",
        )
    if not counts["panel records"]:
        remedy = "Check the contig names and `genome_build`; every gene stays unknown."
        problems.warn(where, "no record lies in the gene panel", remedy)


def _named(paths: list[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def with_targets(
    definitions: Definitions, genotypes: Genotypes, path: Path, build: str
) -> Genotypes:
    """Use what was sequenced (BED): a gene counts as assayed only as far as its coding bases are
    targets.

    Only patients with a record anywhere count as sequenced. A gene with records keeps the fraction
    that was called.

    Parameters
    ----------
    definitions : Definitions
        Whose genes and gene models count.
    genotypes : Genotypes
        Of n patients.
    path : Path
        BED file of what was sequenced.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    Genotypes
        With another `assayed`.
    """
    targeted = targeted_fraction(definitions, path, build)
    sequenced = np.isfinite(genotypes.assayed).any(axis=1)[:, None]
    told = np.where(np.isnan(genotypes.assayed), 1.0, genotypes.assayed) * targeted
    return replace(genotypes, assayed=np.where(sequenced, told, genotypes.assayed))
