"""Who carries what: from the calls of a file that lie on disk, some patients and rows at a time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.output import whole_file
from features.catalogue import Definitions
from features.genotypes.gathered import GatheredOnDisk
from features.genotypes.phase import CIS, RELATIONS, TRANS, UNPHASED, Phases, ReadPhases
from features.tables.formulas import inert
from features.variants.evidence import NULL_KINDS, Assessment
from features.variants.variant import Variant, inheritance, rules_of
from features.variants.weigh import Weighed

CARRIER_COLUMNS = ("sample_id", "variant", "gene", "zygosity", "class", "inheritance", "finding")
# What `shown_class` may be.
CLASS_NAMES = ("P", "LP", "VUS", "LB", "B", "risk")
ZYGOSITIES = ("heterozygous", "homozygous", "hemizygous")
FINDINGS = (
    "benign",
    "uncertain",
    "causal",
    "carrier of one recessive allele",
    "possible compound heterozygote",
    "risk allele",
    "reduced penetrance",
    "compound heterozygote",
)
# Whether a carrier has another (likely) pathogenic recessive allele in the gene, and where.
NO_SECOND = "none"
SECONDS = (NO_SECOND, *RELATIONS)
# One null allele of such a gene is a risk, two are a cause.
RECESSIVE_OR_RISK = "recessive, one copy a risk"
REDUCED = "dominant, reduced penetrance"
Write = Callable[[pd.DataFrame], None]
# Rows that are made readable at a time.
ROWS = 1 << 18


def finding(classification: str, mode: str, zygous: str, second: str) -> str:
    """Say what a class means for a carrier, by zygosity, inheritance and a second allele.

    Two alleles on one chromosome (`cis`) leave the other copy of the gene whole.

    >>> (finding("P", "dominant", "heterozygous", "none"),
    ...  finding("P", "recessive", "heterozygous", "none"))
    ('causal', 'carrier of one recessive allele')
    >>> [finding("LP", "recessive", "heterozygous", second) for second in ("unphased", "trans")]
    ['possible compound heterozygote', 'compound heterozygote']
    >>> finding("LP", "recessive", "heterozygous", "cis")
    'carrier of one recessive allele'
    >>> (finding("LP", RECESSIVE_OR_RISK, "heterozygous", "none"),
    ...  finding("risk", "dominant", "homozygous", "none"))
    ('risk allele', 'risk allele')
    """
    if classification == "risk":
        return "risk allele"
    if classification not in ("P", "LP"):
        return "uncertain" if classification == "VUS" else "benign"
    if mode == REDUCED:
        return "reduced penetrance"
    if not mode.startswith("recessive") or zygous != "heterozygous":
        return "causal"
    if second == TRANS:
        return "compound heterozygote"
    if second == UNPHASED:
        return "possible compound heterozygote"
    return "risk allele" if mode == RECESSIVE_OR_RISK else "carrier of one recessive allele"


def shown_class(definitions: Definitions, variant: Variant, assessment: Assessment) -> str:
    """Class of a variant; alleles of risk genes and modifiers are never given a Mendelian one."""
    if variant.role in ("risk", "modifier") or inheritance(definitions, variant.gene) in (
        "risk",
        "modifier",
    ):
        return "risk"
    return assessment.classification


def inheritance_of(definitions: Definitions, variant: Variant) -> str:
    """Inheritance that a variant follows: its own role's, else its gene's.

    One copy in a gene of reduced penetrance is of reduced penetrance, also in the known table.
    """
    by_role = {
        "causal_dominant": "dominant",
        "causal_recessive": "recessive",
        "causal_xlinked": "x_linked",
    }
    rules = rules_of(definitions, variant.gene)
    by_loss = variant.kind in NULL_KINDS and rules["loss_of_function"] == "recessive"
    if by_loss and variant.role not in by_role:
        return RECESSIVE_OR_RISK
    mode = by_role.get(variant.role, rules["inheritance"])
    return REDUCED if mode == "dominant" and rules.get("penetrance") == "reduced" else mode


def count_carriers(
    gathered: GatheredOnDisk,
    samples: Sequence[str],
    definitions: Definitions,
    weighed: list[Weighed],
    output: Path | None,
    read_phases: ReadPhases = lambda _: Phases(of={}, inherited={}),
) -> tuple[np.ndarray, int]:
    """Count the carriers of each variant by zygosity, and write them where an output is given.

    An allele that several records have counts once a sample, with its larger number of copies.

    Parameters
    ----------
    gathered : GatheredOnDisk
        What `features.genotypes.extraction.gather` found.
    samples : sequence of str
        Names of its patients.
    definitions : Definitions
        Whose genes were read.
    weighed : list
        Its variants with their assessment, in the order of `gathered.all_sites`.
    output : Path, optional
        `.parquet` or `.csv`.
    read_phases : callable
        Told which alleles of which samples may be a pair, says what is known of their phase.

    Returns
    -------
    counts : array (variants, 3)
        In the order of `ZYGOSITIES`.
    repeated : int
        Carried alleles that were there again.
    """
    table = _Table(definitions, weighed, samples)
    counts, repeated = np.zeros((len(weighed), len(ZYGOSITIES)), dtype=int), 0
    with _writer(output) as write:
        write(table.shown(no_carriers(), np.zeros(0, dtype=np.int8)))
        for number in range(gathered.parts):
            alleles, again = gathered.part_alleles(number)
            repeated += again
            carried = _carried(alleles, number * gathered.size)
            _count(counts, carried)
            second = table.second_allele(carried, read_phases)
            for start in range(0, len(carried), ROWS):
                rows = slice(start, start + ROWS)
                write(table.shown(carried[rows], second[rows]))
    return counts, repeated


def no_carriers() -> pd.DataFrame:
    """A table of `row`, `site`, `zygosity` without any."""
    kinds = {"row": np.int32, "site": np.int32, "zygosity": np.int8}
    return pd.DataFrame({name: np.empty(0, kind) for name, kind in kinds.items()})


def _carried(alleles: pd.DataFrame, first: int) -> pd.DataFrame:
    """`row`, `site`, `zygosity` (a number) of alleles whose patients count from `first`."""
    copies, ploidy = (alleles[name].to_numpy() for name in ("copies", "ploidy"))
    zygosity = np.select([ploidy == 1, copies >= ploidy], [np.int8(2), np.int8(1)], np.int8(0))
    return pd.DataFrame(
        {
            "row": alleles["row"].to_numpy() + np.int32(first),
            "site": alleles["site"].to_numpy(),
            "zygosity": zygosity,
        }
    )


def _count(counts: np.ndarray, carried: pd.DataFrame) -> None:
    np.add.at(counts, (carried["site"].to_numpy(), carried["zygosity"].to_numpy()), 1)


class _Table:
    """Turns calls into rows of the carriers table; texts are categories, a few bytes each."""

    def __init__(self, definitions: Definitions, weighed: list[Weighed], samples: Sequence[str]):
        classes, modes = (
            [shown_class(definitions, *pair) for pair in weighed],
            [inheritance_of(definitions, variant) for variant, _ in weighed],
        )
        genes = [variant.gene for variant, _ in weighed]
        self.of_site = {"gene": genes, "class": classes, "inheritance": modes}
        self.categories = {name: pd.Categorical(values) for name, values in self.of_site.items()}
        self.samples = list(samples)
        self.keys = [variant.key for variant, _ in weighed]
        pairs = list(zip(classes, modes, strict=True))
        self.recessive = np.array(
            [c in ("P", "LP") and mode.startswith("recessive") for c, mode in pairs], dtype=bool
        )
        codes = [
            [[FINDINGS.index(finding(c, m, z, s)) for s in SECONDS] for z in ZYGOSITIES]
            for c, m in pairs
        ]
        self.findings = np.array(codes, dtype=np.int8).reshape(-1, len(ZYGOSITIES), len(SECONDS))

    def second_allele(self, carried: pd.DataFrame, read_phases: ReadPhases) -> np.ndarray:
        """Place in SECONDS of each row: another recessive allele of the gene, and its phase."""
        site, row = (carried[name].to_numpy() for name in ("site", "row"))
        pair = row.astype(np.int64) * 1024 + self.categories["gene"].codes[site]
        distinct, times = np.unique(pair[self.recessive[site]], return_counts=True)
        may_pair = self.recessive[site] & np.isin(pair, distinct[times >= 2])
        second = np.zeros(len(carried), dtype=np.int8)
        groups: dict[int, list[int]] = {}
        for i in np.flatnonzero(may_pair).tolist():
            groups.setdefault(int(pair[i]), []).append(i)
        wanted: dict[str, set[str]] = {}
        for rows in groups.values():
            keys = {self.keys[site[i]] for i in rows}
            wanted.setdefault(self.samples[row[rows[0]]], set()).update(keys)
        phases = read_phases(wanted) if wanted else Phases(of={}, inherited={})
        for rows in groups.values():
            sample = self.samples[row[rows[0]]]
            for i in rows:
                others = [self.keys[site[j]] for j in rows if j != i]
                relations = [phases.relation(sample, self.keys[site[i]], key) for key in others]
                second[i] = SECONDS.index(_strongest(relations))
        return second

    def shown(self, carried: pd.DataFrame, second: np.ndarray) -> pd.DataFrame:
        """Rows with the columns that people read."""
        site, zygosity = carried["site"].to_numpy(), carried["zygosity"].to_numpy()
        columns = {
            "sample_id": _of_codes(carried["row"].to_numpy(), self.samples),
            "variant": _of_codes(site, self.keys),
            "zygosity": _of_codes(zygosity, ZYGOSITIES),
            **{name: values.take(site) for name, values in self.categories.items()},
            "finding": _of_codes(self.findings[site, zygosity, second.astype(int)], FINDINGS),
        }
        return pd.DataFrame(columns, columns=list(CARRIER_COLUMNS))


def _strongest(relations: list[str]) -> str:
    """In trans to one is enough; in cis to all, and to no other unknown, is no second copy."""
    return next(r for r in (TRANS, UNPHASED, CIS) if r in relations)


def _of_codes(codes: np.ndarray, names: Sequence[str]) -> "pd.Categorical[str]":
    return pd.Categorical.from_codes(codes, pd.Index(list(names)))


@contextmanager
def _writer(output: Path | None) -> Iterator[Write]:
    """Yield a function that appends rows to the output, which appears when all is written."""
    if output is None:
        yield lambda _: None
        return
    with whole_file(output) as path:
        yield from _parquet(path) if output.suffix.lower() == ".parquet" else _csv(path)


def _csv(path: Path) -> Iterator[Write]:
    with path.open("w", newline="") as file:
        file.write(",".join(CARRIER_COLUMNS) + "\n")
        yield lambda rows: inert(rows).to_csv(file, header=False, index=False)


def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writers: list[pq.ParquetWriter] = []

    def write(rows: pd.DataFrame) -> None:
        table = pa.Table.from_pandas(rows, preserve_index=False)
        if not writers:
            writers.append(pq.ParquetWriter(path, table.schema))
        writers[0].write_table(table)

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()
