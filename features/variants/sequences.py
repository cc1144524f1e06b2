"""The coding sequence of each gene model, and the codons that are possible where it is not known.

`definitions/coding_sequences.tsv` holds the bases of each model, 5' to 3' on its own strand, in
IUPAC letters: `N` where a base is not known, `R` where the two builds differ.
`definitions/proteins.tsv` holds the protein of a model: where bases are not known, the residue
leaves one to six codons, and each known base leaves fewer. Where a known base fits no codon of the
residue, the base is right and the residue is not known. Inside of the sequence no codon is a stop.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

from features.catalogue import Definitions, derived
from features.errors import DataError
from features.variants.gene_models import transcripts

BASES = "TCAG"
# The standard genetic code in NCBI's order of the bases T, C, A, G (translation table 1).
_AMINO_ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
GENETIC_CODE = dict(zip(map("".join, product(BASES, repeat=3)), _AMINO_ACIDS, strict=True))
IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT",
    "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
START, STOPS = "ATG", ("TAA", "TAG", "TGA")
UNKNOWN_RESIDUE = "X"
_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


def reverse_complement(bases: str) -> str:
    """The other strand, 5' to 3'.

    Parameters
    ----------
    bases : str
        A, C, G, T and N.

    Returns
    -------
    str
        As long.

    Examples
    --------
    >>> reverse_complement("ATGC")
    'GCAT'
    """
    return bases.translate(_COMPLEMENT)[::-1]


def translate(bases: str) -> str:
    """Residues of whole codons, one letter each, `*` for a stop.

    Parameters
    ----------
    bases : str
        A, C, G and T; what is left over of the last codon is not read.

    Returns
    -------
    str
        One letter a codon.

    Examples
    --------
    >>> translate("ATGGCTTAG")
    'MA*'
    """
    return "".join([GENETIC_CODE[bases[i : i + 3]] for i in range(0, len(bases) - 2, 3)])


@dataclass(frozen=True)
class CodingSequence:
    """What is known of the coding sequence of one gene model.

    Attributes
    ----------
    gene : str
    bases : str
        IUPAC letters, as many as the model has coding bases.
    codons : tuple of tuple of str
        For each codon those that are possible, at least one.
    source : str
        Where the bases, or the protein that stands for them, are from.
    """

    gene: str
    bases: str
    codons: tuple[tuple[str, ...], ...]
    source: str

    def __len__(self) -> int:
        """Number of bases, stop codon included."""
        return len(self.bases)

    @cached_property
    def known(self) -> bool:
        """Whether every base is known, but for those in which the builds differ."""
        return "N" not in self.bases

    @cached_property
    def base_sets(self) -> tuple[frozenset[str], ...]:
        """Possible bases at each offset."""
        return tuple(
            frozenset(codon[place] for codon in codons)
            for codons in self.codons
            for place in range(3)
        )

    @cached_property
    def residues(self) -> tuple[frozenset[str], ...]:
        """Possible residues of each codon."""
        return tuple(frozenset(GENETIC_CODE[codon] for codon in codons) for codons in self.codons)

    @cached_property
    def shifted_stops(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Share of stops among the triplets that begin at the second, and the third, base."""
        pairs = list(zip(self.codons[:-1], self.codons[1:], strict=True))
        return _stop_shares(pairs, 1), _stop_shares(pairs, 2)

    def fitting(self, index: int, reference: dict[int, str]) -> tuple[str, ...]:
        """Possible codons that have the bases of a record; any codon with those bases if none has.

        Parameters
        ----------
        index : int
            Of the codon, from 0.
        reference : dict
            Place in the codon (0-2) -> base.

        Returns
        -------
        tuple of str
            Codons.
        """
        fits = _with_bases(self.codons[index], reference)
        return fits or _with_bases(tuple(GENETIC_CODE), reference)


def _with_bases(codons: tuple[str, ...], reference: dict[int, str]) -> tuple[str, ...]:
    for place, base in reference.items():
        codons = tuple(codon for codon in codons if codon[place] == base)
    return codons


def _stop_shares(
    pairs: list[tuple[tuple[str, ...], tuple[str, ...]]], gone: int
) -> tuple[float, ...]:
    shares = []
    for left, right in pairs:
        ends, starts = [c[gone:] for c in left], [c[:gone] for c in right]
        stops = sum(end + start in STOPS for end in ends for start in starts)
        shares.append(stops / (len(ends) * len(starts)))
    return tuple(shares)


