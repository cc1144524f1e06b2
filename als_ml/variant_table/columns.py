"""The columns of the variant table: what each holds, in words and as a type of VCF."""

from typing import NamedTuple


class Column(NamedTuple):
    """A column of the variant table.

    Attributes
    ----------
    name : str
    kind : str
        Type of an INFO field: String, Integer or Float.
    meaning : str
        One sentence, without its full stop.
    """

    name: str
    kind: str
    meaning: str


DESCRIBED = (
    Column("variant", "String", "chrom-pos-ref-alt, minimal alleles, without chr"),
    Column("gene", "String", "gene of the panel"),
    Column("consequence", "String", "most severe term of the Sequence Ontology"),
    Column("consequence_origin", "String", "what says the consequence"),
    Column("transcript", "String", "transcript that the names speak of"),
    Column("hgvs_c", "String", "HGVS name by the coding sequence"),
    Column("hgvs_p", "String", "HGVS name by the protein"),
    Column("hgvs_note", "String", "why a coding change has no HGVS name by the coding sequence"),
    Column("codons", "String", "codon before and after"),
    Column("possible_consequences", "String", "each possible one, where the sequence is not known"),
    Column("legacy_name", "String", "name in the older numbering of SOD1"),
    Column("vrs_id", "String", "computed identifier of GA4GH VRS 2.0, where known bases tell it"),
    Column("known_role", "String", "role by the known-variant table"),
    Column("known_tempo", "String", "course that carriers of this known variant were seen to have"),
    Column("known_tempo_source", "String", "how sure the course is, and where it is from"),
    Column("frequency", "Float", "population frequency, 0 to 1"),
    Column("frequency_origin", "String", "what says the frequency"),
    Column("revel", "Float", "REVEL score, 0 to 1"),
    Column("alphamissense", "Float", "AlphaMissense score, 0 to 1"),
    Column("cadd", "Float", "CADD score, phred"),
    Column("spliceai", "Float", "highest of SpliceAI's four scores, 0 to 1"),
    Column("clinvar", "String", "ClinVar's clinical significance"),
    Column("clinvar_stars", "Integer", "ClinVar's review status, 0 to 4 stars"),
    Column("inheritance", "String", "inheritance of the gene"),
    Column("points", "Integer", "points of evidence after ACMG/AMP"),
    Column("class", "String", "P, LP, VUS, LB, B or risk"),
    Column("pathogenicity", "Float", "posterior probability of pathogenicity, 0 to 1"),
    Column("evidence", "String", "criteria that are met, with points and reason"),
)
COUNTED = (
    Column("n_heterozygous", "Integer", "heterozygous carriers in the file"),
    Column("n_homozygous", "Integer", "homozygous carriers in the file"),
    Column("n_hemizygous", "Integer", "hemizygous carriers in the file"),
)
COLUMNS = tuple(column.name for column in DESCRIBED)
