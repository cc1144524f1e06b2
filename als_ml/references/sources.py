"""Read the sources file, configs/references/sources.yaml: where each kind of reference file is
fetched from.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from als_ml.config import wrong_key
from als_ml.references.regions import fasta_regions
from features.catalogue import BUILDS, checked_build, shipped
from features.errors import RequestError, nearest
from features.genotypes.vcf import Region, panel_regions
from features.stored import Json
from features.yaml_text import read_yaml

CUT_NAMES = {
    "fasta": "{}.fa.gz",
    "clinvar": "clinvar.{}.vcf.gz",
    "frequencies": "frequencies.{}.vcf.gz",
    "alphamissense": "alphamissense.{}.tsv.gz",
    "revel": "revel.{}.csv.gz",
}
# Tables of missense scores; of one cohort one of them counts.
SCORES = ("alphamissense", "revel")
KINDS = tuple(CUT_NAMES)
# Beside the builds: coding sequences are of transcripts.
SEQUENCES_KEY = "sequences"
SCHEMES = ("http", "https", "file")


class Source(BaseModel):
    """One entry of the sources file; `{chrom}` in an address stands for each chromosome of the
    panel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    md5: str | None = Field(default=None, pattern="^[0-9a-f]{32}$")
    checksum_url: str | None = Field(default=None, description="file of `digest  name` lines")
    indexed: bool = Field(
        default=False, description="read only the panel, through the tabix index url + .tbi"
    )
    licence: str
    ask: bool = Field(default=False, description="fetch it only where its licence was accepted")

    @field_validator("url", "checksum_url")
    @classmethod
    def _fetchable(cls, url: str | None) -> str | None:
        if url is not None and (
            urlsplit(url).scheme not in SCHEMES or not file_name(url).strip(".")
        ):
            raise ValueError(
                f"this is not an address of a file ({', '.join(f'{s}://' for s in SCHEMES)})"
            )
        return url

    @model_validator(mode="after")
    def _one_checksum(self) -> "Source":
        given = [name for name in ("sha256", "md5", "checksum_url") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"give one of {' and '.join(given)}, not both")
        if self.indexed and given:
            raise ValueError(
                f"an indexed source is read in part, so that {given[0]} cannot be compared"
            )
        if "{chrom}" in self.url and given and given[0] != "checksum_url":
            raise ValueError(
                f"{given[0]} is that of one file, but {{chrom}} makes several; give checksum_url"
            )
        return self


@dataclass(frozen=True)
class Remote:
    """One file to fetch: its address, its entry in the sources file and the regions wanted of
    it.
    """

    url: str
    source: Source
    regions: list[Region]

    @property
    def name(self) -> str:
        """Name of the file in the downloads folder."""
        return file_name(self.url)


def read_sources(
    path: Path, build: str, only: tuple[str, ...] = (), accepted: tuple[str, ...] = ()
) -> dict[str, Source]:
    """Read the entries of one build, in the order of `KINDS`.

    Parameters
    ----------
    path : Path
        YAML: build -> kind -> entry.
    build : str
        GRCh38 or GRCh37.
    only : tuple of str
        Kinds that are asked for; without it all but those whose licence is to be accepted first.
    accepted : tuple of str
        Kinds whose licence the user accepts.

    Returns
    -------
    dict of Source
        Kind -> entry.

    Raises
    ------
    RequestError
        If the file is absent or not YAML, a key or value does not fit, or it lacks what is asked
        for.
    """
    for kind in only:
        if kind not in KINDS:
            raise RequestError(
                f"--only {kind}",
                "this is not a reference file",
                nearest(kind, KINDS),
                code="option_value",
            )
    entries = _entries(path).get(checked_build(build), {})
    chosen = _chosen(entries, only, accepted)
    for kind in only or (() if chosen else KINDS):
        if kind not in chosen:
            raise RequestError(
                f"{path}, {build}",
                f"it has no entry {kind}",
                "Add one, or leave it out.",
                code="name_unknown",
            )
    names = [
        remote.name for kind, source in chosen.items() for remote in remotes_of(kind, source, build)
    ]
    for name in names:
        if names.count(name) > 1:
            raise RequestError(
                f"{path}, {build}",
                f"two files are called {name}",
                "Fetch them one by one with --only.",
                code="option_value",
            )
    return chosen


