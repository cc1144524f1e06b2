"""Which of two alleles of a patient lie on the same chromosome, as far as a file and parents tell.

Phase in a VCF (VCF 4.5, section 1.6.2): `|` in GT orders the chromosomes, within the phase set that
PS names; records that are phased without PS share one set of their contig. GATK leaves GT unphased
and tells order and set as PGT and PID. Two different alleles of one diploid genotype (`1/2`) are on
different chromosomes whatever is phased. Parents (PED) tell it where one allele is seen in the
father alone and the other in the mother alone, or both in the same one alone; a parent without a
call tells nothing. A FASTA is not asked here: an allele that had to be shifted to be the one that
is asked for is found no more, and its phase is unknown.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from features.errors import DataError
from features.genotypes.genotype import PHASE_TYPES, Genotypes, allele_key, typed_table
from features.genotypes.vcf import Query
from features.temporary import working_folder

UNPHASED, CIS, TRANS = "unphased", "cis", "trans"
RELATIONS = (UNPHASED, CIS, TRANS)
_FIELDS = ("GT", "PS", "PGT", "PID")
_MISSING = (".", "")
# A PED line: family, individual, father, mother, and more that is not used here.
_PED_COLUMNS = 4
_NO_PARENT = "0"


class Phased(NamedTuple):
    """Where one allele of a patient lies: its record, phase set (empty: none) and chromosome."""

    record: str
    phase_set: str
    chromosome: int | None


class Parents(NamedTuple):
    """Sample names of the parents of a patient."""

    father: str
    mother: str


@dataclass(frozen=True)
class Phases:
    """What is known of the phase of some alleles.

    Attributes
    ----------
    of : dict
        (sample, key) -> where the allele lies.
    inherited : dict
        (sample, key) -> the parent that alone has it, `father` or `mother`.
    """

    of: dict[tuple[str, str], Phased]
    inherited: dict[tuple[str, str], str]

    def add(self, number: int, file: "Phases") -> None:
        """Take over what another file says; its records and phase sets are its own.

        Parameters
        ----------
        number : int
            Of the file.
        file : Phases
            Of `read_phases`.
        """
        for name, place in file.of.items():
            of_file = f"{number}:{place.phase_set}" if place.phase_set else ""
            self.of[name] = Phased(f"{number}:{place.record}", of_file, place.chromosome)
        self.inherited.update(file.inherited)

    def relation(self, sample: str, one: str, other: str) -> str:
        """Whether two heterozygous alleles of a patient lie on the same chromosome.

        Parameters
        ----------
        sample : str
            Name in the VCF.
        one, other : str
            Keys of the alleles.

        Returns
        -------
        str
            Of RELATIONS.
        """
        a, b = self.of.get((sample, one)), self.of.get((sample, other))
        if a and b and a.record == b.record:
            return TRANS
        if a and b and a.phase_set and a.phase_set == b.phase_set:
            return CIS if a.chromosome == b.chromosome else TRANS
        from_one, from_other = (self.inherited.get((sample, key)) for key in (one, other))
        if from_one and from_other:
            return CIS if from_one == from_other else TRANS
        return UNPHASED


# Sample -> keys of the alleles of one gene that may be a pair -> what is known of their phase.
ReadPhases = Callable[[dict[str, set[str]]], Phases]


def phase_pairs(
    genotypes: Genotypes, chosen: np.ndarray, names: Sequence[str], read: ReadPhases
) -> pd.DataFrame:
    """What is known of the phase of some alleles: each pair of a patient in one gene.

    Parameters
    ----------
    genotypes : Genotypes
        Of a cohort.
    chosen : array of bool (alleles,)
        The heterozygous alleles that are asked for.
    names : sequence of str
        Sample name of each patient in the files.
    read : callable
        Told which keys of which samples are wanted, says what is known.

    Returns
    -------
    DataFrame
        As `Genotypes.phases`; a pair of which nothing is known has no row.
    """
    row, site = (genotypes.alleles[n].to_numpy()[chosen].tolist() for n in ("row", "site"))
    keys = genotypes.sites["key"].to_numpy(dtype=object)
    groups: dict[tuple[int, int], list[int]] = {}
    for patient, gene, number in zip(row, genotypes.genes()[chosen].tolist(), site, strict=True):
        groups.setdefault((patient, gene), []).append(number)
    wanted: dict[str, set[str]] = {}
    for (patient, _), sites in groups.items():
        if len(sites) > 1:
            wanted.setdefault(names[patient], set()).update(keys[sites])
    phases = read(wanted) if wanted else Phases(of={}, inherited={})
    pairs = [
        (patient, one, other, relation == CIS)
        for (patient, _), sites in groups.items()
        for one, other in combinations(sites, 2)
        if (relation := phases.relation(names[patient], keys[one], keys[other])) != UNPHASED
    ]
    return typed_table(pairs, PHASE_TYPES)


def read_ped(path: Path) -> dict[str, Parents]:
    """Parents of each patient of whom both are named.

    Parameters
    ----------
    path : Path
        PED: family, individual, father, mother, sex, phenotype; blanks between, `#` comments.

    Returns
    -------
    dict of Parents
        Individual -> its parents.

    Raises
    ------
    DataError
        With the line, if it has fewer than four columns, or an individual is there twice or its own
        parent.
    """
    found, seen = dict[str, Parents](), set[str]()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            str(path), f"this PED cannot be read ({error})", "Repair it.", code="file_unreadable"
        ) from None
    for number, line in enumerate(lines, 1):
        cells = line.split()
        if not cells or line.startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(cells) < _PED_COLUMNS:
            remedy = "Give family, individual, father and mother, 0 where a parent is not known."
            raise DataError(where, f"it has {len(cells)} columns", remedy, code="line_refused")
        individual, parents = cells[1], Parents(*cells[2:_PED_COLUMNS])
        if individual in seen:
            raise DataError(
                where, "this individual is there twice", "Give one line each.", code="row_twice"
            )
        if individual in parents:
            raise DataError(
                where, "this individual is its own parent", "Correct the line.", code="line_refused"
            )
        seen.add(individual)
        if _NO_PARENT not in parents:
            found[individual] = parents
    return found


def read_phases(
    query: Query, wanted: Mapping[str, Iterable[str]], parents: Mapping[str, Parents]
) -> Phases:
    """Read the phase of some alleles of some patients.

    Parameters
    ----------
    query : Query
        The file; its regions are replaced by the places that are wanted.
    wanted : mapping
        Sample -> keys of the alleles.
    parents : mapping
        Of `read_ped`; those that are not in the file tell nothing.

    Returns
    -------
    Phases
        As far as the file tells.
    """
    keys = {sample: frozenset(some) for sample, some in wanted.items()}
    places = sorted({_place(key) for some in keys.values() for key in some})
    present = set(query.header.samples)
    known = {s: p for s, p in parents.items() if s in keys and set(p) <= present}
    samples = sorted(set(keys) | {name for pair in known.values() for name in pair})
    phases = Phases(of={}, inherited={})
    if not places:
        return phases
    asked = replace(query, regions=[(chrom, pos, pos) for chrom, pos in places], fasta=None)
    for number, (names, calls) in enumerate(_records(asked, samples)):
        for sample, some in keys.items():
            for allele, key in enumerate(names, 1):
                if key in some:
                    _add(phases, number, sample, key, allele, calls, known.get(sample))
    return phases


class _Call(NamedTuple):
    """Alleles of one call, None a missing one, and its phase: the set and the order in it."""

    alleles: tuple[int | None, ...]
    phase_set: str
    ordered: tuple[int | None, ...]


def _add(
    phases: Phases,
    record: int,
    sample: str,
    key: str,
    allele: int,
    calls: dict[str, _Call],
    parents: Parents | None,
) -> None:
    call = calls[sample]
    if call.alleles.count(allele) != 1 or len(call.alleles) != 2:
        return
    chromosome = call.ordered.index(allele) if allele in call.ordered else None
    phase_set = call.phase_set if chromosome is not None else ""
    phases.of[sample, key] = Phased(str(record), phase_set, chromosome)
    if parents is None:
        return
    father, mother = (calls[name].alleles for name in parents)
    if None in father or None in mother or not father or not mother:
        return
    if (allele in father) != (allele in mother):
        phases.inherited[sample, key] = "father" if allele in father else "mother"


def _records(query: Query, samples: list[str]) -> Iterator[tuple[list[str], dict[str, _Call]]]:
    """Keys of the alternatives of each record, and the call of each sample."""
    fields = [name for name in _FIELDS if name in query.header.formats]
    template = r"%CHROM\t%POS\t%REF\t%ALT[\t" + ":".join(f"%{name}" for name in fields) + r"]\n"
    # The order of the columns is that of the file, whatever order is asked for.
    order = [name for name in query.header.samples if name in set(samples)]
    with working_folder("phase") as folder:
        chosen = Path(folder) / "samples.txt"
        chosen.write_text("\n".join(order) + "\n", encoding="utf-8")
        yield from _asked(query, ["-S", str(chosen), "-f", template], fields, order)


def _asked(
    query: Query, arguments: list[str], fields: list[str], order: list[str]
) -> Iterator[tuple[list[str], dict[str, _Call]]]:
    with query.lines(*arguments) as lines:
        for line in lines:
            chrom, pos, ref, alts, *cells = line.decode(errors="replace").rstrip("\n").split("\t")
            names = [allele_key(chrom, int(pos), ref, alt) for alt in alts.split(",")]
            parts = (dict(zip(fields, cell.split(":"), strict=False)) for cell in cells)
            yield names, {s: _call(part, chrom) for s, part in zip(order, parts, strict=True)}


def _call(cell: dict[str, str], chrom: str) -> _Call:
    text = cell.get("GT", ".")
    order, phase_set = text, f"{chrom}:{_or_empty(cell.get('PS'))}"
    if "|" not in text:
        order, physical = _or_empty(cell.get("PGT")), _or_empty(cell.get("PID"))
        phase_set = f"{chrom}:PID:{physical}" if physical else ""
    ordered = _alleles(order) if "|" in order else ()
    return _Call(alleles=_alleles(text), phase_set=phase_set, ordered=ordered)


def _or_empty(text: str | None) -> str:
    return "" if text is None or text in _MISSING else text


def _alleles(text: str) -> tuple[int | None, ...]:
    parts = text.replace("|", "/").strip("/").split("/")
    return tuple(int(part) if part.isdigit() else None for part in parts)


def _place(key: str) -> tuple[str, int]:
    chrom, pos, _, _ = key.split("-")
    return chrom, int(pos)
