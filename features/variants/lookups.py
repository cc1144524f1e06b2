"""What the user's reference files say of variants: population frequencies, ClinVar, consequences by
`bcftools csq`.

Frequencies: a sites VCF with INFO/AF (gnomAD). ClinVar: NCBI's VCF with CLNSIG and CLNREVSTAT.
FASTA: the reference genome with an index, of which only the panel needs to be there. A model stores
the first two, so that a patient gets the same answer alone, in a batch and years later.
"""

import hashlib
import json
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.catalogue import Definitions, gene_at, gene_names, plain_contig
from features.errors import DataError
from features.genotypes.bcftools import bcftools
from features.genotypes.vcf import fasta_contigs, fasta_prefix, read_sites, site_query
from features.stored import Json
from features.temporary import working_folder
from features.variants.annotation import Effect, effect_of
from features.variants.gene_models import transcripts, write_gff
from features.variants.scores import MissenseScore

# Review status of ClinVar as gold stars (ncbi.nlm.nih.gov/clinvar/docs/review_status, R).
STARS = {
    "practice_guideline": 4,
    "reviewed_by_expert_panel": 3,
    "multiple_submitters": 2,
    "single_submitter": 1,
    "conflicting": 1,
}
_BCSQ_HEADER = "Format: consequence|gene|transcript|biotype|strand|amino_acid_change|dna_change"


class Assertion(NamedTuple):
    """ClinVar's word on a variant."""

    significance: str
    stars: int


class Stated(NamedTuple):
    """A laboratory's word on a variant: a criterion, its points and why."""

    name: str
    points: int
    reason: str


