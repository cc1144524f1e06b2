"""Names of variants against ClinVar's of 2020 and gnomAD's, and those of both builds."""

import gzip
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.pathogenicity import alleles_by_name
from features.catalogue import shipped, variant_key
from features.variants.coding_change import Edit, coding_change
from features.variants.consequences import edit_of, model_effect
from features.variants.gene_models import transcripts
from features.variants.hgvs import coding_name, protein_name
from features.variants.sequences import coding_sequences, reverse_complement

B = "GRCh38"
MODELS = {build: transcripts(shipped(), build) for build in ("GRCh37", "GRCh38")}
SEQUENCES = coding_sequences(shipped())


def effect(gene, site, build=B):
    chrom, pos, ref, alt = site.split("-")
    assert MODELS[build][gene].chrom == chrom
    return model_effect(shipped(), gene, int(pos), ref, alt, build)


# Names that the Python package `hgvs` 1.5.7 gives with our sequences as its source
# (`python -m benchmarks names`).
@pytest.mark.parametrize(
    ("gene", "site", "coding", "protein"),
    [
        # A stop that is put between two codons, alone and behind other residues.
        ("EPHA4", "2-221426523-C-CTAC", "c.2787_2788insTAG", "p.Asp930Ter"),
        ("CCNF", "16-2438110-T-TTTAGCT", "c.581_582insTTAGCT", "p.Ser195Ter"),
        ("CHMP2B", "3-87253744-A-AATATAA", "c.564_565insATATAA", "p.Leu188_Pro189insIleTer"),
        # A shifted frame that begins in the stop codon.
        ("ANXA11", "10-80155854-C-CTA", "c.1516_1517insTA", "p.Ter506LeuextTer?"),
        ("DAO", "12-108900529-C-CCTAA", "c.1040_1041insAACT", "p.Ter348ThrextTer?"),
        # bcftools csq 1.21 takes this deletion for a stop.
        ("EPHA4", "2-221443512-AATCTTA-A", "c.1864_1869del", "p.Lys622_Ile623del"),
    ],
)
def test_names_of_an_independent_tool(gene, site, coding, protein):
    found = effect(gene, site)
    assert (found.hgvs_c, found.hgvs_p) == (coding, protein)


# Names that gnomAD r2.1 gives (GRCh37).
@pytest.mark.parametrize(
    ("gene", "site", "consequence", "coding", "protein"),
    [
        ("ANG", "14-21161742-GTTT-G", "inframe_deletion", "c.21_23del", "p.Leu10del"),
        ("ANG", "14-21161759-C-CGTGCTG", "inframe_insertion", "c.38_43dup", "p.Val13_Leu14dup"),
        ("ANG", "14-21161811-TAC-T", "frameshift_variant", "c.95_96del", "p.His32LeufsTer7"),
        ("CHMP2B", "3-87289850-TG-T", "stop_gained", "c.37del", "p.Val13Ter"),
        ("CHMP2B", "3-87299126-GA-G", "frameshift_variant", "", "p.Ile142SerfsTer22"),
        ("ANG", "14-21161726-G-A", "start_lost", "c.3G>A", "p.Met1?"),
        ("ANG", "14-21161728-T-C", "missense_variant", "c.5T>C", "p.Val2Ala"),
        ("ANG", "14-21161735-C-T", "synonymous_variant", "c.12C>T", "p.Gly4="),
    ],
)
def test_names_of_gnomad(gene, site, consequence, coding, protein):
    found = effect(gene, site, "GRCh37")
    assert (found.consequence, found.hgvs_c, found.hgvs_p) == (consequence, coding, protein)


@pytest.mark.parametrize(
    ("edit", "coding", "protein"),
    [
        (Edit(13, "CC", "GG"), "c.14_15inv", "p.Ala5Gly"),
        (Edit(13, "CC", "TA"), "c.14_15delinsTA", "p.Ala5Val"),
        (Edit(9, "AAGGCC", "TGT"), "c.10_15delinsTGT", "p.Lys4_Ala5delinsCys"),
        (Edit(6, "", "TGT"), "c.6_7insTGT", "p.Ala2_Thr3insCys"),
        (Edit(6, "", "TAA"), "c.6_7insTAA", "p.Thr3Ter"),
        (Edit(462, "T", "C"), "c.463T>C", "p.Ter155GlnextTer?"),
        (Edit(460, "A", ""), "c.462del", "p.Gln154HisfsTer?"),
        (Edit(70, "A", ""), "c.71del", "p.Lys24ArgfsTer7"),
        (Edit(71, "G", ""), "", "p.Glu25LysfsTer6"),  # could shift out of the exon
    ],
)
def test_names_of_longer_changes_in_sod1(edit, coding, protein):
    sod1 = SEQUENCES["SOD1"]
    assert sod1.bases[edit.offset : edit.offset + len(edit.removed)] == edit.removed
    names = (
        coding_name(MODELS[B]["SOD1"], sod1, edit),
        protein_name(sod1, coding_change(sod1, edit)),
    )
    assert names == (coding, protein)


