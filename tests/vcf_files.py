"""Write small VCF files."""

from pathlib import Path

import pysam

from features.catalogue import shipped


def write_vcf(
    path: Path,
    samples: list[str],
    records: list[str],
    build: str = "GRCh38",
    chr_prefix: bool = False,
) -> Path:
    """Records are 'chrom pos ref alt filter gt gt ...' with blanks.

    Bgzipped and indexed where the name ends in .gz.
    """
    lengths = shipped().table("contigs").set_index("chrom")[build.lower()]
    prefix = "chr" if chr_prefix else ""
    lines = [
        "##fileformat=VCFv4.2",
        '##FILTER=<ID=low,Description="x">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="GT">',
    ]
    lines += ['##INFO=<ID=AF,Number=A,Type=Float,Description="AF">']
    lines += [f"##contig=<ID={prefix}{name},length={length}>" for name, length in lengths.items()]
    lines.append(
        "\t".join(
            ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]
        )
    )
    for record in records:
        chrom, pos, ref, alt, passed, *calls = record.split()
        lines.append(
            "\t".join([prefix + chrom, pos, ".", ref, alt, ".", passed, ".", "GT", *calls])
        )
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    plain.write_text("\n".join(lines) + "\n")
    if path.suffix == ".gz":
        pysam.tabix_compress(str(plain), str(path), force=True)
        pysam.tabix_index(str(path), preset="vcf", force=True)
    return path