@dataclass(frozen=True, eq=False)
class Lookups:
    """References to look a variant up in, each None if it was not given.

    Keys are chrom-pos-ref-alt, minimal.

    Compared by identity, so that what was found in one can be kept.

    Attributes
    ----------
    frequencies : dict
        Alternative allele frequency in the population; a variant that is not there has frequency 0.
    clinvar : dict
        Assertions.
    effects : dict
        Consequences that bcftools csq found with the user's FASTA.
    reach : int or None
        Bases on both sides of a record that the frequency file covers; None, as for models stored
        before this was looked at: the whole panel.
    population : dict
        Key -> highest frequency of any group, and what the frequency is at least (FAF95).
    missense : MissenseScore or None
        The one missense score that was chosen; None: the first of those that a variant has.
    likelihoods : dict
        Calibrated likelihood ratios of functional scores, by key or `GENE:A5V`. Not stored.
    stated : dict
        Criteria of a laboratory by key. Not stored: they rest on the patients themselves.
    """

    frequencies: dict[str, float] | None = None
    clinvar: dict[str, Assertion] | None = None
    effects: dict[str, Effect] | None = None
    reach: int | None = None
    population: dict[str, tuple[float | None, float | None]] | None = None
    missense: MissenseScore | None = None
    likelihoods: dict[str, float] | None = None
    stated: dict[str, tuple[Stated, ...]] | None = None

    def frequency(self, key: str) -> float | None:
        """Population frequency of a variant; None where the file says nothing.

        Parameters
        ----------
        key : str
            chrom-pos-ref-alt, minimal.

        Returns
        -------
        float or None
            0 for a variant that is not in the file, at a place that the file covers.
        """
        if self.frequencies is None:
            return None
        looked_up = self.frequencies.get(key)
        if looked_up is not None:
            return looked_up
        if key in (self.population or {}):
            return None  # too few people were looked at
        return 0.0 if self.reach is None or self._covers(key) else None

    def bounds(self, key: str) -> tuple[float | None, float | None]:
        """Highest frequency of any group, and what the frequency is at least, of a variant.

        Parameters
        ----------
        key : str
            chrom-pos-ref-alt, minimal.

        Returns
        -------
        (float or None, float or None)
            As far as the file tells.
        """
        return (self.population or {}).get(key, (None, None))

    def _covers(self, key: str) -> bool:
        chrom, pos, _, _ = key.split("-")
        places, reach = self._places.get(chrom, []), self.reach or 0
        index = bisect_left(places, int(pos) - reach)
        return index < len(places) and places[index] <= int(pos) + reach

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Sorted positions of the file's records by contig."""
        found: dict[str, list[int]] = {}
        for key in self.frequencies or {}:
            chrom, pos, _, _ = key.split("-")
            found.setdefault(chrom, []).append(int(pos))
        return {chrom: sorted(places) for chrom, places in found.items()}

    def same_references(self, other: "Lookups") -> bool:
        """Whether both look a variant up in the very same frequencies and assertions.

        Parameters
        ----------
        other : Lookups
            Of another cohort or model.

        Returns
        -------
        bool
            Whether they are the same objects, not only equal.
        """
        mine = (self.frequencies, self.clinvar, self.missense)
        return all(
            a is b
            for a, b in zip(mine, (other.frequencies, other.clinvar, other.missense), strict=True)
        )

    @cached_property
    def digest(self) -> str:
        """Digest of what a model stores of them: 12 hexadecimal digits, `none` without any."""
        if self.frequencies is None and self.clinvar is None and self.missense is None:
            return "none"
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_json(self) -> Json:
        """Give what a model stores: frequencies, assertions and the chosen missense score, which
        are public and of no patient.
        """
        asserted = (
            None if self.clinvar is None else {key: list(a) for key, a in self.clinvar.items()}
        )
        stored: dict[str, object] = {"frequencies": self.frequencies, "clinvar": asserted}
        if self.reach is not None:
            stored["reach"] = self.reach
        if self.population:
            stored["population"] = {key: list(pair) for key, pair in self.population.items()}
        if self.missense is not None:
            stored["missense"] = list(self.missense)
        return stored

    @classmethod
    def from_json(cls, stored: Json) -> "Lookups":
        """Rebuild what `as_json` gave.

        Parameters
        ----------
        stored : dict
            `frequencies` and `clinvar`.

        Returns
        -------
        Lookups
            Without effects, which belong to a file.
        """
        clinvar = stored["clinvar"]
        population, missense = stored.get("population"), stored.get("missense")
        return cls(
            frequencies=stored["frequencies"],
            clinvar=clinvar and {key: Assertion(*a) for key, a in clinvar.items()},
            reach=stored.get("reach"),
            population=population and {key: (pair[0], pair[1]) for key, pair in population.items()},
            missense=missense and MissenseScore(*missense),
        )


NO_LOOKUPS = Lookups()


# A frequency file covers the bases around its records, not whole genes: gnomAD has one every few
# bases of an exon, so that 50 bases (P) bridge its gaps there and end soon after an exon's end.
REACH = 50
# A rare variant that fewer chromosomes than this were looked at for is of unknown frequency (P).
LEAST_ALLELES, RARE = 2_000, 1e-3
# Names of gnomAD 2.1, 3 and 4, the newest first.
_HIGHEST = ("AF_grpmax", "AF_popmax", "popmax_AF")
_FILTERING = ("fafmax_faf95_max", "faf95_popmax", "faf95")


def read_lookups(
    definitions: Definitions, build: str, frequencies: Path | None, clinvar: Path | None
) -> Lookups:
    """Read the user's references, each if it is given.

    Parameters
    ----------
    definitions : Definitions
        Whose gene panel is read.
    build : str
        GRCh37 or GRCh38.
    frequencies, clinvar : Path or None
        Sites VCFs.

    Returns
    -------
    Lookups
        Without effects.
    """
    asserted = read_clinvar(definitions, clinvar, build) if clinvar else None
    if frequencies is None:
        return Lookups(clinvar=asserted)
    known = read_frequencies(definitions, frequencies, build)
    return population_lookups(known, _optional_fields(definitions, frequencies, build), asserted)


