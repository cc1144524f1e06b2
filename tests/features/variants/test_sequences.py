"""The coding sequences against all that is known of them from elsewhere, and what the protein says.

The public data that they are compared with: REF of gnomAD r2.1 (GRCh37) and of ClinVar 2020 (both
builds), the residues of ClinVar's names, the proteins of UniProt.
"""

import gzip
from dataclasses import replace

import pandas as pd
import pytest

from features.catalogue import Definitions, known_variants, shipped
from features.errors import DataError
from features.variants.annotation import protein_change
from features.variants.coding_change import Edit, coding_change, new_stop
from features.variants.gene_models import transcripts
from features.variants.sequences import (
    GENETIC_CODE,
    STOPS,
    CodingSequence,
    by_residues,
    coding_sequences,
    reverse_complement,
    translate,
)
from tests.definitions import with_cell

SEQUENCES = coding_sequences(shipped())
WHOLE = [gene for gene, sequence in SEQUENCES.items() if sequence.known]


def only(sequence: CodingSequence) -> CodingSequence:
    """The sequence as the record of GRCh38 has it: OPTN c.964 is G."""
    bases = sequence.bases.replace("R", "G")
    codons = tuple((bases[i : i + 3],) for i in range(0, len(bases), 3))
    return replace(sequence, bases=bases, codons=codons)


def test_each_model_has_a_sequence_of_its_length_from_start_to_stop():
    models = transcripts(shipped(), "GRCh38")
    assert list(SEQUENCES) == list(models)
    assert len(WHOLE) == 14
    for gene, sequence in SEQUENCES.items():
        assert len(sequence) == models[gene].coding_length == 3 * len(sequence.codons), gene
        assert sequence.codons[0] == ("ATG",)
        assert set(sequence.codons[-1]) <= set(STOPS)
        assert not any(set(codons) & set(STOPS) for codons in sequence.codons[:-1])
    assert sum(len(SEQUENCES[gene]) for gene in WHOLE) == 28_842


def _records(reference_data):
    """Chromosome, position, REF and build of every public record."""
    gnomad = reference_data / "gnomad" / "gnomad_r2.1_als_genes.GRCh37.tsv.gz"
    table = pd.read_csv(
        gnomad, sep="\t", dtype=str, usecols=["Chromosome", "Position", "Reference"]
    )
    yield from ((*row, "GRCh37") for row in table.itertuples(index=False))
    for build in ("GRCh37", "GRCh38"):
        path = reference_data / "clinvar" / f"clinvar_als_2020.{build}.vcf.gz"
        with gzip.open(path, "rt") as lines:
            rows = [line.split("\t") for line in lines if not line.startswith("#")]
        yield from ((row[0], row[1], row[3], build) for row in rows)


@pytest.mark.slow
def test_ref_of_every_public_record_is_a_possible_base(reference_data):
    """gnomAD r2.1 and ClinVar 2020: 19,936 bases compared, none differs."""
    compared = 0
    for chrom, pos, ref, build in _records(reference_data):
        for gene, model in transcripts(shipped(), build).items():
            if model.chrom == chrom and model.starts[0] <= int(pos) <= model.ends[-1]:
                for i, base in enumerate(ref):
                    offset = model.coding_offset(int(pos) + i)
                    if offset is not None:
                        own = base if model.strand == "+" else reverse_complement(base)
                        assert own in SEQUENCES[gene].base_sets[offset], (gene, pos, build)
                        compared += 1
    assert compared == 19_936


def test_residues_of_clinvars_names_are_possible(reference_data):
    """ClinVar 2020, names of the models' own transcripts: 1,100 residues compared, none differs."""
    path = reference_data / "clinvar" / "clinvar_als_2020.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    compared = 0
    for gene, name in zip(table["gene"], table["name"], strict=True):
        model = transcripts(shipped(), "GRCh38").get(gene)
        change = protein_change(name.rpartition("(")[2].rstrip(")"))
        if model and change and name.startswith(model.refseq.partition(".")[0]):
            assert change[0] in SEQUENCES[gene].residues[change[1] - 1], name
            compared += 1
    assert compared > 700


