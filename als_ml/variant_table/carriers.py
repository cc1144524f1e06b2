"""Who carries what, written while it is read: memory does not grow with the records or the
carriers.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.output import whole_file
from features.catalogue import Definitions
from features.genotypes.calls import Calls, call_chunks
from features.genotypes.genotype import allele_key
from features.genotypes.vcf import CallRule, Query
from features.variants.evidence import NULL_KINDS, Assessment
from features.variants.variant import Variant, inheritance, rules_of
from features.variants.weigh import Weighed

CARRIER_COLUMNS = ("sample_id", "variant", "gene", "zygosity", "class", "inheritance", "finding")
ZYGOSITIES = ("heterozygous", "homozygous", "hemizygous")
FINDINGS = (
    "benign",
    "uncertain",
    "causal",
    "carrier of one recessive allele",
    "possible compound heterozygote",
    "risk allele",
    "reduced penetrance",
)
# One null allele of such a gene is a risk, two are a cause.
RECESSIVE_OR_RISK = "recessive, one copy a risk"
REDUCED = "dominant, reduced penetrance"
Write = Callable[[pd.DataFrame], None]


def finding(classification: str, mode: str, zygous: str, second: bool) -> str:
    """Say what a class means for a carrier, by zygosity and inheritance.

    >>> (finding("P", "dominant", "heterozygous", False),
    ...  finding("P", "recessive", "heterozygous", False))
    ('causal', 'carrier of one recessive allele')
    >>> (finding("LP", "recessive", "heterozygous", True),
    ...  finding("risk", "dominant", "homozygous", False))
    ('possible compound heterozygote', 'risk allele')
    >>> finding("LP", RECESSIVE_OR_RISK, "heterozygous", False)
    'risk allele'
    """
    if classification == "risk":
        return "risk allele"
    if classification not in ("P", "LP"):
        return "uncertain" if classification == "VUS" else "benign"
    if mode == REDUCED:
        return "reduced penetrance"
    if not mode.startswith("recessive") or zygous != "heterozygous":
        return "causal"
    if second:
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
    query: Query, rule: CallRule, weighed: list[Weighed], repeated: set[str], output: Path | None
) -> tuple[np.ndarray, int]:
    """Count the carriers of each variant by zygosity, and write them where an output is given.

    Parameters
    ----------
    weighed : list
        Variants with their assessment.
    repeated : set of str
        Keys that more than one record has; their alleles count once a sample.

    Returns
    -------
    counts : array (variants, 3)
        In the order of `ZYGOSITIES`.
    missing : int
        Missing genotypes.
    """
    table = _Table(query.definitions, weighed, query.header.samples)
    rows = {name: i for i, name in enumerate(query.header.samples)}
    counts, missing, held = np.zeros((len(weighed), len(ZYGOSITIES)), dtype=int), 0, []
    waits = table.recessive | np.array(
        [variant.key in repeated for variant, _ in weighed], dtype=bool
    )
    with _writer(output) as write:
        for chunk in call_chunks(query, rule, rows):
            carried, missing = table.carried(chunk), missing + len(chunk.missing["row"])
            wait = waits[carried["site"].to_numpy()]
            held.append(carried[wait])
            _count(counts, carried[~wait])
            write(table.shown(carried[~wait], np.zeros(int((~wait).sum()), dtype=bool)))
        last = (
            pd.concat(held)
            .sort_values(["site", "row", "zygosity"])
            .drop_duplicates(["site", "row"], keep="last")
        )
        _count(counts, last)
        write(table.shown(last, table.second_allele(last)))
    return counts, missing


def _count(counts: np.ndarray, carried: pd.DataFrame) -> None:
    np.add.at(counts, (carried["site"].to_numpy(), carried["zygosity"].to_numpy()), 1)


class _Table:
    """Turns calls into rows of the carriers table; texts are categories, a few bytes each."""

    def __init__(self, definitions: Definitions, weighed: list[Weighed], samples: tuple[str, ...]):
        self.site = {variant.key: i for i, (variant, _) in enumerate(weighed)}
        classes, modes = (
            [shown_class(definitions, *pair) for pair in weighed],
            [inheritance_of(definitions, variant) for variant, _ in weighed],
        )
        genes = [variant.gene for variant, _ in weighed]
        self.of_site = {"gene": genes, "class": classes, "inheritance": modes}
        self.categories = {name: pd.Categorical(values) for name, values in self.of_site.items()}
        self.samples, self.keys = list(samples), list(self.site)
        pairs = list(zip(classes, modes, strict=True))
        self.recessive = np.array(
            [c in ("P", "LP") and mode.startswith("recessive") for c, mode in pairs], dtype=bool
        )
        codes = [
            [[FINDINGS.index(finding(c, m, z, s)) for s in (False, True)] for z in ZYGOSITIES]
            for c, m in pairs
        ]
        self.findings = np.array(codes, dtype=np.int8).reshape(-1, len(ZYGOSITIES), 2)

    def carried(self, chunk: Calls) -> pd.DataFrame:
        """`row`, `site`, `zygosity` (a number) of the alleles of the panel."""
        record, allele = chunk.carried["record"], chunk.carried["allele"]
        pair = record.astype(np.int64) * 1024 + allele
        used, inverse = np.unique(pair, return_inverse=True)
        numbers = np.array(
            [self._number(chunk, *divmod(which, 1024)) for which in used.tolist()], dtype=np.int32
        )
        site = numbers[inverse] if len(used) else np.empty(0, np.int32)
        copies, ploidy = chunk.carried["copies"], chunk.carried["ploidy"]
        zygosity = np.select([ploidy == 1, copies >= ploidy], [np.int8(2), np.int8(1)], np.int8(0))
        return pd.DataFrame({"row": chunk.carried["row"], "site": site, "zygosity": zygosity})[
            site >= 0
        ]

    def _number(self, chunk: Calls, record: int, allele: int) -> int:
        chrom, pos, ref, alt = chunk.records[record]
        alts = alt.split(",")
        return (
            self.site.get(allele_key(chrom, pos, ref, alts[allele - 1]), -1)
            if allele <= len(alts)
            else -1
        )

    def second_allele(self, carried: pd.DataFrame) -> np.ndarray:
        """Whether the carrier has another (likely) pathogenic recessive allele in the same gene."""
        site = carried["site"].to_numpy()
        pair = carried["row"].to_numpy(dtype=np.int64) * 1024 + self.categories["gene"].codes[site]
        distinct, times = np.unique(pair[self.recessive[site]], return_counts=True)
        return self.recessive[site] & np.isin(pair, distinct[times >= 2])

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
        yield lambda rows: rows.to_csv(file, header=False, index=False)


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
