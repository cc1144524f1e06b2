"""One file a patient: our extraction beside the job as it is done today.

python -m benchmarks scale-rivals [FILES]; each way runs in a process of its own on the same
generated files and must find as many carried alleles. `bcftools` and GNU `parallel` are those that
are installed; cyvcf2 may live in another interpreter: ALS_ML_PEERS=/path/to/python. What is absent
is named and left out.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scale import BUILD, EXTRACT, MEASURE, make_files
from features.catalogue import shipped
from features.genotypes.vcf import panel_regions
from features.genotypes.workers import worker_count

SHELL = """
set -euo pipefail
mkdir cut
find "$1" -name '*.vcf.gz' | sort > files
cut='bcftools view -R regions -Ob -o cut/{/.}.bcf {} && bcftools index cut/{/.}.bcf'
parallel -j "$2" "$cut" < files
ls cut/*.bcf | split -l 500 - batch.
for batch in batch.*; do
  bcftools merge --no-version -l "$batch" -Ob -o "$batch.bcf" 2> /dev/null \
    || bcftools view -Ob -o "$batch.bcf" "$(cat "$batch")"
  bcftools index "$batch.bcf"
done
if [ "$(ls batch.*.bcf | wc -l)" -gt 1 ]; then
  bcftools merge --no-version -Ob -o all.bcf batch.*.bcf
else
  mv batch.*.bcf all.bcf
fi
line='[%CHROM\\t%POS\\t%REF\\t%ALT\\t%SAMPLE\\t%GT\\n]'
bcftools query -i 'GT="alt"' -f "$line" all.bcf > carriers
"""
BCFTOOLS = f"""
import subprocess
job = ["bash", "-c", {SHELL!r}, "job", sys.argv[1], sys.argv[2]]
subprocess.run(job, check=True, cwd=sys.argv[3])
report(alleles=sum(1 for _ in open(Path(sys.argv[3]) / "carriers")))
"""
CYVCF2 = """
import warnings
import cyvcf2
warnings.simplefilter("ignore")  # of contigs without a record
regions = [line.split() for line in open(Path(sys.argv[3]) / "regions")]
alleles = 0
with open(Path(sys.argv[3]) / "loop", "w") as out:
    for path in sorted(Path(sys.argv[1]).glob("*.vcf.gz")):
        vcf = cyvcf2.VCF(str(path))
        for chrom, start, end in regions:
            for variant in vcf(f"{chrom}:{start}-{end}"):
                kind = variant.gt_types[0]
                if kind in (1, 3):
                    out.write(f"{variant.CHROM}\\t{variant.POS}\\t{vcf.samples[0]}\\t{kind}\\n")
                    alleles += 1
        vcf.close()
report(alleles=alleles)
"""
# What the others need of `MEASURE` without our packages: the largest process counts.
PLAIN = MEASURE.replace(
    """    from features.genotypes.bcftools import stop_workers
    stop_workers()  # their time counts when they have ended
""",
    "",
).replace(
    '    return int(status.split("VmHWM:")[1].split()[0]) / 1024',
    "    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
    '    return max(int(status.split("VmHWM:")[1].split()[0]), largest) / 1024',
)


def ran(python: str, script: str, *arguments: object) -> dict[str, float]:
    """Figures of a process that runs a script."""
    command = [python, "-c", script, *map(str, arguments)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def peers() -> str | None:
    """An interpreter that has cyvcf2."""
    python = os.environ.get("ALS_ML_PEERS", sys.executable)
    tried = subprocess.run([python, "-c", "import cyvcf2"], capture_output=True, check=False)
    return None if tried.returncode else python


def compare(files: int) -> dict[str, dict[str, float]]:
    """Figures of each way that can be gone here."""
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as work:
        make_files(Path(name), files)
        regions = panel_regions(shipped(), BUILD)
        lines = [f"{chrom}\t{start}\t{end}\n" for chrom, start, end in regions]
        (Path(work) / "regions").write_text("".join(lines))
        found["als-ml"] = ran(sys.executable, MEASURE + EXTRACT, name, "*.vcf.gz", files)
        if shutil.which("bcftools") and shutil.which("parallel"):
            arguments = (name, worker_count(), work)
            found["bcftools, parallel, merge"] = ran(sys.executable, PLAIN + BCFTOOLS, *arguments)
        if python := peers():
            found["cyvcf2 loop"] = ran(python, PLAIN + CYVCF2, name, 1, work)
    assert len({run["alleles"] for run in found.values()}) == 1, found
    return found


def main(arguments: Sequence[str] = ()) -> None:
    """Compare on some files."""
    files = int(arguments[0]) if arguments else 1_000
    found = compare(files)
    print(f"{files:,} files of one patient, {worker_count()} processors")
    for way, run in found.items():
        each = 1_000 * run["cpu"] / files
        print(f"  {way:26s} {run['wall']:6.1f} s {each:6.1f} ms of CPU a file {run['mb']:5.0f} MB")
    for way in sorted({"bcftools, parallel, merge", "cyvcf2 loop"} - set(found)):
        print(f"  {way}: not here")


if __name__ == "__main__":
    main(sys.argv[1:])