def test_whole_sequences_make_the_proteins_of_uniprot(reference_data):
    """12 of the 14 genes have a protein there; OPTN's has the residue of GRCh38 at 322."""
    text = (reference_data / "genes" / "als_proteins.fasta").read_text()
    proteins = {}
    for entry in text.split(">")[1:]:
        header, *lines = entry.splitlines()
        proteins[header.rpartition("|")[2]] = "".join(lines)
    compared = [gene for gene in WHOLE if gene in proteins]
    different = {
        (gene, i + 1)
        for gene in compared
        for i, pair in enumerate(zip(translate(only(SEQUENCES[gene]).bases), proteins[gene]))  # noqa: B905
        if pair[0] != pair[1]
    }
    assert (len(compared), different) == (12, set())


def test_known_variants_change_the_residue_that_they_are_named_for():
    for build in ("GRCh37", "GRCh38"):
        for key, row in known_variants(shipped(), build).iterrows():
            change = protein_change(row["hgvs_p"])
            if change and row["gene"] in SEQUENCES:
                assert change[0] in SEQUENCES[row["gene"]].residues[change[1] - 1], key


def by_protein(sequence: CodingSequence, known: frozenset[int] = frozenset()) -> CodingSequence:
    """The same gene with the bases hidden but for some, and the protein given."""
    bases = "".join(b if i in known else "N" for i, b in enumerate(sequence.bases))
    return by_residues(sequence.gene, bases, translate(sequence.bases)[:-1], "")


def outcomes(sequence: CodingSequence, edits):
    return [coding_change(sequence, edit).outcomes for edit in edits]


def substitutions(bases: str, step: int = 1):
    return [
        Edit(i, bases[i], alt)
        for i in range(0, len(bases), step)
        for alt in "ACGT"
        if alt != bases[i]
    ]


@pytest.mark.slow
def test_the_protein_decides_nine_of_ten_substitutions_and_none_wrongly():
    """All 86,526 of the 14 genes whose sequence is known, with the sequence hidden."""
    decided, n = 0, 0
    for gene in WHOLE:
        whole = only(SEQUENCES[gene])
        edits = substitutions(whole.bases)
        hidden = outcomes(by_protein(whole), edits)
        for true, possible in zip(outcomes(whole, edits), hidden, strict=True):
            assert set(true) <= set(possible)
            decided += len({outcome.consequence for outcome in possible}) == 1
            n += 1
    assert n == 86_526
    assert decided / n == pytest.approx(0.902, abs=0.001)


@pytest.mark.parametrize("gene", ["SOD1", "PFN1"])
def test_what_the_protein_leaves_open_holds_the_truth(gene):
    whole = only(SEQUENCES[gene])
    hidden = by_protein(whole, frozenset(range(0, len(whole), 7)))
    edits = substitutions(whole.bases, step=2)
    for true, possible in zip(outcomes(whole, edits), outcomes(hidden, edits), strict=True):
        assert set(true) <= set(possible)


@pytest.mark.parametrize("gene", ["SOD1", "CHMP2B"])
def test_a_stop_that_is_as_good_as_certain_by_protein_is_there(gene):
    """Claimed where the chance of reading on is under 1 in 1,000; then every one was right."""
    whole, model = only(SEQUENCES[gene]), transcripts(shipped(), "GRCh38")[gene]
    hidden = by_protein(whole)
    claimed = 0
    for offset in range(3, len(whole) - 3, 2):
        edit = Edit(offset, whole.bases[offset], "")
        if new_stop(hidden, edit).reading_reaches(model.decay_from) < 1e-3:
            assert new_stop(whole, edit).certain < model.decay_from
            claimed += 1
    assert claimed


def test_where_ref_fits_no_codon_of_the_residue_ref_is_right_and_the_residue_is_not_known():
    sequence = by_residues("X", "NNNNNN", "M", "")
    assert sequence.codons == (("ATG",), STOPS)
    sequence = by_residues("X", "NNN" + "NNN" + "NNN", "MW", "")  # tryptophan is TGG alone
    change = coding_change(sequence, Edit(3, "C", "T"))
    assert {outcome.before for outcome in change.outcomes} == {
        GENETIC_CODE[codon] for codon in GENETIC_CODE if codon[0] == "C"
    }


def test_an_earlier_models_tables_have_no_sequences():
    texts = {name: text for name, text in shipped().texts.items() if name != "coding_sequences"}
    assert coding_sequences(Definitions(texts)) == {}


def test_a_sequence_of_another_length_than_its_model_is_refused():
    changed = with_cell(shipped(), "coding_sequences", "SOD1", "bases", "ATGTAA")
    with pytest.raises(DataError, match=r"SOD1: 6 bases, the gene model has 465"):
        coding_sequences(changed)
