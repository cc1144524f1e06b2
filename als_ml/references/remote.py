"""Read the panel's records of a remote VCF through its tabix index: gnomAD is several 100 GB."""

import os
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pysam

from als_ml.output import whole_file
from als_ml.references.cut import FREQUENCY_FIELDS, is_kept, shortened
from als_ml.references.download import TIMEOUT, download
from als_ml.references.folder import Job, is_ours, read_note, remove_ours, write_note
from als_ml.references.sources import Remote, fingerprint
from features.errors import DataError
from features.stored import Json

SLICE_SECONDS = 3_600  # one chromosome of gnomAD: some 100 MB at worst
# bcftools and not pysam's own reader, which takes a broken connection for the end of the file.
_CHILD = "import sys, pysam.bcftools as b; b.view(*sys.argv[1:], catch_stdout=False)"


def fetch_panel(remote: Remote, target: Path, job: Job) -> None:
    """Fetch the panel's records of an indexed VCF, with gnomAD's fields alone.

    The index is fetched first: htslib would leave it in the current folder, and says less of a
    server out of reach.

    Parameters
    ----------
    remote : Remote
        The indexed VCF, with the regions wanted.
    target : Path
        The bgzipped file to write.
    job : Job
        With the downloads folder and progress.
    """
    index = job.downloads / f"{remote.name}.tbi"
    if is_ours(index):
        index.unlink(missing_ok=True)
    if not index.is_file():
        download(f"{remote.url}.tbi", index, None, job.progress, _slice_by_hand(target))
    job.progress(f"reading the panel of {remote.name}", 0, 0)
    with whole_file(target) as temporary, pysam.BGZFile(str(temporary), "wb", None) as written:
        for line in _remote_lines(remote, index, target):
            if not line.startswith(b"#"):
                written.write(shortened(line, FREQUENCY_FIELDS))
            elif is_kept(line, FREQUENCY_FIELDS):
                written.write(line)
    write_note(target, _slice_note(remote, index))
    remove_ours([index])


def _slice_by_hand(target: Path) -> str:
    return f"put a VCF with the panel's records at {target}"


def _slice_note(remote: Remote, index: Path) -> Json:
    note = read_note(index)
    return {
        "url": remote.url,
        "etag": note.get("etag"),
        "modified": note.get("modified"),
        "regions": fingerprint([remote]),
    }


def _remote_lines(remote: Remote, index: Path, target: Path) -> Iterator[bytes]:
    """Stream header and records from a process of its own: htslib itself would not hear an
    interruption.
    """
    with tempfile.TemporaryFile() as complaints:
        command = [sys.executable, "-c", _CHILD, *_view_arguments(remote, index)]
        child = subprocess.Popen(  # noqa: S603
            command, env=_environment(), stdout=subprocess.PIPE, stderr=complaints
        )
        clock = threading.Timer(SLICE_SECONDS, child.kill)
        clock.start()
        try:
            yield from child.stdout or ()
            child.wait()
        finally:
            clock.cancel()
            child.kill()
            child.communicate()
        if child.returncode:
            complaints.seek(0)
            raise _slice_failure(remote, index, target, complaints.read().decode(errors="replace"))


def _view_arguments(remote: Remote, index: Path) -> list[str]:
    # `--no-version`: the header would name folders of this machine. An absent spelling of a contig
    # is passed over.
    regions = ",".join(
        f"{p}{chrom}:{start}-{end}" for chrom, start, end in remote.regions for p in ("", "chr")
    )
    return ["--no-version", "-G", "-r", regions, f"{remote.url}##idx##{index}", "-o", "/dev/stdout"]


def _environment() -> dict[str, str]:
    # libcurl inside the wheel looks for certificates where another distribution keeps them, and
    # waits for ever by itself.
    authorities = ssl.get_default_verify_paths().cafile
    ours = {"HTS_LOW_SPEED_TIME": str(TIMEOUT), "HTS_LOW_SPEED_LIMIT": "1"}
    return {**ours, **({"CURL_CA_BUNDLE": authorities} if authorities else {}), **os.environ}


def _slice_failure(remote: Remote, index: Path, target: Path, complaints: str) -> DataError:
    # pysam puts what bcftools said last behind `stderr=`, quoted.
    lines = [
        line.strip(" '\"")
        for line in complaints.rpartition("stderr=")[2].replace("\\n", "\n").splitlines()
    ]
    reason = next(
        (line[:300] for line in reversed(lines) if line),
        f"broken off after {SLICE_SECONDS} s at the latest",
    )
    by_hand = f"{_slice_by_hand(target)} and run it again"
    remedy = (
        f"Run the command again, or {by_hand}, or set `indexed: false` to download the whole file."
    )
    return DataError(
        remote.url,
        f"its records could not be read through {index.name} ({reason})",
        remedy,
        code="download_failed",
    )
