"""Empty tables to be filled in: a workbook with drop-downs, and the cohort file that reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from als_ml.cohort.source import open_cohort
from als_ml.output import together, whole_file
from als_ml.proposal.writing import scalar
from features.alsfrs.visits import ALL_ITEMS
from features.catalogue import analytes, patient_columns, shipped
from features.errors import RequestError

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

BOOK = "cohort.xlsx"
# Rows that a drop-down reaches: a centre's cohort; a file of more comes from a database (P).
_ROWS = 2000
# Columns of the reader's own, and those that a clinic states otherwise.
_OURS = ("uncertain_dates", "diagnostic_delay_months")
_VISITS = ("sample_id", "days", "scale", *ALL_ITEMS, "q5_form", "total")
_VALUES = ("sample_id", "analyte", "value", "unit", "days", "assay", "censored")
_CHOICES = {
    "scale": ("alsfrs_r", "alsfrs"),
    "q5_form": ("a", "b"),
    "assay": ("simoa", "ella", "elisa", "unknown"),
    "censored": ("none", "below", "above"),
}
_TEXT = """\
# An empty cohort: fill in {book}, remove the parts that you do not have, then:
#   als-ml check --cohort cohort.yaml
name: {name}
genome_build: GRCh38                  # or GRCh37; hg38 and hg19 are known
# variants: [genomes.vcf.gz]          # one file of all, or one a patient; globs allowed
# repeats: [repeats/*.vcf.gz]         # ExpansionHunter or TRGT
# sample_map: sample_map.csv          # sample_id, vcf_id: where genomes are named otherwise
patients: {{file: {book}, sheet: patients}}
biomarkers: {{file: {book}, sheet: biomarkers}}
alsfrs: {{file: {book}, sheet: alsfrs}}
# index_date: first_visit             # day 0 where no index_date is stated
# partial_dates: middle               # years and months at their middle; else they are refused
# decimal: ","                        # where 1,234 may be either
"""


def write_templates(folder: Path, name: str) -> list[Path]:
    """Write `cohort.yaml` and a workbook with a sheet for each table.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    name : str
        Of the cohort.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    RequestError
        If one of them is there already.
    """
    described, book = folder / "cohort.yaml", folder / BOOK
    for path in (described, book):
        if path.exists():
            raise RequestError(
                str(path),
                "is there already",
                "Give another --output, or remove it: nothing is overwritten.",
                code="output_refused",
            )
    folder.mkdir(parents=True, exist_ok=True)
    with together():
        with whole_file(book) as temporary:
            _workbook().save(temporary)
        with whole_file(described) as temporary:
            text = _TEXT.format(book=BOOK, name=scalar(name))
            temporary.write_text(text, encoding="utf-8")
    open_cohort(described)  # what we wrote must be what we read
    return [described, book]


def _workbook() -> "Workbook":
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    columns = patient_columns(shipped())
    names = [name for name in columns.index if name not in _OURS]
    levels = {name: columns["levels"][name] for name in names if columns["levels"][name]}
    meanings = {name: _meaning(columns.loc[name].to_dict()) for name in names}
    known = sorted(analytes(shipped()).index)
    lists = {**_CHOICES, **levels, "analyte": tuple(known)}
    sheets = (("patients", names), ("biomarkers", _VALUES), ("alsfrs", _VISITS))
    for title, header in sheets:
        sheet = book.create_sheet(title)
        _fill_header(sheet, header, meanings)
        _add_lists(sheet, header, lists)
    _add_choices(book, lists)
    return book


def _meaning(row: dict[str, object]) -> str:
    """What belongs into a column."""
    unit = f" ({row['unit']})" if row["unit"] else ""
    dates = " or a date" if row["type"] == "days" else ""
    return f"{row['meaning']}{unit}{dates}"


def _fill_header(sheet: "Worksheet", names: Sequence[str], meanings: dict[str, str]) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font

    sheet.append(list(names))
    sheet.freeze_panes = "B2"
    for cell, name in zip(sheet[1], names, strict=True):
        cell.font = Font(bold=True)
        sheet.column_dimensions[cell.column_letter].width = max(12, len(name) + 2)
        if name in meanings:
            cell.comment = Comment(meanings[name], "als-ml")
        # An id keeps the zeros before it only in a column of text.
        if name == "sample_id":
            sheet.column_dimensions[cell.column_letter].number_format = "@"


def _add_lists(sheet: "Worksheet", names: Sequence[str], lists: dict[str, tuple[str, ...]]) -> None:
    """A drop-down for each column of categories, which takes its words from the last sheet."""
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    for place, name in enumerate(names, start=1):
        if name not in lists:
            continue
        column = get_column_letter(list(lists).index(name) + 1)
        choices = f"choices!${column}$2:${column}${len(lists[name]) + 1}"
        offered = DataValidation(type="list", formula1=choices, allow_blank=True)
        letter = get_column_letter(place)
        offered.add(f"{letter}2:{letter}{_ROWS + 1}")
        sheet.add_data_validation(offered)


def _add_choices(book: "Workbook", lists: dict[str, tuple[str, ...]]) -> None:
    sheet = book.create_sheet("choices")
    for place, (name, words) in enumerate(lists.items(), start=1):
        for row, word in enumerate((name, *words), start=1):
            sheet.cell(row, place, word)
    sheet.sheet_state = "hidden"