@derived
def coding_sequences(definitions: Definitions) -> dict[str, CodingSequence]:
    """Coding sequences by gene; none with the tables of an earlier model, which had none.

    Parameters
    ----------
    definitions : Definitions
        With sequences, proteins and gene models.

    Returns
    -------
    dict of CodingSequence
        Only of genes with a sequence.

    Raises
    ------
    DataError
        If a sequence or a protein is not as long as its gene model.
    """
    if "coding_sequences" not in definitions.texts:
        return {}
    models = transcripts(definitions, "GRCh38")
    proteins = {row["gene"]: row for row in definitions.table("proteins").to_dict("records")}
    made = {}
    for row in definitions.table("coding_sequences").to_dict("records"):
        gene, bases, protein = row["gene"], row["bases"], proteins.get(row["gene"], {})
        source = _sources(row["source"], protein.get("source", "") if "N" in bases else "")
        made[gene] = by_residues(gene, bases, protein.get("residues", ""), source)
        _check_length(gene, "bases", len(bases), models[gene].coding_length)
        _check_length(gene, "codons", len(made[gene].codons), models[gene].coding_length // 3)
    return made


def _sources(*sources: str) -> str:
    return "; ".join(filter(None, sources))


def _check_length(gene: str, what: str, length: int, expected: int) -> None:
    if length != expected:
        raise DataError(
            "definitions, coding_sequences or proteins",
            f"{gene}: {length} {what}, the gene model has {expected}",
            "Give the sequence of the transcript in definitions/gene_models.tsv.",
            code="definition_refused",
        )


def by_residues(gene: str, bases: str, protein: str, source: str) -> CodingSequence:
    """Codons that fit both the bases (IUPAC letters) and the residues, the stop not among them.

    Without a protein any codon but a stop is possible.

    Parameters
    ----------
    gene : str
        Its name.
    bases : str
        Three a codon, with the stop.
    protein : str
        One letter a residue, or nothing.
    source : str
        Of both.

    Returns
    -------
    CodingSequence
        The first codon is the start.
    """
    residues = protein + "*" if protein else UNKNOWN_RESIDUE * (len(bases) // 3 - 1) + "*"
    codons = [
        _possible(bases[3 * i : 3 * i + 3], residue, inner=i < len(residues) - 1)
        for i, residue in enumerate(residues)
    ]
    codons[0] = (START,)
    return CodingSequence(gene=gene, bases=bases, codons=tuple(codons), source=source)


def _possible(pattern: str, residue: str, inner: bool) -> tuple[str, ...]:
    """Codons that fit a pattern and a residue; where none does, those that fit the pattern."""
    by_bases = tuple(map("".join, product(*(IUPAC[letter] for letter in pattern))))
    allowed = tuple(codon for codon in by_bases if (codon not in STOPS) == inner)
    by_both = tuple(codon for codon in allowed if GENETIC_CODE[codon] == residue)
    return by_both or allowed or by_bases


def unresolved_genes(definitions: Definitions) -> dict[str, bool]:
    """Gene whose sequence is not known in full -> whether its protein stands for it.

    Parameters
    ----------
    definitions : Definitions
        Whose sequences are asked.

    Returns
    -------
    dict of bool
        In the order of the sequences.
    """
    return {
        gene: sum(len(residues) == 1 for residues in sequence.residues) > len(sequence.codons) / 2
        for gene, sequence in coding_sequences(definitions).items()
        if not sequence.known
    }


# Bases or residues in which a sequence may differ from what is known here: public records of two
# builds and of the protein differ at such a place where the population does (OPTN: 1 of each).
MOST_DIFFERENT = 2


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A sequence that holds, and what it was compared with.

    Attributes
    ----------
    bases : str
        IUPAC letters: where a known base differs, the letter of both.
    compared, different : int
        Bases known here, and of them those that differ.
    residues, residues_different : int
        The same of the protein.
    """

    bases: str
    compared: int
    different: int
    residues: int
    residues_different: int


def checked_sequence(definitions: Definitions, gene: str, bases: str) -> Checked:
    """Check a coding sequence by all that is known here of its gene.

    Length, start, stop and no other stop; each base that public records know; the protein.

    Parameters
    ----------
    definitions : Definitions
        With the gene model, what is known of its sequence, and its protein.
    gene : str
        Symbol.
    bases : str
        As fetched.

    Returns
    -------
    Checked
        With what was compared.

    Raises
    ------
    DataError
        With the first check that fails.
    """
    bases = bases.upper()
    _check_reading(gene, bases, transcripts(definitions, "GRCh38")[gene].coding_length)
    rows = {row["gene"]: row for row in definitions.rows("coding_sequences")}
    known = rows[gene]["bases"]
    letters = [IUPAC[letter] for letter in known]
    told = [i for i, letter in enumerate(known) if letter != "N"]
    differ = [i for i in told if bases[i] not in letters[i]]
    proteins = {row["gene"]: row["residues"] for row in definitions.rows("proteins")}
    protein = proteins.get(gene, "")
    pairs = list(zip(protein, translate(bases), strict=False))
    residues = sum(a != b for a, b in pairs)
    for what, n, of in (("bases", len(differ), len(told)), ("residues", residues, len(pairs))):
        if n > MOST_DIFFERENT:
            raise DataError(
                gene,
                f"{n} of {of} known {what} differ",
                "Give the sequence of its gene model.",
                code="definition_refused",
            )
    both = {"".join(sorted(options)): letter for letter, options in IUPAC.items()}
    joined = list(bases)
    for i in differ:
        joined[i] = both["".join(sorted({bases[i], *letters[i]}))]
    return Checked(
        bases="".join(joined),
        compared=len(told),
        different=len(differ),
        residues=len(pairs),
        residues_different=residues,
    )


def _check_reading(gene: str, bases: str, length: int) -> None:
    if set(bases) - set("ACGT"):
        raise DataError(
            gene,
            "it has other letters than A, C, G and T",
            "Give its bases.",
            code="definition_refused",
        )
    if len(bases) != length:
        found = f"it has {len(bases)} bases, the gene model has {length}"
        raise DataError(
            gene,
            found,
            "Give the transcript of definitions/gene_models.tsv.",
            code="definition_refused",
        )
    residues = translate(bases)
    if not bases.startswith(START) or residues.find("*") != len(residues) - 1:
        raise DataError(
            gene,
            "it does not read from a start to its one stop",
            "Give its coding part.",
            code="definition_refused",
        )
