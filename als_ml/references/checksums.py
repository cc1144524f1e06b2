"""The digest that a downloaded file must have: stated in the sources file, or published by the
provider.
"""

import re
from pathlib import PurePosixPath

from als_ml.references.download import download
from als_ml.references.folder import Job, is_ours, remove_ours
from als_ml.references.sources import Remote, file_name
from features.errors import DataError

_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}


def expected_digest(remote: Remote, job: Job) -> tuple[str, str] | None:
    """Algorithm and digest that a file must have, None where nothing is stated.

    Parameters
    ----------
    remote : Remote
        The file to fetch.
    job : Job
        With the downloads folder and progress.

    Returns
    -------
    (str, str) or None
        `md5` or `sha256`, and hexadecimal digits.
    """
    source = remote.source
    if source.sha256:
        return "sha256", source.sha256
    if source.md5:
        return "md5", source.md5
    return _published(remote, source.checksum_url, job) if source.checksum_url else None


def _published(remote: Remote, url: str, job: Job) -> tuple[str, str]:
    chrom = remote.regions[0][0] if remote.regions else ""
    listed = read_checksums(_checksum_text(url.replace("{chrom}", chrom), remote, job))
    digest = next(iter(listed.values())) if len(listed) == 1 else listed.get(remote.name, "")
    if len(digest) not in _ALGORITHMS:
        raise DataError(
            url,
            f"it has no checksum of {remote.name}",
            "Correct checksum_url, or give md5 or sha256.",
            code="download_failed",
        )
    return _ALGORITHMS[len(digest)], digest


def _checksum_text(url: str, remote: Remote, job: Job) -> str:
    """Text of a checksum file.

    One put by hand into the downloads folder comes first, one of ours is always fetched anew.
    """
    path = job.downloads / file_name(url)
    if path.is_file() and not is_ours(path):
        return path.read_text(encoding="utf-8", errors="replace")
    path.unlink(missing_ok=True)
    by_hand = f"download it and {remote.url} elsewhere, put both into {job.downloads}"
    download(url, path, None, job.progress, by_hand)
    text = path.read_text(encoding="utf-8", errors="replace")
    remove_ours([path])
    return text


def read_checksums(text: str) -> dict[str, str]:
    """File name -> digest, of lines as md5sum and sha256sum write them.

    Folders before the name are dropped.

    Parameters
    ----------
    text : str
        Of the published file.

    Returns
    -------
    dict of str
        Hexadecimal, in small letters.

    Examples
    --------
    >>> read_checksums("d41d8cd98f00b204e9800998ecf8427e  /panfs/x/clinvar.vcf.gz")
    {'clinvar.vcf.gz': 'd41d8cd98f00b204e9800998ecf8427e'}
    """
    lines = re.findall(
        r"^([0-9a-fA-F]{32,64})(?:[ \t]+\*?(\S+))?[ \t\r]*$", text, flags=re.MULTILINE
    )
    return {PurePosixPath(name).name: digest.lower() for digest, name in lines}
