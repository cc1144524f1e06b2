"""A cohort too large for memory: its long tables are put in order of patients on disk, its
genotypes are read once and put there too.

The patients table is held whole; genotypes, biomarkers and visits of PART patients at a time. A
part gives the same cohort as reading everything at once and taking those patients. Only where a
table leaves open how numbers or dates are written is each part read by what its own cells say, so
such a file may be refused here or there, but no value is read in two ways.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from als_ml.cohort.read import (
    Beside,
    Genetics,
    Reading,
    beside_genotypes,
    by_row,
    gather_genotypes,
    is_excluded,
    long_tables,
    names_without_zeros,
    read_patients,
    table_names,
    with_phases,
    without_errors,
)
from als_ml.cohort.source import CohortFile, CohortSource, TableFile, TableKind
from features.alsfrs.visits import after_visits
from features.catalogue import Definitions
from features.cohort import Cohort
from features.errors import DataError, RequestError
from features.genotypes.extraction import with_targets
from features.genotypes.gathered import GatheredOnDisk
from features.genotypes.genotype import moved_rows
from features.patients import has_calendar
from features.tables.coded import text
from features.tables.delimited import check_quotes, delimited, has_lines, readable
from features.tables.files import read_coded
from features.tables.layout import Layout, is_workbook
from features.tables.problems import Problems
from features.temporary import working_folder

# From LARGE patients on, a cohort is read in parts of PART.
LARGE, PART = 50_000, 20_000
LONG: tuple[TableKind, ...] = ("biomarkers", "alsfrs")
_LINE = "__line"


@dataclass(frozen=True)
class LargeCohort:
    """Patients in memory, genotypes and long tables on disk in `folder`, one file a part."""

    source: CohortSource
    reading: Reading
    tables: Definitions
    patients: pd.DataFrame
    genotypes: GatheredOnDisk
    targeted: np.ndarray | None
    beside: Beside
    vcf_names: list[str]
    folder: Path
    size: int

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-len(self.patients) // self.size)

    def part(self, number: int, problems: Problems) -> Cohort:
        """The cohort of one part.

        What is wrong with it goes to `problems` with the lines of the user's own files.

        Parameters
        ----------
        number : int
            From 0.
        problems : Problems
            Gets what is wrong.

        Returns
        -------
        Cohort
            `size` patients, fewer in the last part.
        """
        rows = np.arange(number * self.size, min((number + 1) * self.size, len(self.patients)))
        patients = self.patients.iloc[rows].reset_index(drop=True)
        names = {name: i for i, name in enumerate(patients["sample_id"])}
        described = self.source.described
        kinds = [kind for kind in LONG if described.table(kind)]
        files = [f"{kind}-{number:05d}.parquet" for kind in kinds]
        sources = {
            name: (described.shown(kind), self._lines(name))
            for kind, name in zip(kinds, files, strict=True)
        }
        places: dict[str, TableFile] = {
            kind: TableFile(file=name) for kind, name in zip(kinds, files, strict=True)
        }
        part = CohortSource(
            path=self.folder / "cohort.yaml",
            described=described.model_copy(update=places),
        )
        dropping = described.on_error == "drop_value"
        for_part = replace(problems, sources=sources, drops_values=dropping)
        biomarkers, visits = long_tables(
            self.tables,
            part,
            names,
            patients,
            for_part,
            calendar=has_calendar(self.patients),
            judged=self.reading.definitions,
        )
        return Cohort(
            name=described.name,
            patients=after_visits(patients, visits),
            biomarkers=biomarkers,
            alsfrs=visits,
            **self._genetics(number, rows),
            families=np.arange(len(rows)),
            definitions=self.reading.definitions,
        )

    def _lines(self, name: str) -> np.ndarray:
        return pq.read_table(self.folder / name, columns=[_LINE])[_LINE].to_numpy()

    def _genetics(self, number: int, rows: np.ndarray) -> Genetics:
        position = np.full(len(self.patients), -1)
        position[rows] = np.arange(len(rows))
        genotypes = self.genotypes.part(number)
        if self.targeted is not None:
            genotypes = with_targets(genotypes, self.targeted)
        variants = self.beside["variants"]
        names = [self.vcf_names[row] for row in rows.tolist()]
        genotypes = with_phases(genotypes, variants, self.source, self.reading, names)
        repeats = moved_rows(self.beside["repeats"], position)
        return Genetics(
            genotypes=genotypes,
            variants=variants,
            lookups=self.beside["lookups"],
            repeats=repeats,
        )


@contextmanager
def large_cohort(
    source: CohortSource,
    reading: Reading,
    problems: Problems,
    progress: Callable[[str], None] = lambda _: None,
    size: int | None = None,
) -> Iterator[LargeCohort]:
    """Read patients and genotypes, put the long tables in order on disk, and clean up in the
    end.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.
    reading : Reading
        Definitions, thresholds and references.
    problems : Problems
        Gets what is wrong with patients and genomes.
    progress : callable
        Told what is being read.
    size : int, optional
        Patients of a part.

    Yields
    ------
    LargeCohort
        Usable inside the block only.
    """
    progress("patients")
    tables, judged = reading.tables(source, problems)
    reading = replace(reading, definitions=judged)
    _refuse_drop_patient(source)
    source, problems = without_errors(tables, source, problems)
    patients = read_patients(tables, source, problems)
    rows, part = {name: i for i, name in enumerate(patients["sample_id"])}, size or PART
    with working_folder("parts") as name:
        scratch = Path(name)
        genotypes = GatheredOnDisk(reading.definitions, len(patients), scratch, part)
        targeted, vcf_rows = gather_genotypes(source, reading, rows, genotypes, problems, progress)
        beside = beside_genotypes(
            source, reading, genotypes.all_sites(), vcf_rows, problems, progress
        )
        for kind in filter(source.described.table, LONG):
            progress(f"ordering {kind}")
            _split(tables, source, kind, rows, scratch, part, problems)
        yield LargeCohort(
            source=source,
            reading=reading,
            tables=tables,
            patients=patients,
            genotypes=genotypes,
            targeted=targeted,
            beside=beside,
            vcf_names=by_row(vcf_rows, len(patients)),
            folder=scratch,
            size=part,
        )


def _refuse_drop_patient(source: CohortSource) -> None:
    if source.described.on_error == "drop_patient":
        raise RequestError(
            f"{source.path}, key on_error",
            f"drop_patient is not for a cohort that is read in parts (from {LARGE:,} patients)",
            "Name the patients under `exclude`, or say drop_value.",
            code="key_value",
        )


def patient_count(source: CohortSource) -> int:
    """Lines of the patients table of a cohort.

    Parameters
    ----------
    source : CohortSource
        Of `als_ml.cohort.source.open_cohort`.

    Returns
    -------
    int
        Nothing of the lines is checked.
    """
    return sum(len(batch) for batch in _batches(source, "patients"))


def _split(
    definitions: Definitions,
    source: CohortSource,
    kind: TableKind,
    rows: dict[str, int],
    scratch: Path,
    size: int,
    problems: Problems,
) -> None:
    """Write each row of a long table into the file of its patient's part.

    Rows of nobody are counted and left out.
    """
    described, where = source.described, source.described.shown(kind)
    meant = names_without_zeros(rows) if described.leading_zeros == "ignored" else {}
    strangers, total = 0, 0
    writers: dict[int, pq.ParquetWriter] = {}
    with ExitStack() as stack:
        for batch in _numbered(source, kind):
            stated = batch.drop_columns([_LINE])
            ids = _ids(definitions, stated, kind, described, where, problems)
            full = [name if name in rows else meant.get(str(name), name) for name in ids]
            row = np.array([rows.get(name, -1) for name in full], dtype=int)
            strangers += int((row < 0).sum()) - int(is_excluded(ids, described).sum())
            total += len(row)
            part = np.where(row < 0, -1, row // size)
            for number in np.unique(part[part >= 0]):
                if number not in writers:
                    name = scratch / f"{kind}-{number:05d}.parquet"
                    writers[number] = stack.enter_context(pq.ParquetWriter(name, batch.schema))
                writers[number].write_table(batch.filter(pa.array(part == number)))
        _fill_gaps(writers, batch.schema, kind, scratch, -(-len(rows) // size))
    _tell_strangers(strangers, total, where, problems)


def _numbered(source: CohortSource, kind: TableKind) -> Iterator[pa.Table]:
    """Batches of a table with the line of each row, which in a message is that of the user's
    file.
    """
    table = source.described.table(kind)
    line = table.layout.above - 1 if table else 0
    for batch in _batches(source, kind):
        yield batch.append_column(_LINE, pa.array(np.arange(line, line + len(batch))))
        line += len(batch)


def _tell_strangers(strangers: int, total: int, where: str, problems: Problems) -> None:
    """Refuse a table of which no row is of a patient; warn of the rows of nobody."""
    if strangers == total:
        raise DataError(
            where,
            "none of its rows belongs to a patient",
            "Use the sample_id of the patients table.",
            code="row_of_no_patient",
        )
    if strangers:
        problems.warn(
            f"{where}, column sample_id",
            f"{strangers} rows are of no patient",
            "These rows are left out; add the patients or correct the ids.",
            strangers,
            code="row_of_no_patient",
        )


def _fill_gaps(
    writers: dict[int, pq.ParquetWriter], schema: pa.Schema, kind: str, scratch: Path, parts: int
) -> None:
    """An empty table for each part that has no row."""
    for number in set(range(parts)) - set(writers):
        pq.write_table(schema.empty_table(), scratch / f"{kind}-{number:05d}.parquet")


def _ids(
    definitions: Definitions,
    batch: pa.Table,
    kind: TableKind,
    described: CohortFile,
    where: str,
    problems: Problems,
) -> np.ndarray:
    """Sample of each row, by whatever name the file has for the column."""
    header = pd.DataFrame({name: pd.Series([], dtype=object) for name in batch.column_names})
    names = list(table_names(definitions, header, where, described, kind, problems).columns)
    if "sample_id" not in names:
        raise DataError(
            where,
            "the column 'sample_id' is missing",
            "Name it, or map it with a `columns:` block.",
            code="column_missing",
        )
    column = batch.column(names.index("sample_id")).to_pandas()
    numeric = pd.api.types.is_numeric_dtype(column)
    return text(column.astype(float)) if numeric else column.astype(object).str.strip().to_numpy()


def _batches(source: CohortSource, kind: TableKind) -> Iterator[pa.Table]:
    """A table some rows at a time: CSV and TSV as text, Parquet as it is typed, Excel whole."""
    described = source.described.table(kind)
    if described is None:
        raise ValueError(f"the cohort has no {kind}")
    path, layout = source.file(described.file, kind), described.layout
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        with pq.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(200_000):
                yield pa.Table.from_batches([batch])
    elif is_workbook(path):
        yield pa.Table.from_pandas(read_coded(path, layout).astype(object), preserve_index=False)
    else:
        yield from _delimited_batches(path, layout)


def _delimited_batches(path: Path, layout: Layout) -> Iterator[pa.Table]:
    with readable(path, layout):
        names, options = delimited(path, layout)
        kinds = arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(map(str, range(len(names))), pa.string())
        )
        checked = False
        with arrow_csv.open_csv(path, *options, kinds) as reader:
            for batch in reader:
                if not checked and any(has_lines(column) for column in batch.columns):
                    check_quotes(path, layout)
                    checked = True
                yield pa.Table.from_batches([batch]).rename_columns(names)
