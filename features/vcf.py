"""Read genotypes of the gene panel from VCF and BCF files, with the bcftools that pysam ships.

Specification: VCF 4.5 (samtools.github.io/hts-specs). Relied on: a header with samples, GT per sample. Records whose
FILTER is neither PASS nor `.` are counted and treated as not called. Not checked: REF against the reference genome.
Lenient: `chr21` and `21` are the same contig; a file without an index is scanned from end to end.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pysam.bcftools

from features.catalogue import PADDING, definitions, gene_at, gene_names, genes, plain_contig, variant_key
from features.errors import DataError, examples
from features.genotypes import ALLELE_COLUMNS, carried_alleles, one_per_allele, parse_genotype
from features.problems import Problems

PASSED = '(FILTER="PASS" || FILTER=".")'
CALL_COLUMNS = ["chrom", "pos", "ref", "alt", "sample", "gt"]


@dataclass(frozen=True)
class Genotypes:
    """Genotypes of a cohort on the panel, for `n` patients and G genes.

    Attributes
    ----------
    alleles : DataFrame
        Alternative alleles carried (`features.genotypes.ALLELE_COLUMNS`).
    no_calls : DataFrame
        `row`, `key`: sites where the patient's genotype is missing or filtered.
    assayed : array (n, G)
        Fraction of a gene's records that were called in the patient: 0 none, 1 all, NaN unknown (no record at all).
    """

    alleles: pd.DataFrame
    no_calls: pd.DataFrame
    assayed: np.ndarray


def read_genotypes(
    paths: list[Path],
    build: str,
    vcf_rows: dict[str, int],
    n: int,
    problems: Problems,
    progress: Callable[[str], None] = lambda _: None,
) -> Genotypes:
    """Read the panel genotypes of all patients from one file, shards or one file per patient.

    Parameters
    ----------
    paths : list of Path
        VCF or BCF files, plain or compressed, indexed or not.
    build : str
        GRCh37 or GRCh38; a file whose contig lengths are those of the other build is refused.
    vcf_rows : dict
        Sample name in the VCF -> patient index.
    n : int
        Number of patients.
    """
    called, records = np.zeros((n, len(gene_names()))), np.zeros((n, len(gene_names())))
    alleles, no_calls, matched = [], [], set()
    for path in paths:
        progress(path.name)
        header = read_header(path)
        check_build(header, build, str(path))
        rows = {name: vcf_rows[name] for name in header.samples if name in vcf_rows}
        matched |= set(rows)
        if not rows:
            continue
        calls, sites, filtered = _read_calls(path, build)
        calls = calls[calls["sample"].isin(rows)].assign(row=lambda t, rows=rows: t["sample"].map(rows))
        if filtered.any():
            problems.note(
                str(path), f"{int(filtered.sum())} panel records have a FILTER other than PASS", "Not called."
            )
        missing = _no_calls(calls, sites[filtered], list(rows.values()))
        of_file = _count_records(sites, missing, list(rows.values()), n, build)
        called, records = called + of_file[0], records + of_file[1]
        alleles.append(carried_alleles(calls, build))
        no_calls.append(missing[["row", "key"]].astype({"row": int, "key": object}))
    _check_match(vcf_rows, matched, paths, problems)
    fraction = np.divide(called, records, out=np.full_like(called, np.nan), where=records > 0)
    unknown = pd.concat([_no_sites(), *no_calls]).drop_duplicates().sort_values(["row", "key"], ignore_index=True)
    return Genotypes(_joined(alleles), unknown, fraction)


def no_genotypes(n: int) -> Genotypes:
    """Genotypes of a cohort without any VCF: nothing carried, everything unknown."""
    return Genotypes(_joined([]), _no_sites(), np.full((n, len(gene_names())), np.nan))


def with_targets(genotypes: Genotypes, path: Path, build: str) -> Genotypes:
    """Use what was sequenced (BED, 0-based half-open): a gene without a target was not assayed, one with a target was.

    Only patients with a record anywhere count as sequenced. A gene with records keeps the fraction that was called.

    Raises
    ------
    DataError
        If the file is absent or a line is no interval.
    """
    if not path.is_file():
        raise DataError(str(path), "there is no such file", "Correct `targets` in the cohort file.")
    intervals = [_interval(line, number, path) for number, line in enumerate(path.read_text().splitlines(), 1)]
    panel, targeted = genes(build), np.zeros(len(gene_names()), dtype=bool)
    for chrom, start, end in filter(None, intervals):
        inside = (panel["chrom"] == chrom) & (panel["start"] <= end) & (panel["end"] > start)
        targeted |= inside.to_numpy()
    sequenced = np.isfinite(genotypes.assayed).any(axis=1)[:, None]
    told = np.where(np.isnan(genotypes.assayed) & sequenced, targeted.astype(float), genotypes.assayed)
    return Genotypes(genotypes.alleles, genotypes.no_calls, np.where(sequenced & ~targeted, 0.0, told))


def _interval(line: str, number: int, path: Path) -> tuple[str, int, int] | None:
    if not line.strip() or line.startswith(("#", "track", "browser")):
        return None
    fields = line.split()
    if len(fields) < 3 or not fields[1].isdigit() or not fields[2].isdigit():
        raise DataError(f"{path}, line {number}", "this is no interval", "BED wants chrom, start and end.")
    return plain_contig(fields[0]), int(fields[1]), int(fields[2])


@dataclass(frozen=True)
class Header:
    """Samples and contig lengths (0 where not stated) of a VCF."""

    samples: tuple[str, ...]
    contigs: dict[str, int]


def read_header(path: Path) -> Header:
    """Open a VCF or BCF and read its header.

    Raises
    ------
    DataError
        If the file is absent, no VCF, or has no samples.
    """
    if not path.is_file():
        raise DataError(str(path), "there is no such file", "Correct `variants` in the cohort file.")
    pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(path)) as file:
            samples = tuple(file.header.samples)
            contigs = {plain_contig(name): contig.length or 0 for name, contig in file.header.contigs.items()}
    except (ValueError, OSError, NotImplementedError) as error:
        raise DataError(
            str(path), f"this is no VCF or BCF file ({error})", "Give a VCF or BCF, plain or bgzipped."
        ) from None
    return Header(samples, contigs)


def check_build(header: Header, build: str, where: str) -> None:
    """Compare the contig lengths of a header with those of the build that the cohort file claims.

    Raises
    ------
    DataError
        With both builds, if the lengths are those of the other one.
    """
    lengths = definitions("contigs").set_index("chrom")
    for name, length in header.contigs.items():
        if name not in lengths.index or length == 0:
            continue
        matching = [b for b in ("GRCh37", "GRCh38") if int(lengths.loc[name, b.lower()]) == length]
        if matching and build not in matching:
            found = f"contig {name} has {length} bases, as in {matching[0]}, but the cohort file says {build}"
            raise DataError(where, found, f"Set `genome_build: {matching[0]}` or give the files called on {build}.")


def read_common_variants(path: Path, build: str, at_least: float) -> frozenset[str]:
    """Keys of the panel variants whose population frequency (INFO/AF) reaches a threshold.

    Raises
    ------
    DataError
        If the file is no VCF or has no INFO/AF.
    """
    check_build(read_header(path), build, str(path))
    with _query(path, r"%CHROM\t%POS\t%REF\t%ALT\t%INFO/AF\n", build) as table:
        sites = _read_tsv(table, ["chrom", "pos", "ref", "alt", "af"])
    if (sites["af"] == ".").all():
        raise DataError(
            str(path), "no record has INFO/AF", "Give a sites VCF with the population frequency as INFO/AF."
        )
    sites = sites.assign(alt=sites["alt"].str.split(","), af=sites["af"].str.split(",")).explode(["alt", "af"])
    common = sites[pd.to_numeric(sites["af"], errors="coerce") >= at_least]
    return frozenset(_site_keys(common))


def _read_calls(path: Path, build: str) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Calls that are not plain reference, all panel sites, and which of these are filtered out."""
    with _query(path, r"%CHROM\t%POS\t%REF\t%ALT\t%FILTER\n", build) as table:
        sites = _read_tsv(table, ["chrom", "pos", "ref", "alt", "filter"])
    wanted = f'{PASSED} && (GT="alt" || GT="mis")'
    with _query(path, r"[%CHROM\t%POS\t%REF\t%ALT\t%SAMPLE\t%GT\n]", build, wanted) as table:
        calls = _read_tsv(table, CALL_COLUMNS)
    sites["key"] = _site_keys(sites)
    return calls, sites, ~sites["filter"].isin(["PASS", "."]).to_numpy()


