"""Hostile text in the annotations of a VCF, a site and a cohort's name: seen in CSV and, of the
latter two, in the report, and inert in both.
"""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from als_ml.__main__ import main as als_ml

EVIL = "<svg/onload=document.title='run'>"
HEAD = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr21,length=46709983>\n"
    "##INFO=<ID=ANN,Number=.,Type=String,Description=\"Functional annotations: 'Allele |"
    " Annotation | Annotation_Impact | Gene_Name | Gene_ID | Feature_Type | Feature_ID |"
    " Transcript_BioType | Rank | HGVS.c | HGVS.p | cDNA | CDS | AA | Distance | ERRORS'\">\n"
    '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="significance">\n'
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\n"
)
# SOD1 p.Ala5Val, which is known, and a place where nothing is.
PLACES = (("31659783", "C", "T"), ("31663800", "A", "G"))


@pytest.fixture
def cohort(tmp_path) -> Path:
    """Two patients, one of whom carries what is annotated."""
    text = HEAD
    for pos, ref, alt in PLACES:
        names = ["missense_variant", "MODERATE", "SOD1", EVIL, "transcript", EVIL, "coding", "1/5"]
        ann = "|".join([alt, *names, f"=c.1{EVIL}", f"@p.1{EVIL}", "1", "2", "3", "4", EVIL])
        text += (
            f"chr21\t{pos}\t{EVIL}\t{ref}\t{alt}\t.\tPASS\tANN={ann};CLNSIG={EVIL}\tGT\t0/1\t0/0\n"
        )
    (tmp_path / "v.vcf").write_text(text)
    patients = {"sample_id": ["A", "B"], "site": [EVIL, "x"], "consent_genetic_return": "yes"}
    pd.DataFrame(patients).to_csv(tmp_path / "p.csv", index=False)
    described = (
        f"genome_build: GRCh38\nname: {json.dumps(EVIL)}\npatients: p.csv\nvariants: [v.vcf]\n"
    )
    (tmp_path / "cohort.yaml").write_text(described)
    return tmp_path / "cohort.yaml"


def test_annotations_of_a_vcf_are_inert_in_csv(cohort, tmp_path):
    output = tmp_path / "variants.csv"
    words = ["--vcf", str(tmp_path / "v.vcf"), "--genome-build", "GRCh38"]
    assert als_ml(["variants", *words, "--output", str(output), "--quiet"]) == 0
    with output.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert cells.count(f"'=c.1{EVIL}") == len(PLACES)
    assert not [cell for cell in cells if cell[:1] in ("=", "@", "\t", "\r")]


@pytest.mark.slow
def test_annotations_of_a_vcf_are_seen_and_inert_in_the_report(
    store, cohort, browser, tmp_path, monkeypatch
):
    monkeypatch.chdir(store["folder"])
    model = ["--model", "models:/als-progression@champion", "--cohort", str(cohort), "--quiet"]
    output = tmp_path / "report.html"
    assert als_ml(["report", *model, "--output", str(output)]) == 0
    seen_and_inert(browser.new_page(), output.as_uri(), EVIL)
    # A patient's own page names the gene, and nothing of what the file says of the variant.
    seen_and_inert(browser.new_page(), f"{output.as_uri()}#patient=0", "SOD1")


def seen_and_inert(page, address: str, text: str) -> None:
    """The text stands in the page, and nothing of it was run or asked for."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_timeout(500)
    assert text in page.evaluate("document.documentElement.textContent")
    assert page.title() != "run"
    assert page.locator("svg[onload]").count() == 0
    assert asked == [address.partition("#")[0]]
