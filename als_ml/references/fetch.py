"""Fetch, cut and record each reference file of a build; references.json says where it came from."""

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import yaml

from als_ml.output import whole_file
from als_ml.references.checksums import expected_digest
from als_ml.references.cut import FREQUENCY_FIELDS, cut_fasta, cut_vcf
from als_ml.references.cut_table import cut_table
from als_ml.references.download import download
from als_ml.references.folder import (
    Job,
    Progress,
    difference,
    file_digest,
    is_ours,
    read_note,
    remove_ours,
)
from als_ml.references.remote import fetch_panel
from als_ml.references.sources import (
    CUT_NAMES,
    SCORES,
    Remote,
    Source,
    fingerprint,
    read_sources,
    remotes_of,
)
from features.errors import DataError, RequestError
from features.stored import Json


def fetch_references(
    output: Path,
    build: str,
    sources: Path,
    only: tuple[str, ...],
    progress: Progress,
    keep: bool = False,
    accepted: tuple[str, ...] = (),
) -> dict[str, Path]:
    """Download the reference files of a build and cut them to the gene panel.

    Parameters
    ----------
    output : Path
        Folder for the files and references.json; downloads go to its `downloads`, where a file put
        by hand is used too.
    build : str
        GRCh37 or GRCh38.
    sources : Path
        The sources file.
    only : tuple of str
        Some of fasta, clinvar, frequencies; empty: all that the sources file has.
    progress : callable
        Told what is done, how much of it (bytes or files) and of how much (0: unknown).
    keep : bool
        Keep the downloads.
    accepted : tuple of str
        Kinds whose licence the user accepts.

    Returns
    -------
    dict
        Kind -> the cut file, compressed and indexed.

    Raises
    ------
    RequestError
        For an unknown build or kind, a sources file that does not fit, or a folder that cannot be
        made.
    DataError
        If a server cannot be reached, a download breaks off or its checksum differs, or a file is
        not of this build.
    """
    chosen = read_sources(sources, build, only, accepted)
    job = Job(output=output, build=build, progress=progress, keep=keep)
    _make_folder(job.downloads)
    paths = {kind: _reference(kind, source, job) for kind, source in chosen.items()}
    with contextlib.suppress(OSError):
        job.downloads.rmdir()
    return paths


def cohort_block(paths: dict[str, Path]) -> str:
    """Write the `reference:` block of a cohort file, with absolute paths.

    Parameters
    ----------
    paths : dict of Path
        Kind -> file.

    Returns
    -------
    str
        YAML.

    Examples
    --------
    >>> print(cohort_block({"fasta": Path("/data/GRCh38.fa.gz")}), end="")
    reference:
      fasta: /data/GRCh38.fa.gz
    """
    named = {kind: str(path.resolve()) for kind, path in paths.items() if kind not in SCORES}
    for kind in [kind for kind in SCORES if kind in paths][:1]:
        named |= {"missense_score": kind, "scores": str(paths[kind].resolve())}
    return yaml.safe_dump({"reference": named}, sort_keys=False)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"--output {folder.parent}",
            f"it cannot be made ({error.strerror})",
            "Name another.",
            code="output_refused",
        ) from None


def _reference(kind: str, source: Source, job: Job) -> Path:
    target = job.output / CUT_NAMES[kind].format(job.build)
    remotes = remotes_of(kind, source, job.build)
    request = {
        "build": job.build,
        "urls": [r.url for r in remotes],
        "regions": fingerprint(remotes),
    }
    if _is_finished(target, request):
        return target
    files = [_fetched(remote, job) for remote in remotes]
    regions = [region for remote in remotes for region in remote.regions]
    job.progress(f"cutting {target.name} to the panel", 0, len(files))
    if kind == "fasta":
        cut_fasta(files, target, regions, job.progress)
    elif kind in SCORES:
        cut_table(files, target, regions, job.build, job.progress)
    else:
        cut_vcf(
            files,
            target,
            regions,
            FREQUENCY_FIELDS if kind == "frequencies" else None,
            job.progress,
        )
    _record(
        target,
        {**request, "licence": source.licence, "files": [_described(f, source) for f in files]},
    )
    if not job.keep:
        remove_ours(files)
    return target


def _fetched(remote: Remote, job: Job) -> Path:
    """Fetch a file unless it is there; what was put there by hand is never removed."""
    target = job.downloads / remote.name
    if is_ours(target) and not _is_same(read_note(target), remote):
        target.unlink(missing_ok=True)
    expected = expected_digest(remote, job)
    if target.is_file():
        differs = difference(target, expected)
        if not differs:
            return target
        if not is_ours(target):
            raise DataError(
                str(target),
                differs,
                f"Replace it by {remote.url}, or delete it to have it downloaded.",
                code="download_failed",
            )
        target.unlink()
    if remote.source.indexed:
        fetch_panel(remote, target, job)
    else:
        download(remote.url, target, expected, job.progress)
    return target


def _is_same(note: Json, remote: Remote) -> bool:
    """Whether a finished download is what is wanted now: the file of another build can have the
    same name.
    """
    regions = fingerprint([remote]) if remote.source.indexed else None
    return note.get("url") == remote.url and note.get("regions") == regions


def _recorded(folder: Path) -> Json:
    try:
        return dict(json.loads((folder / "references.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _is_finished(target: Path, request: Json) -> bool:
    record = _recorded(target.parent).get(target.name, {})
    same = all(record.get(key) == value for key, value in request.items())
    indexed = not target.name.endswith((".fa.gz", ".vcf.gz")) or any(
        Path(f"{target}{suffix}").is_file() for suffix in (".fai", ".tbi")
    )
    whole = target.is_file() and indexed
    return same and whole and file_digest(target, "sha256") == record["sha256"]


def _record(target: Path, record: Json) -> None:
    record |= {"sha256": file_digest(target, "sha256"), "bytes": target.stat().st_size}
    record |= {"date": datetime.now(UTC).isoformat(timespec="seconds")}
    with whole_file(target.parent / "references.json") as temporary:
        records = {**_recorded(target.parent), target.name: record}
        temporary.write_text(json.dumps(records, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _described(file: Path, source: Source) -> Json:
    note = read_note(file)
    checked = any((source.sha256, source.md5, source.checksum_url))
    return {
        "name": file.name,
        "sha256": file_digest(file, "sha256"),
        "bytes": file.stat().st_size,
        "put_there_by_hand": not is_ours(file),
        "panel_only": source.indexed and is_ours(file),
        "compared_with_checksum": checked,
        "last_modified": note.get("modified"),
    }
