"""Our gene models as the data source of the Python package `hgvs` (biocommons), and the names that
it gives.

Only for `benchmarks.names`: the package is not among the dependencies.
"""

from hgvs.dataproviders.interface import Interface  # type: ignore[import-not-found]
from hgvs.exceptions import HGVSError  # type: ignore[import-not-found]
from hgvs.normalizer import Normalizer  # type: ignore[import-not-found]
from hgvs.parser import Parser  # type: ignore[import-not-found]
from hgvs.variantmapper import VariantMapper  # type: ignore[import-not-found]

from features.variants.gene_models import Transcript
from features.variants.sequences import reverse_complement, translate

Facts = dict[str, object]


def accession(gene: str) -> str:
    """Name of a gene's coding sequence: one that the package takes for a RefSeq transcript."""
    number = sum(ord(letter) * 7**i for i, letter in enumerate(gene)) % 1_000_000
    return f"NM_{number:06d}.1"


class Source(Interface):  # type: ignore[misc]
    """Coding sequences as transcripts without UTR, with the exons of the gene models."""

    required_version = "1.1"

    def __init__(self, sequences: dict[str, str], models: dict[str, Transcript]):
        self.genes = {accession(gene): gene for gene in sequences}
        self.sequences, self.models = sequences, models
        self.url = "als-ml"
        super().__init__()

    def data_version(self) -> str:
        return "1"

    def schema_version(self) -> str:
        return "1.1"

    def get_seq(self, ac: str, start_i: int | None = None, end_i: int | None = None) -> str:
        if ac.startswith("NP_"):
            return translate(self.sequences[self.genes["NM_" + ac[3:]]])[:-1][start_i:end_i]
        return self.sequences[self.genes[ac]][start_i:end_i]

    def get_pro_ac_for_tx_ac(self, tx_ac: str) -> str:
        return "NP_" + tx_ac[3:]

    def get_tx_identity_info(self, tx_ac: str) -> Facts:
        gene = self.genes[tx_ac]
        return {
            "tx_ac": tx_ac,
            "alt_ac": tx_ac,
            "alt_aln_method": "transcript",
            "cds_start_i": 0,
            "cds_end_i": len(self.sequences[gene]),
            "lengths": [end - start for start, end in self._exons(tx_ac)],
            "hgnc": gene,
            "translation_table": "Standard",
        }

    def get_tx_info(self, tx_ac: str, *_: object) -> Facts:
        return self.get_tx_identity_info(tx_ac)

    def get_tx_exons(self, tx_ac: str, *_: object) -> list[Facts]:
        return [
            {
                "tx_ac": tx_ac,
                "alt_ac": tx_ac,
                "alt_strand": 1,
                "ord": i,
                "tx_start_i": start,
                "tx_end_i": end,
                "alt_start_i": start,
                "alt_end_i": end,
                "cigar": f"{end - start}=",
            }
            for i, (start, end) in enumerate(self._exons(tx_ac))
        ]

    def _exons(self, tx_ac: str) -> list[tuple[int, int]]:
        """Beginning and end of each exon in the coding sequence, from 0."""
        model = self.models[self.genes[tx_ac]]
        parts = model.coding if model.strand == "+" else model.coding[::-1]
        found, start = [], 0
        for low, high in parts:
            found.append((start, start + high - low + 1))
            start += high - low + 1
        return found

    def get_tx_mapping_options(self, tx_ac: str) -> list[Facts]:
        return [{"tx_ac": tx_ac, "alt_ac": tx_ac, "alt_aln_method": "transcript"}]

    def _nothing(self, *_: object) -> list[Facts]:
        return []

    get_acs_for_protein_seq = get_assembly_map = get_gene_info = _nothing
    get_similar_transcripts = get_tx_for_gene = get_tx_for_region = _nothing


class Names:
    """Names of variants by the package."""

    def __init__(self, sequences: dict[str, str], models: dict[str, Transcript]):
        source = Source(sequences, models)
        self.models = models
        self.parser, self.mapper = Parser(), VariantMapper(source)
        self.normalizer = Normalizer(source, alt_aln_method="transcript", cross_boundaries=False)

    def of(self, gene: str, pos: int, ref: str, alt: str) -> tuple[str, str]:
        """The c. and p. name of a variant of the forward strand, bare and without brackets."""
        text = f"{accession(gene)}:c.{self._edit(gene, pos, ref, alt)}"
        try:
            coding = self.normalizer.normalize(self.parser.parse_hgvs_variant(text))
            protein = self.mapper.c_to_p(coding)
        except (HGVSError, IndexError) as error:
            return (f"fails: {type(error).__name__}",) * 2
        name = str(protein).partition(":")[2].replace("(", "").replace(")", "")
        return str(coding).partition(":")[2], name

    def _edit(self, gene: str, pos: int, ref: str, alt: str) -> str:
        model = self.models[gene]
        anchored = len(ref) != len(alt)
        first, last = pos + anchored, pos + len(ref) - 1
        removed, added = ref[anchored:], alt[anchored:]
        if model.strand == "-":
            first, last = last, first
            removed, added = reverse_complement(removed), reverse_complement(added)
        if not removed:
            # Between two bases: the anchor and the next, in the order of the gene.
            left = self._offset(gene, pos if model.strand == "+" else pos + 1)
            return f"{left + 1}_{left + 2}ins{added}"
        start, end = self._offset(gene, first), self._offset(gene, last)
        if not added:
            return f"{start + 1}_{end + 1}del" if end > start else f"{start + 1}del"
        return f"{start + 1}{removed}>{added}"

    def _offset(self, gene: str, pos: int) -> int:
        offset = self.models[gene].coding_offset(pos)
        if offset is None:
            raise ValueError(f"{gene} {pos} is not in a coding exon")
        return offset