def population_lookups(
    known: dict[str, float],
    fields: dict[str, dict[str, float]],
    clinvar: dict[str, Assertion] | None,
) -> Lookups:
    """Lookups of a frequency file.

    Parameters
    ----------
    known : dict of float
        Key -> AF.
    fields : dict of dict
        Further INFO fields -> key -> value: AN, highest frequency of a group, FAF95.
    clinvar : dict of Assertion or None
        By key.

    Returns
    -------
    Lookups
        A rare variant for which few chromosomes were looked at is of unknown frequency.
    """
    few = {key for key, n in fields.get("AN", {}).items() if n < LEAST_ALLELES}
    unsure = {key for key, frequency in known.items() if key in few and frequency < RARE}
    return Lookups(
        frequencies={key: f for key, f in known.items() if key not in unsure},
        clinvar=clinvar,
        reach=REACH,
        population=_population(known, fields) | dict.fromkeys(unsure, (None, None)),
    )


def _optional_fields(
    definitions: Definitions, path: Path, build: str
) -> dict[str, dict[str, float]]:
    """Numbers by key of each field that the file has, of those that are used beside AF."""
    header = site_query(definitions, path, build).header
    present = [name for name in ("AN", *_HIGHEST, *_FILTERING) if name in header.info]
    return {
        name: {
            key: float(value)
            for key, value in _field_by_key(definitions, path, build, name, name)
            if _is_number(value)
        }
        for name in present
    }


def _population(
    known: dict[str, float], fields: dict[str, dict[str, float]]
) -> dict[str, tuple[float | None, float | None]]:
    """Highest frequency, and lower bound, of each variant for which the file tells one of them."""
    made: dict[str, tuple[float | None, float | None]] = {}
    for key, frequency in known.items():
        groups = [fields[name][key] for name in _HIGHEST if key in fields.get(name, {})]
        told = [fields[name][key] for name in _FILTERING if key in fields.get(name, {})]
        alleles = fields.get("AN", {}).get(key)
        least = told[0] if told else _at_least(frequency, alleles)
        if groups or least is not None:
            made[key] = (max([frequency, *groups]), least)
    return made


def _at_least(frequency: float, alleles: float | None) -> float | None:
    """Lower 95 % bound of a frequency among so many alleles (Whiffin 2017, PMID 28518168, R).

    >>> round(_at_least(3e-5, 100_000), 7), _at_least(0.0, 100_000)
    (8.2e-06, 0.0)
    """
    from scipy.special import gammaincinv  # 10 MB, where there are references

    if not alleles:
        return None
    seen = round(frequency * alleles)
    return float(gammaincinv(seen, 0.05) / alleles) if seen else 0.0


def read_frequencies(definitions: Definitions, path: Path, build: str) -> dict[str, float]:
    """Population frequency (INFO/AF) of each panel variant of a sites VCF.

    Parameters
    ----------
    definitions : Definitions
        Whose gene panel is read.
    path : Path
        Sites VCF, as gnomAD's.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    dict of float
        chrom-pos-ref-alt -> 0 to 1.

    Raises
    ------
    DataError
        If the file is not a VCF or has no INFO/AF.
    """
    return {
        key: float(f)
        for key, f in _field_by_key(definitions, path, build, "AF", "population frequency")
        if _is_number(f)
    }


def read_clinvar(definitions: Definitions, path: Path, build: str) -> dict[str, Assertion]:
    """ClinVar's assertions (INFO/CLNSIG, CLNREVSTAT) on panel variants.

    Parameters
    ----------
    definitions : Definitions
        Whose gene panel is read.
    path : Path
        NCBI's VCF.
    build : str
        GRCh37 or GRCh38.

    Returns
    -------
    dict of Assertion
        By chrom-pos-ref-alt.

    Raises
    ------
    DataError
        If the file is not a VCF or has no INFO/CLNSIG.
    """
    significance = dict(_field_by_key(definitions, path, build, "CLNSIG", "clinical significance"))
    status = dict(_field_by_key(definitions, path, build, "CLNREVSTAT", "review status"))
    return {
        key: Assertion(text, _stars(status.get(key, "")))
        for key, text in significance.items()
        if text != "."
    }


