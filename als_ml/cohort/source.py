"""The cohort file (`cohort.yaml`): its keys, and the only way to the files that it names.

A cohort file reads nothing outside its own folder, by whatever way a name leads out: `..`, a root,
a link, or a glob that matches a link. What lies outside is read only where the person who runs the
command allows it, never because a file says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from als_ml.config import wrong_key
from als_ml.formats import FORMATS, check_format, with_removed_keys
from features.biomarkers.wide import Wide
from features.errors import DataError, RequestError
from features.genome_build import known_build
from features.genotypes.remote import check_allowed, is_remote, listed
from features.tables.cells import Dialect
from features.tables.layout import UTF_8, Layout, known_encoding
from features.tables.reading_rules import ReadingRules
from features.yaml_text import read_yaml, text_of, yaml_fault

_GLOB = frozenset("*?[")
TableKind = Literal["patients", "biomarkers", "alsfrs"]
TABLES: tuple[TableKind, ...] = ("patients", "biomarkers", "alsfrs")
# A header further down is a mistake: title rows of clinics are a handful (P).
_LAST_HEADER_ROW = 1000
# Lines of one header: a group, a name and a unit are three (P).
_MOST_HEADER_ROWS = 4
# An index lies beside its genome file and is found by it.
_INDEXES = (".tbi", ".csi")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reference(_Part):
    """Optional reference files; `gff` replaces the shipped gene models in `bcftools csq`.

    `missense_score` names the one score that is PP3 and BP4; `scores` is a table of it.
    """

    fasta: str | None = None
    gff: str | None = None
    clinvar: str | None = None
    frequencies: str | None = None
    scores: str | None = None
    missense_score: Literal["revel", "alphamissense", "cadd"] | None = None

    def files(self) -> dict[str, str | None]:
        """Key -> name of each reference file."""
        return self.model_dump(exclude={"missense_score"})


class WideColumn(_Part):
    """What is said of one column of a wide biomarker table, or of all of them.

    `unit_from` names the column beside it that has the unit of each row.
    """

    analyte: str | None = None
    unit: str | None = None
    matrix: str | None = None
    assay: str | None = None
    tube: str | None = None
    days: int | str | None = None
    unit_from: str | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> "WideColumn":
        if self.unit is not None and self.unit_from is not None:
            raise ValueError("unit and unit_from (a column of units) exclude each other")
        return self


class WideTable(WideColumn):
    """A biomarker table with a column an analyte.

    What stands beside `columns` holds for all of them.
    """

    columns: dict[str, WideColumn]

    def facts(self) -> Wide:
        """The block as the reader wants it."""
        columns = {
            name: column.model_dump(exclude_none=True) for name, column in self.columns.items()
        }
        return Wide(columns, self.model_dump(exclude={"columns"}, exclude_none=True))


class TableFile(_Part):
    """A table in a file that holds more, or is written otherwise: its sheet, the line of its
    header (from 1) and how many lines that takes, the encoding of its text, and names of its
    columns (ours: theirs).
    """

    file: str
    columns: dict[str, str] = {}
    sheet: str | int | None = None
    header_row: Annotated[int, Field(ge=1, le=_LAST_HEADER_ROW)] = 1
    header_rows: Annotated[int, Field(ge=1, le=_MOST_HEADER_ROWS)] = 1
    encoding: Annotated[str, AfterValidator(known_encoding)] = UTF_8

    @property
    def layout(self) -> Layout:
        """Where the table stands, as the reader wants it."""
        return Layout(
            sheet=self.sheet,
            header_row=self.header_row,
            header_rows=self.header_rows,
            encoding=self.encoding,
        )


def _in_its_file(said: object) -> object:
    """A file by its name is a table from its first line on."""
    return {"file": said} if isinstance(said, str) else said


_Table = Annotated[TableFile, BeforeValidator(_in_its_file)]


def _build(said: object) -> object:
    """A build by any of its names: hg38 is GRCh38."""
    return known_build(str(said)) if isinstance(said, str | int) else said


def _in_a_list(said: object) -> object:
    """One file alone is a list of it."""
    return (said,) if isinstance(said, str) else said


def _as_text(said: object) -> object:
    """An id that is written as a number."""
    return str(said) if isinstance(said, int | float) and not isinstance(said, bool) else said


_Files = Annotated[tuple[str, ...], BeforeValidator(_in_a_list)]


class CohortFile(_Part):
    """The keys of `cohort.yaml`; paths are relative to it, every part but `patients` is optional.

    `definitions` names folders with tables of the laboratory (`features.overlay`); `simulated` says
    that nobody in it is real, which a report then says too.

    `decimal`, `dates`, `partial_dates`, `policy` and `values` say how the cells of the tables are
    to be read (`features.tables.reading_rules`). `on_error` says what becomes of a cell that cannot
    be read, or of its patient; `exclude` names patients that are left out. With `index_date:
    first_visit` the first ALSFRS visit of a patient is day 0 where no index date is stated; with
    `leading_zeros: ignored` an id without them, as a spreadsheet leaves it, is that of the patient.
    """

    format: int = FORMATS["cohort file"]
    name: str = "cohort"
    simulated: bool = False
    genome_build: Annotated[Literal["GRCh37", "GRCh38"], BeforeValidator(_build)] = "GRCh38"
    variants: _Files = ()
    repeats: _Files = ()
    patients: _Table
    biomarkers: _Table | None = None
    alsfrs: _Table | None = None
    definitions: _Files = ()
    sample_map: str | None = None
    kinship: str | None = None
    targets: str | None = None
    reference: Reference = Reference()
    columns: dict[str, str] = {}
    wide: WideTable | None = None
    decimal: Literal[".", ","] | None = None
    dates: Literal["iso", "day_first", "month_first"] | None = None
    partial_dates: Literal["middle", "refuse"] = "refuse"
    policy: Literal["lenient", "strict"] = "lenient"
    on_error: Literal["stop", "drop_value", "drop_patient"] = "stop"
    exclude: tuple[Annotated[str, BeforeValidator(_as_text)], ...] = ()
    index_date: Literal["stated", "first_visit"] = "stated"
    leading_zeros: Literal["kept", "ignored"] = "kept"
    values: dict[str, dict[str, str]] = {}

    def table(self, kind: TableKind) -> TableFile | None:
        """The file of a table and where the table stands in it, None where there is none."""
        table: TableFile | None = getattr(self, kind)
        return table

    def named_files(self) -> Iterator[tuple[str, str]]:
        """Key and name of each file that one key names: tables and lists."""
        for kind in TABLES:
            if table := self.table(kind):
                yield kind, table.file
        for key in _LISTS:
            if name := getattr(self, key):
                yield key, name

    def shown(self, kind: TableKind) -> str:
        """A table as messages name it: its file, and its sheet in brackets."""
        table = self.table(kind)
        if table is None:
            return ""
        return table.file if table.sheet is None else f"{table.file}[{table.sheet}]"

    @property
    def consequences(self) -> str:
        """Where the consequences of its variants come from: other sources make other features.

        Frequencies and ClinVar are not asked, because a model keeps those that it was trained with.
        """
        if self.reference.fasta is None:
            return "the VCF alone"
        return "reference.fasta" + (" and reference.gff" if self.reference.gff else "")

    @property
    def rules(self) -> ReadingRules:
        """How the tables are to be read."""
        dialect = Dialect(decimal=self.decimal, dates=self.dates, partial_dates=self.partial_dates)
        return ReadingRules(dialect, self.policy == "strict", self.values)


@dataclass(frozen=True)
class CohortSource:
    """A cohort file that was read, and where the files that it names are.

    Attributes
    ----------
    path : Path
        The cohort file; the names in it are relative to its folder.
    described : CohortFile
        What it says.
    allow_outside : bool
        Whether the person who runs the command lets it name files outside its folder.
    extracts : Path, optional
        Folder in which what was read of the genomes is kept and found again.
    allow_remote : bool
        Whether that person lets `variants` name URLs.
    """

    path: Path
    described: CohortFile
    allow_outside: bool = False
    extracts: Path | None = None
    allow_remote: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the cohort file."""
        return self.path.parent

    @property
    def simulated(self) -> bool:
        """Whether the cohort is made up: its file says so, or the simulator's truth lies beside it,
        by which cohorts of earlier releases are known.
        """
        return self.described.simulated or (self.folder / "truth.csv").is_file()

    def file(self, name: str, key: str) -> Path:
        """The file that a key names.

        Parameters
        ----------
        name : str
            As the cohort file says it.
        key : str
            For the message.

        Returns
        -------
        Path
            In the folder of the cohort file, unless the user allows others.

        Raises
        ------
        RequestError
            If it lies outside the folder and that was not allowed.
        """
        return self._inside(self.folder / name, name, key)

    def _inside(self, path: Path, name: str, key: str) -> Path:
        if self.allow_outside or path.resolve().is_relative_to(self.folder.resolve()):
            return path
        raise RequestError(
            f"{self.path}, {key}",
            f"{name!r} leaves the folder of the cohort file",
            "Move the file, or allow it with --allow-outside if you trust this cohort file.",
            code="path_outside",
        )

    def files(self, key: Literal["variants", "repeats"]) -> list[Path]:
        """The files that the patterns of a key match, indexes left out.

        Parameters
        ----------
        key : str
            `variants` or `repeats`.

        Returns
        -------
        list of Path
            Each once, patterns in the order of the file.

        Raises
        ------
        DataError
            If a pattern matches nothing.
        RequestError
            If a pattern or what it matches lies outside the folder and that was not allowed.
        """
        paths: list[Path] = []
        for pattern in getattr(self.described, key):
            matched = [path for path in self._matched(pattern, key) if path.suffix not in _INDEXES]
            if not matched:
                raise DataError(
                    f"{key}: {pattern}",
                    "matches no file",
                    f"Paths are relative to {self.folder}.",
                    code="file_absent",
                )
            paths += matched
        return paths

    def _matched(self, pattern: str, key: str) -> list[Path]:
        if key == "variants" and is_remote(pattern):
            check_allowed(pattern, self.allow_remote, f"{self.path}, {key}")
            return listed(pattern) if _GLOB & set(pattern) else [Path(pattern)]
        whole = self.file(pattern, key)
        if not _GLOB & set(pattern):
            return [whole]
        try:
            matched = sorted(whole.parent.glob(whole.name))
        except ValueError:
            raise RequestError(
                f"{self.path}, {key}",
                f"{pattern!r} is not a pattern",
                "Write * for any part of a name.",
                code="key_value",
            ) from None
        return [self._inside(path, path.name, key) for path in matched]

    def reference(self, name: str) -> Path | None:
        """A reference file, None where it is not given.

        Parameters
        ----------
        name : str
            `fasta`, `clinvar`, `frequencies`, `scores` or `gff`.

        Returns
        -------
        Path or None
            Only an existing one.

        Raises
        ------
        DataError
            If there is no such file.
        """
        given = getattr(self.described.reference, name)
        if given is None:
            return None
        path = self.file(given, f"reference.{name}")
        if not path.is_file():
            raise DataError(
                f"reference.{name}: {given}",
                "there is no such file",
                f"Paths are relative to {self.folder}.",
                code="file_absent",
            )
        return path

    def definition_folders(self) -> list[Path]:
        """Folders with the laboratory's own definition tables."""
        return [self.file(name, "definitions") for name in self.described.definitions]

    def check_names(self) -> None:
        """Refuse at once what leaves the folder, before anything is read."""
        for key, name in self.described.named_files():
            self.file(name, key)
        for key in _GENOMES:
            for pattern in getattr(self.described, key):
                self._matched(pattern, key)
        self.definition_folders()
        for key, given in self.described.reference.files().items():
            if given is not None:
                self.file(given, f"reference.{key}")


