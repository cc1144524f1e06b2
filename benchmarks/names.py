"""Consequences and HGVS names beside two independent tools, each with our sequences as its source.

`bcftools csq` reads a made-up FASTA: a contig a gene, its exons with the shipped coding sequence,
random bases elsewhere and `GT`, `AG` at the ends of introns. The Python package `hgvs` (biocommons;
not among the dependencies, for it brings a database driver: `pip install hgvs` beside them) gets
the same sequences by a data provider of a few lines. Both see random substitutions and indels of
the 14 genes whose sequence is whole; each kind of difference is counted and shown.
"""

import random
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pysam
import pysam.bcftools

from features.catalogue import Definitions, shipped
from features.variants.annotation import consequence_term, protein_change
from features.variants.consequences import ModelEffect, model_effect
from features.variants.gene_models import Transcript, transcripts, write_gff
from features.variants.sequences import coding_sequences, reverse_complement

BUILD, BEFORE = "GRCh38", 1000
SUBSTITUTIONS, INDELS, LONGEST = 300, 100, 6
ACGT = "ACGT"


class Case(NamedTuple):
    """A variant on the forward strand, and what we say of it."""

    gene: str
    pos: int
    ref: str
    alt: str
    ours: ModelEffect


def whole_genes() -> dict[str, str]:
    """Gene -> its coding sequence, of those that are whole; where the builds differ that of one."""
    sequences = coding_sequences(shipped())
    return {gene: s.bases.replace("R", "G") for gene, s in sequences.items() if s.known}


def cases(
    rng: random.Random, substitutions: int = SUBSTITUTIONS, indels: int = INDELS
) -> list[Case]:
    """Random variants of each gene in its coding exons, REF as the sequence has it."""
    made = []
    for gene, bases in whole_genes().items():
        model = transcripts(shipped(), BUILD)[gene]
        forward = _forward(model, bases)
        for number in range(substitutions + indels):
            kind = "substitution" if number < substitutions else "indel"
            pos, ref, alt = _variant(rng, model, forward, kind)
            ours = model_effect(shipped(), gene, pos, ref, alt, BUILD)
            if ours is not None:
                made.append(Case(gene=gene, pos=pos, ref=ref, alt=alt, ours=ours))
    return made


def _forward(model: Transcript, bases: str) -> dict[int, str]:
    """Base of each coding position, forward strand."""
    found = {}
    for start, end in model.coding:
        for pos in range(start, end + 1):
            base = bases[model.coding_offset(pos) or 0]
            found[pos] = base if model.strand == "+" else reverse_complement(base)
    return found


def _variant(
    rng: random.Random, model: Transcript, forward: dict[int, str], kind: str
) -> tuple[int, str, str]:
    """One variant that lies, with its anchor, inside of one exon."""
    while True:
        start, end = rng.choice(model.coding)
        pos, length = rng.randint(start, end), rng.randint(1, LONGEST)
        if kind == "substitution":
            return pos, forward[pos], rng.choice([b for b in ACGT if b != forward[pos]])
        if rng.random() < 0.5 and pos < end:
            return pos, forward[pos], forward[pos] + "".join(rng.choices(ACGT, k=length))
        if pos + length <= end:
            deleted = "".join(forward[pos + i] for i in range(length + 1))
            return pos, deleted, deleted[0]


# bcftools csq


def moved(model: Transcript) -> int:
    """How far a gene moves, so that its first exon begins at BEFORE on a contig of its own."""
    return model.starts[0] - BEFORE


def made_up_genome(folder: Path, rng: random.Random) -> tuple[Path, Path]:
    """FASTA and GFF of the genes, each on a contig of its own name."""
    fasta, gff = folder / "made.fa", folder / "made.gff3"
    models = transcripts(shipped(), BUILD)
    with fasta.open("w") as out:
        for gene, bases in whole_genes().items():
            out.write(f">{gene}\n{_contig(models[gene], bases, rng)}\n")
    pysam.faidx(str(fasta))
    write_gff(_moved_tables(), gff, BUILD)
    return fasta, gff


def _contig(model: Transcript, bases: str, rng: random.Random) -> str:
    shift = moved(model)
    text = rng.choices(ACGT, k=model.ends[-1] - shift + BEFORE)
    for low, high in model.introns:
        left, right = ("GT", "AG") if model.strand == "+" else ("CT", "AC")
        text[low - shift - 1 : low - shift + 1] = left
        text[high - shift - 2 : high - shift] = right
    for pos, base in _forward(model, bases).items():
        text[pos - shift - 1] = base
    return "".join(text)