def _stars(status: str) -> int:
    return next(
        (stars for word, stars in STARS.items() if word in status and "no_assertion" not in status),
        0,
    )


def _field_by_key(
    definitions: Definitions, path: Path, build: str, name: str, what: str
) -> list[tuple[str, str]]:
    query = site_query(definitions, path, build)
    if name not in query.header.info:
        raise DataError(
            str(path),
            f"no record has INFO/{name}",
            f"Give a sites VCF with the {what} as INFO/{name}.",
            code="column_missing",
        )
    sites, pairs = read_sites(query, (name,)), []
    for i, info in enumerate(sites.info):
        keys, values = sites.keys(i), info[name].split(",")
        by_allele = values if len(values) == len(keys) else [info[name]] * len(keys)
        pairs += [(key, value) for key, value in zip(keys, by_allele, strict=True) if key]
    return pairs


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def predicted_effects(
    definitions: Definitions, keys: list[str], build: str, fasta: Path, gff: Path | None = None
) -> dict[str, Effect]:
    """Consequences of variants by `bcftools csq`, one at a time (not joined into haplotypes).

    Parameters
    ----------
    keys : list of str
        chrom-pos-ref-alt.
    fasta : Path
        Reference genome, indexed (`samtools faidx`), contigs with or without `chr`.
    gff : Path, optional
        Gene models to use instead of the shipped ones (Ensembl GFF3).

    Raises
    ------
    DataError
        If the FASTA cannot be read, or REF differs from it.
    """
    with working_folder("lookups") as folder:
        contigs = fasta_contigs(fasta)
        prefix = fasta_prefix(fasta)
        sites, models = Path(folder) / "sites.vcf", gff or Path(folder) / "models.gff3"
        written = _write_sites(sites, keys, contigs, prefix)
        if gff is None:
            write_gff(
                definitions,
                models,
                build,
                prefix,
                frozenset(plain_contig(name) for name in contigs),
            )
        steps = (["csq", "-f", str(fasta), "-g", str(models), "-l", "--force", "-Ov", str(sites)],)
        with bcftools(
            *steps, ["query", "-f", r"%ID\t%INFO/BCSQ\n", "-"], where=str(fasta)
        ) as lines:
            predicted = dict(line.decode().rstrip("\n").split("\t") for line in lines)
    return {
        key: effect
        for key in written
        if (effect := _csq_effect(definitions, key, predicted.get(key, "."), build)) is not None
    }


def _write_sites(path: Path, keys: list[str], contigs: dict[str, int], prefix: str) -> list[str]:
    """Write the variants whose contig the FASTA has, sorted, with their key as ID."""
    rows = []
    for key in keys:
        chrom, pos, ref, alt = key.split("-")
        if prefix + chrom in contigs:
            rows.append((prefix + chrom, int(pos), key, ref, alt))
    rows.sort()
    header = [
        "##fileformat=VCFv4.2",
        *(f"##contig=<ID={name},length={n}>" for name, n in contigs.items()),
    ]
    header.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    body = [f"{chrom}\t{pos}\t{key}\t{ref}\t{alt}\t.\t.\t." for chrom, pos, key, ref, alt in rows]
    path.write_text("\n".join([*header, *body]) + "\n")
    return [row[2] for row in rows]


def _csq_effect(definitions: Definitions, key: str, text: str, build: str) -> Effect | None:
    chrom, pos, ref, alt = key.split("-")
    gene = gene_at(definitions, chrom, int(pos), build)
    effect = None
    if gene >= 0 and text != ".":
        effect = effect_of(
            definitions,
            {"BCSQ": text},
            {"BCSQ": _BCSQ_HEADER},
            alt,
            0,
            gene_names(definitions)[gene],
            ref,
        )
    if effect is None:
        return None
    model = transcripts(definitions, build).get(gene_names(definitions)[gene])
    return effect._replace(
        origin="bcftools csq", transcript=model.name if model else effect.transcript
    )