_LISTS = ("sample_map", "kinship", "targets")
_GENOMES = ("variants", "repeats")


def open_cohort(
    path: Path,
    allow_outside: bool = False,
    extracts: Path | None = None,
    allow_remote: bool = False,
) -> CohortSource:
    """Parse a cohort file.

    Parameters
    ----------
    path : Path
        `cohort.yaml`.
    allow_outside : bool
        Whether it may name files outside its own folder: for the person to say, never for the file.
    extracts : Path, optional
        Folder in which what was read of the genomes is kept and found again.
    allow_remote : bool
        Whether `variants` may name URLs: for the person to say, never for the file.

    Raises
    ------
    RequestError
        If it is absent, not YAML, has an unknown key (with the nearest known one), or names a file
        outside its folder.
    """
    if not path.is_file():
        raise RequestError(
            str(path),
            "there is no such cohort file",
            "Give the path of a cohort.yaml (to train: --set cohort=PATH); als-ml init makes one.",
            code="file_absent",
        )
    source = CohortSource(
        path=path,
        described=_parsed(path),
        allow_outside=allow_outside,
        extracts=extracts,
        allow_remote=allow_remote,
    )
    source.check_names()
    return source


def _parsed(path: Path) -> CohortFile:
    text = ""
    try:
        text = text_of(path)
        content = read_yaml(text, _is_word)
    except yaml.YAMLError as error:
        raise RequestError(str(path), *yaml_fault(error, text), code="file_unreadable") from None
    if not isinstance(content, dict):
        reason = "it is empty" if content is None else "it has no keys"
        remedy = "Write at least `patients: FILE`; `als-ml init` writes one to start from."
        raise RequestError(str(path), reason, remedy, code="key_missing")
    check_format("cohort file", content, str(path))
    content = with_removed_keys("cohort file", content, str(path))
    try:
        return CohortFile.model_validate(content)
    except ValidationError as error:
        raise wrong_key(error, CohortFile, str(path), text) from None


def _is_word(path: tuple[str, ...]) -> bool:
    """Whether a key or a value is a word of the user's tables: `yes` in `values` is no truth value,
    and `1` no number.
    """
    if path[:1] == ("wide",):
        return path == ("wide", "columns")
    return path[:1] in (("values",), ("exclude",)) or "columns" in path[:2]