def _moved_tables() -> Definitions:
    """Gene models with the contigs and places of the made-up genome."""
    table = shipped().table("gene_models").copy()
    table = table[table["gene"].isin(list(whole_genes()))]
    suffix = BUILD.lower()
    genes = table["gene"].tolist()
    shifts = [moved(transcripts(shipped(), BUILD)[gene]) for gene in genes]
    table["chrom"] = genes
    for column in ("exon_starts", "exon_ends", "cds_start", "cds_end"):
        places = zip(table[f"{column}_{suffix}"], shifts, strict=True)
        table[f"{column}_{suffix}"] = [
            ",".join(str(int(place) - shift) for place in text.split(",")) for text, shift in places
        ]
    text = table.to_csv(sep="\t", index=False, lineterminator="\n")
    return Definitions({**shipped().texts, "gene_models": text})


def csq(made: list[Case], folder: Path, rng: random.Random) -> list[str]:
    """BCSQ of each case."""
    fasta, gff = made_up_genome(folder, rng)
    models = transcripts(shipped(), BUILD)
    with pysam.FastaFile(str(fasta)) as file:
        lengths = dict(zip(file.references, file.lengths, strict=True))
    order = list(lengths)
    rows = sorted(
        (order.index(c.gene), c.pos - moved(models[c.gene]), i, c) for i, c in enumerate(made)
    )
    sites, out = folder / "sites.vcf", folder / "out.vcf"
    lines = ["##fileformat=VCFv4.2", *(f"##contig=<ID={n},length={k}>" for n, k in lengths.items())]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    lines += [f"{c.gene}\t{pos}\t{i}\t{c.ref}\t{c.alt}\t.\t.\t." for _, pos, i, c in rows]
    sites.write_text("\n".join(lines) + "\n")
    arguments = ["-f", str(fasta), "-g", str(gff), "-l", "--force", "-o", str(out), str(sites)]
    pysam.bcftools.csq(*arguments, catch_stdout=False)
    told = str(pysam.bcftools.query("-f", r"%ID\t%INFO/BCSQ\n", str(out)))
    pairs = (line.partition("\t") for line in told.splitlines())
    by_id = {name: text for name, _, text in pairs}
    return [by_id.get(str(i), ".") for i in range(len(made))]


def _rank(term: str) -> int:
    """Place of a term among those of the definitions, the most severe first."""
    terms = list(shipped().table("consequences")["term"])
    return terms.index(term) if term in terms else len(terms)


def compare_csq(made: list[Case], folder: Path, rng: random.Random) -> Counter[str]:
    """Agreements and differences with bcftools, and the first of each kind in words."""
    found = Counter[str]()
    shown = set()
    for case, text in zip(made, csq(made, folder, rng), strict=True):
        entries = [entry.split("|") for entry in text.split(",")]
        fields = min(entries, key=lambda entry: _rank(consequence_term(shipped(), entry[0])))
        theirs = consequence_term(shipped(), fields[0])
        amino = fields[5] if len(fields) > 5 else ""
        match = re.fullmatch(r"(\d+)([A-Z*])>(\d+)([A-Z*])", amino)
        ours = protein_change(case.ours.hgvs_p)
        terms = (theirs, case.ours.consequence)
        if terms[0] != terms[1]:
            word = f"bcftools {theirs or 'nothing'}, ours {case.ours.consequence}"
        elif match and ours and (match[2], int(match[1]), match[4]) != ours:
            word = "same term, other residues"
        else:
            word = "agree"
        found[word] += 1
        if word != "agree" and word not in shown:
            shown.add(word)
            print(f"    {word}: {case.gene} {case.pos} {case.ref}>{case.alt} {text}")
    return found


# hgvs


def compare_hgvs(made: list[Case]) -> Counter[str]:
    """Agreements and differences with the package `hgvs`, and the first of each kind in words."""
    from benchmarks.hgvs_source import Names

    names = Names(whole_genes(), {g: transcripts(shipped(), BUILD)[g] for g in whole_genes()})
    found = Counter[str]()
    shown = Counter[str]()
    for case in made:
        coding, protein = names.of(case.gene, case.pos, case.ref, case.alt)
        for what, ours, theirs in (
            ("c.", case.ours.hgvs_c, coding),
            ("p.", case.ours.hgvs_p, protein),
        ):
            if theirs.startswith("fails"):
                word = f"{what} fails in hgvs"
            elif not ours:
                word = f"{what} not given by us"
            elif ours == theirs:
                word = f"{what} same"
            else:
                word = f"{what} differs"
            found[word] += 1
            shown[word] += 1
            if "differs" in word and shown[word] <= 10:
                print(f"    {word}: {case.gene} {case.pos} {case.ref}>{case.alt} {ours} {theirs}")
    return found


def main(_arguments: Sequence[str] = ()) -> None:
    """Print how many names and consequences agree."""
    rng = random.Random(1)  # noqa: S311, made-up variants are no secret
    made = cases(rng)
    print(f"{len(made)} variants of {len(whole_genes())} genes")
    with tempfile.TemporaryDirectory() as folder:
        for word, n in compare_csq(made, Path(folder), rng).most_common():
            print(f"  {n} {word}")
    try:
        import_module("hgvs")
    except ImportError:
        print("hgvs is not installed beside als-ml: names not compared")
        return
    for word, n in compare_hgvs(made).most_common():
        print(f"  {n} {word}")
