"""Every VCF and BCF that other readers are tested on ends in a table or in one clear message.

The files are those of vcf-validator (843 broken on purpose, 112 valid), bcftools, htslib, pysam,
cyvcf2 and scikit-allel. Anything else than a table or an error of ours is a bug and is named; so is
a valid file of vcf-validator that is refused.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from als_ml.variant_table.table import Asked, variant_table
from benchmarks.public_tables import reference_data
from features.catalogue import shipped
from features.errors import UserError
from features.variants.evidence import Sources

ENDINGS = (".vcf", ".vcf.gz", ".bcf", ".vcf.bgz", ".bcf.gz")


def files() -> list[Path]:
    """All VCF and BCF files of the conformance folders."""
    folder = reference_data() / "conformance"
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name.endswith(ENDINGS)
    )


def outcome(path: Path) -> str:
    """`table`, `refused: why`, or `BUG: what` for one file, on whichever build it says it is."""
    for build in ("GRCh38", "GRCh37"):
        try:
            variant_table(Asked(path=path), Sources(shipped(), build))
        except UserError as error:
            if "but the cohort file says" in error.found:
                continue
            return f"refused: {error.found}"
        except Exception as error:
            return f"BUG: {type(error).__name__}: {error}"
        return "table"
    return "refused: of no build"


def main(_arguments: Sequence[str] = ()) -> None:
    """Print the outcomes by folder, and every bug."""
    if not reference_data().is_dir():
        print("skipped: set ALS_ML_REFERENCE_DATA to the public data")
        return
    chosen = files()
    with ThreadPoolExecutor(2) as pool:
        outcomes = dict(zip(chosen, pool.map(outcome, chosen), strict=True))
    counts: Counter[tuple[str, str]] = Counter()
    for path, end in outcomes.items():
        counts[_group(path), end.partition(":")[0]] += 1
        if end.startswith("BUG") or (_is_valid(path) and end != "table"):
            print(f"{path.relative_to(reference_data() / 'conformance')}: {end}")
    for (group, end), n in sorted(counts.items()):
        print(f"{group:25s} {end:10s} {n}")


def _group(path: Path) -> str:
    tool = path.relative_to(reference_data() / "conformance").parts[0]
    broken = "broken" if "failed" in path.parts else ""
    return f"{tool} {'valid' if _is_valid(path) else broken}".strip()


def _is_valid(path: Path) -> bool:
    return "vcf-validator" in path.parts and "passed" in path.parts