@contextmanager
def _query(path: Path, template: str, build: str, include: str | None = None) -> Iterator[Path]:
    """Run `bcftools query` on the panel regions into a temporary file, so that memory does not grow with the output."""
    with tempfile.TemporaryDirectory(prefix="als-ml-") as folder:
        regions, output = Path(folder) / "panel.txt", Path(folder) / "records.tsv"
        regions.write_text(panel_regions(build))
        indexed = any(Path(f"{path}{suffix}").is_file() for suffix in (".tbi", ".csi"))
        arguments = ["-f", template, "-R" if indexed else "-T", str(regions), "-o", str(output)]
        try:
            pysam.bcftools.query(*arguments, *(["-i", include] if include else []), str(path), catch_stdout=False)
        except pysam.SamtoolsError as error:
            raise DataError(str(path), f"bcftools cannot read it ({_reason(error)})", "Repair the file.") from None
        yield output


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).replace("\\n", "\n").splitlines() if line.strip()]
    return lines[-1].strip(" '\")") if lines else "no reason given"


def panel_regions(build: str) -> str:
    """Padded, merged gene bounds as bcftools wants them (1-based inclusive), each contig in both spellings."""
    panel = genes(build)
    bounds = sorted(zip(panel["chrom"], panel["start"] - PADDING, panel["end"] + PADDING, strict=True))
    merged: list[tuple[str, int, int]] = []
    for chrom, start, end in bounds:
        if merged and merged[-1][0] == chrom and start <= merged[-1][2]:
            merged[-1] = (chrom, merged[-1][1], max(end, merged[-1][2]))
        else:
            merged.append((chrom, start, end))
    return "".join(f"{prefix}{c}\t{s}\t{e}\n" for prefix in ("", "chr") for c, s, e in merged)