def _own_names(reference_data):
    """ClinVar 2020: gene, positions, alleles, `c.` and `p.` of SNVs on the models' transcripts."""
    path = reference_data / "clinvar" / "clinvar_als_2020.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    for row in table[table["ref"] != ""].itertuples():
        model = MODELS[B].get(row.gene)
        name = re.fullmatch(r"(\w+)\.\d+\(\w+\):(c\.[^ ]+)(?: \((p\.[^ ]+)\))?", row.name)
        if model and name and name[1] == model.refseq.partition(".")[0]:
            ref, alt = alleles_by_name(row.name, row.gene, row.ref, row.alt)
            yield row.gene, (int(row.pos37), int(row.pos38)), ref, alt, name[2], name[3] or ""


def test_names_and_consequences_are_clinvars_by_class(reference_data):
    """1,212 SNVs: every `c.` name that we give is theirs, and so is every `p.` name."""
    counts = {"c": 0, "c empty": 0, "p": 0, "p empty": 0}
    for gene, (pos37, pos38), ref, alt, coding, protein in _own_names(reference_data):
        found = model_effect(shipped(), gene, pos38, ref, alt, "GRCh38")
        assert found == model_effect(shipped(), gene, pos37, ref, alt, "GRCh37")
        assert found.hgvs_c in (coding, "")
        assert found.hgvs_p in (protein, "")
        counts["c" if found.hgvs_c else "c empty"] += 1
        if protein:
            counts["p" if found.hgvs_p else "p empty"] += 1
        if SEQUENCES[gene].known:
            assert found.hgvs_p == protein
    assert counts == {"c": 1201, "c empty": 11, "p": 721, "p empty": 97}


def test_names_of_clinvars_indels_name_what_they_were_made_from(reference_data):
    """Indels of 2020 have no alleles in the table: they are made from the name, and named again."""
    path = reference_data / "clinvar" / "clinvar_als_2020.tsv"
    names = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)["name"]
    compared = 0
    for name in names:
        stated = re.match(
            r"\w+\.\d+\((\w+)\):c\.(\d+)(?:_(\d+))?(del|dup)(?: \((p\.\w+)\))?$", name
        )
        sequence = SEQUENCES.get(stated[1]) if stated else None
        if sequence is None or not sequence.known:
            continue
        first, last = int(stated[2]), int(stated[3] or stated[2])
        bases = sequence.bases[first - 1 : last]
        edit = Edit(first - 1, bases, "") if stated[4] == "del" else Edit(last, "", bases)
        span = f"{first}_{last}" if last > first else str(first)
        assert coding_name(MODELS[B][stated[1]], sequence, edit) in (f"c.{span}{stated[4]}", "")
        if stated[5]:  # ClinVar shortens p.Lys55ThrfsTer4 to p.Lys55fs
            ours = protein_name(sequence, coding_change(sequence, edit))
            assert re.sub(r"[A-Z][a-z]{2}fsTer.*", "fs", ours) == stated[5]
            compared += 1
    assert compared == 6


def test_indels_have_gnomads_protein_names(reference_data):
    """gnomAD r2.1, genes with a sequence: all but those that end beyond the coding sequence."""
    path = reference_data / "gnomad" / "gnomad_r2.1_als_genes.GRCh37.tsv.gz"
    with gzip.open(path, "rt") as lines:
        table = pd.read_csv(lines, sep="\t", dtype=str, keep_default_na=False)
    same, different = 0, []
    for row in table[table["Protein_Consequence"] != ""].itertuples():
        ref, alt, pos = row.Reference, row.Alternate, int(row.Position)
        sequence = SEQUENCES.get(row.gene)
        if sequence is None or not sequence.known or len(ref) == len(alt):
            continue
        found = model_effect(shipped(), row.gene, pos, ref, alt, "GRCh37")
        if found.offset is not None and found.hgvs_p:
            same += found.hgvs_p == row.Protein_Consequence
            if found.hgvs_p != row.Protein_Consequence:
                different.append(found.hgvs_p)
    assert same == 249
    assert len(different) == 6
    assert all(name.endswith("fsTer?") for name in different)  # the stop is in the 3' UTR


@given(st.integers(0, 464), st.integers(0, 4), st.text("ACGT", max_size=4))
def test_both_strands_and_builds_give_the_same_change(offset, length, added):
    """VCP, on the reverse strand: a change written forward is read back."""
    model37, model38 = MODELS["GRCh37"]["VCP"], MODELS[B]["VCP"]
    sequence = SEQUENCES["VCP"]
    removed = sequence.bases[offset : offset + length]
    if not removed or removed == added:
        return
    places = [p for p in range(model38.cds_start, model38.cds_end + 1)
              if model38.coding_offset(p) == offset + length - 1]  # fmt: skip
    ref, alt = reverse_complement(removed), reverse_complement(added)
    if len(ref) == len(alt):
        edit = edit_of(model38, places[0], ref, alt)
        assert edit in (Edit(offset, removed, added), None)
        shift = model37.cds_start - model38.cds_start
        assert edit_of(model37, places[0] + shift, ref, alt) == edit


def test_variant_key_and_positions_of_insertions():
    key = variant_key("21", 31659783, "C", "CA")
    assert key == "21-31659783-C-CA"
    assert edit_of(MODELS[B]["SOD1"], 31659783, "C", "CA") == Edit(14, "", "A")
    assert edit_of(MODELS[B]["VCP"], 35065364, "G", "GA") == Edit(462, "", "T")
    assert edit_of(MODELS[B]["SOD1"], 31659841, "GTAA", "G") is None  # begins in the intron
