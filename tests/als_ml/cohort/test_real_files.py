"""Public files: features from real cohorts, repeats from real callers."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from als_ml.__main__ import main as als_ml
from als_ml.prediction.predictor import BESIDE
from features.catalogue import shipped
from features.genotypes.repeats import read_repeats
from features.genotypes.vcf import read_header
from features.tables.problems import Problems


@pytest.mark.parametrize(
    "name",
    [
        "1000G.phase3.broad.withGenotypes.chr20.10100000.vcf.gz",
        "1000g_chr20_100.vcf",
        "1000g_multichrom_100.vcf",
        "ashk-trio.vcf.gz",
    ],
)
def test_features_of_a_real_cohort(reference_data, tmp_path, name):
    path = reference_data.resolve() / "cohorts" / name
    samples = read_header(path).samples
    pd.DataFrame({"sample_id": samples}).to_csv(tmp_path / "patients.csv", index=False)
    cohort = tmp_path / "cohort.yaml"
    cohort.write_text(
        f"name: real\ngenome_build: GRCh37\nvariants: [{path}]\npatients: patients.csv\n"
    )
    output = tmp_path / "features.parquet"
    words = [
        "features",
        "--cohort",
        str(cohort),
        "--output",
        str(output),
        "--quiet",
        "--allow-outside",
    ]
    assert als_ml(words) == 0
    rows = pd.read_parquet(output)
    assert list(rows["sample_id"]) == list(samples)
    assert set(rows["genetic_cause"]) == {"not_fully_tested"}  # C9orf72 was not sized
    dictionary = pd.read_csv(tmp_path / "features.dictionary.csv")
    assert list(dictionary["name"]) == [c for c in rows.columns if c not in ("sample_id", *BESIDE)]
    assert dictionary[["block", "unit", "meaning", "source"]].notna().all(axis=None)


@pytest.mark.slow
def test_trio_alleles_are_those_of_bcftools(reference_data, tmp_path):
    """Non-reference genotypes of the panel in the Genome in a Bottle trio, counted by pysam's
    record iterator.
    """
    import pysam

    from features.catalogue import PADDING, genes
    from features.genotypes.extraction import Panel, read_genotypes

    path = reference_data / "cohorts" / "ashk-trio.vcf.gz"
    samples = read_header(path).samples
    rows = {name: i for i, name in enumerate(samples)}
    found, _ = read_genotypes(Panel(shipped(), "GRCh37"), [path], rows, len(rows), Problems())
    expected = set()
    with pysam.VariantFile(str(path)) as file:
        for record in file:
            chrom = record.chrom.removeprefix("chr")
            for _, gene in genes(shipped(), "GRCh37").iterrows():
                if (
                    gene["chrom"] == chrom
                    and gene["start"] - PADDING <= record.pos <= gene["end"] + PADDING
                ):
                    called = [
                        (i, a)
                        for i, s in enumerate(samples)
                        for a in record.samples[s].allele_indices or ()
                        if a
                    ]
                    expected |= {
                        (i, record.pos, a) for i, a in called if set(record.filter) <= {"PASS"}
                    }
    # A normalised allele may stand some bases on; whose it is and how many must be the same.
    assert len(expected) == len(found.alleles) > 0
    carriers = Counter(found.alleles["row"].tolist())
    assert carriers == Counter(row for row, *_ in expected)


def test_expansionhunter_and_trgt(reference_data):
    path = reference_data / "repeats" / "643594.clinical.str.vcf"
    samples = read_header(path).samples
    calls = read_repeats(
        shipped(), [path], "GRCh37", {s: i for i, s in enumerate(samples)}, Problems()
    ).set_index(["row", "locus"])
    assert calls.loc[(1, "C9orf72"), ["short", "long"]].tolist() == [2, 2]
    assert calls.loc[(1, "ATXN2"), ["short", "long"]].tolist() == [
        8,
        24,
    ]  # two records in this file, one an allele
    assert calls.loc[(1, "C9orf72"), "complete"]
    trgt = reference_data / "repeats" / "HG002_Revio.sort.vcf.gz"
    found = read_repeats(
        shipped(),
        [trgt],
        "GRCh38",
        {s: i for i, s in enumerate(read_header(trgt).samples)},
        Problems(),
    )
    assert np.isfinite(found["long"]).all()