def _chosen(
    entries: dict[str, Source], only: tuple[str, ...], accepted: tuple[str, ...]
) -> dict[str, Source]:
    """Entries that are asked for; one whose licence is not accepted is refused, not passed over."""
    wanted = only or tuple(k for k, entry in entries.items() if not entry.ask or k in accepted)
    chosen = {kind: entries[kind] for kind in KINDS if kind in entries and kind in wanted}
    for kind, source in chosen.items():
        if source.ask and kind not in accepted:
            raise RequestError(
                f"--only {kind}",
                f"its licence is to be accepted first: {source.licence}",
                f"Read it, and give --accept-licence {kind}.",
                code="option_conflict",
            )
    return chosen


def _entries(path: Path) -> dict[str, dict[str, Source]]:
    """Entries of each build."""
    builds = {name: kinds for name, kinds in _content(path).items() if name in BUILDS}
    return {
        build: {
            kind: _source(entry, f"{path}, {build}.{kind}")
            for kind, entry in _mapping(kinds, KINDS, f"{path}, {build}").items()
        }
        for build, kinds in builds.items()
    }


def sequence_addresses(path: Path) -> list[Source]:
    """Read where coding sequences are fetched from, in the order in which they are tried.

    Parameters
    ----------
    path : Path
        The sources file: `sequences`, a list of entries.

    Returns
    -------
    list of Source
        At least one.

    Raises
    ------
    RequestError
        If the file does not fit, or has none.
    """
    entries = _content(path).get(SEQUENCES_KEY)
    where = f"{path}, {SEQUENCES_KEY}"
    if not isinstance(entries, list) or not entries:
        raise RequestError(where, "it has no list of addresses", "Add one.", code="key_missing")
    return [_source(entry, f"{where}, entry {i}") for i, entry in enumerate(entries, 1)]


def _content(path: Path) -> Json:
    if not path.is_file():
        raise RequestError(
            str(path),
            "there is no such sources file",
            "Start from configs/references/sources.yaml.",
            code="file_absent",
        )
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RequestError(
            str(path),
            f"this is not YAML ({str(error).splitlines()[0]})",
            "Correct the file.",
            code="file_unreadable",
        ) from None
    return _mapping(content, (*BUILDS, SEQUENCES_KEY), str(path))


def _mapping(content: object, known: tuple[str, ...], where: str) -> Json:
    if not isinstance(content, dict):
        raise RequestError(
            where,
            f"here should be keys, not {content!r:.40}",
            f"Known: {', '.join(known)}.",
            code="key_value",
        )
    for key in content:
        if key not in known:
            raise RequestError(
                where, f"the key {key} is not known", nearest(str(key), known), code="key_unknown"
            )
    return content


def _source(entry: object, where: str) -> Source:
    try:
        return Source.model_validate(entry)
    except ValidationError as error:
        raise wrong_key(error, Source, where) from None


def remotes_of(kind: str, source: Source, build: str) -> list[Remote]:
    """Files to fetch for one kind: one, or one for each chromosome with the regions on it.

    Parameters
    ----------
    kind : str
        One of KINDS.
    source : Source
        Its entry.
    build : str
        GRCh38 or GRCh37.

    Returns
    -------
    list of Remote
        With the regions of the panel, or of the FASTA.
    """
    regions_of = fasta_regions if kind == "fasta" else panel_regions
    regions = regions_of(shipped(), build)
    if "{chrom}" not in source.url:
        return [Remote(source.url, source, regions)]
    by_chrom = {
        chrom: [region for region in regions if region[0] == chrom] for chrom, _, _ in regions
    }
    return [
        Remote(source.url.replace("{chrom}", chrom), source, part)
        for chrom, part in by_chrom.items()
    ]


def fingerprint(remotes: list[Remote]) -> str:
    """Short digest of the regions wanted, by which a later run tells whether they are still the
    same.

    Parameters
    ----------
    remotes : list of Remote
        In the order in which they are fetched.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    return hashlib.sha256(json.dumps([remote.regions for remote in remotes]).encode()).hexdigest()[
        :12
    ]


def file_name(url: str) -> str:
    """Last part of an address: the name of the file in the downloads folder.

    Parameters
    ----------
    url : str
        http, https or file.

    Returns
    -------
    str
        Without a query.
    """
    return PurePosixPath(urlsplit(url).path).name