def _read_tsv(path: Path, names: list[str]) -> pd.DataFrame:
    if not path.is_file() or path.stat().st_size == 0:
        return pd.DataFrame({name: pd.Series([], dtype="int64" if name == "pos" else "str") for name in names})
    types = {name: "int64" if name == "pos" else "str" for name in names}
    return pd.read_csv(path, sep="\t", names=names, dtype=types, keep_default_na=False, quoting=3)


def _site_keys(sites: pd.DataFrame) -> list[str]:
    columns = zip(sites["chrom"], sites["pos"], sites["ref"], sites["alt"], strict=True)
    return [variant_key(chrom, pos, ref, alt.split(",")[0]) for chrom, pos, ref, alt in columns]


def _no_calls(calls: pd.DataFrame, filtered: pd.DataFrame, rows: list[int]) -> pd.DataFrame:
    """`row`, `chrom`, `pos`, `key` of every missing genotype; a filtered record is missing in all patients of the file."""
    missing = {text: parse_genotype(text).missing for text in calls["gt"].unique()}
    own = calls[calls["gt"].map(missing).astype(bool)] if len(calls) else calls
    own = own.assign(key=_site_keys(own))[["row", "chrom", "pos", "key"]]
    return pd.concat([own, filtered[["chrom", "pos", "key"]].merge(pd.DataFrame({"row": rows}), how="cross")])


def _count_records(
    sites: pd.DataFrame, missing: pd.DataFrame, rows: list[int], n: int, build: str
) -> tuple[np.ndarray, np.ndarray]:
    """Called records and all records of the file, per patient and gene (n, G)."""
    per_gene = np.bincount(gene_at(sites["chrom"], sites["pos"], build) + 1, minlength=len(gene_names()) + 1)[1:]
    records = np.zeros((n, len(gene_names())))
    records[rows] = per_gene
    lost = np.zeros_like(records)
    gene = gene_at(missing["chrom"], missing["pos"], build)
    np.add.at(lost, (missing["row"].to_numpy(dtype=int)[gene >= 0], gene[gene >= 0]), 1)
    return records - lost, records


def _check_match(vcf_rows: dict[str, int], matched: set[str], paths: list[Path], problems: Problems) -> None:
    if not matched:
        names = [name for path in paths[:3] for name in read_header(path).samples]
        found = f"none of the {len(vcf_rows)} patients ({examples(vcf_rows)}) is a sample of it ({examples(names)})"
        remedy = "Give the pairs in a `sample_map` table (sample_id, vcf_id)."
        problems.error(_named(paths), found, remedy)
    elif len(matched) < len(vcf_rows):
        absent = [name for name in vcf_rows if name not in matched]
        found = f"{len(absent)} of {len(vcf_rows)} patients are no sample of it ({examples(absent)})"
        problems.warn(_named(paths), found, "Their genotypes stay unknown.", len(absent))


def _named(paths: list[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    empty = pd.DataFrame({name: pd.Series([], dtype=object if name == "key" else int) for name in ALLELE_COLUMNS})
    return one_per_allele(pd.concat(tables, ignore_index=True)) if tables else empty


def _no_sites() -> pd.DataFrame:
    return pd.DataFrame({"row": pd.Series([], dtype=int), "key": pd.Series([], dtype=object)})
