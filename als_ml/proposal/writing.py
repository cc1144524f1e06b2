"""Write a proposed cohort file, with what is unsure marked `# CHECK`, and a sample map."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from als_ml.cohort.read import table_errors
from als_ml.cohort.source import open_cohort
from als_ml.output import link_or_copy, whole_file
from als_ml.proposal.dialect import Written
from als_ml.proposal.genomes import Match
from als_ml.proposal.recognition import Recognised
from features.errors import RequestError
from features.tables.layout import UTF_8
from features.tables.problems import OF_ONE_CELL, Problem

CHECK = "# CHECK"
_PLAIN = re.compile(r"^[A-Za-zÀ-ÿ_][\wÀ-ÿ .()/%-]*$")
# Words that YAML takes for truth values or nothing.
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "ja"])


@dataclass
class Proposal:
    """What is proposed of a cohort: its tables, genomes and how cells are written.

    `left` says what was read and is not used, `absent` what a cohort of dates needs and has not.
    `from_first_visit` makes the first visit day 0, `lost_zeros` counts the names of patients in a
    table that lack the zeros before them. `unread_cells` counts the cells that cannot be read as
    proposed, `wrong` says what else is wrong with the tables.
    """

    name: str
    tables: list[Recognised]
    variants: list[Path]
    repeats: list[Path]
    build: str
    written: Written
    matches: list[Match] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    from_first_visit: bool = False
    lost_zeros: dict[str, int] = field(default_factory=dict)
    unread_cells: int = 0
    wrong: list[str] = field(default_factory=list)


def write_proposal(proposal: Proposal, folder: Path) -> list[Path]:
    """Write `cohort.yaml`, and `sample_map.csv` where names differ; files that lie elsewhere are
    linked or copied into the folder, because a cohort file reads nothing outside its own.

    Parameters
    ----------
    proposal : Proposal
        What was understood.
    folder : Path
        Made if it is not there.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    RequestError
        If a file that it would write is there already; then, or when the disk is full, the folder
        is as it was.
    """
    target, who = folder / "cohort.yaml", folder / "sample_map.csv"
    renamed = any(match.sample_id != match.vcf_id for match in proposal.matches)
    for path in (target, who) if renamed else (target,):
        if path.exists():
            raise RequestError(
                str(path),
                "is there already",
                "Give another --output, or remove it: nothing is overwritten.",
                code="output_refused",
            )
    with _emptied_on_failure(folder):
        written = [_placed(path, folder) for path in _files(proposal)]
        if renamed:
            written.append(_write_map(proposal.matches, who))
        _write(target, cohort_text(proposal, renamed))
        errors = table_errors(open_cohort(target))  # what we wrote must be what we read
        if errors:
            _write(target, cohort_text(_told(proposal, errors), renamed))
    return [target, *written]


@contextmanager
def _emptied_on_failure(folder: Path) -> Iterator[None]:
    """Make a folder, and remove what a block that fails has put into it. The cohort file is read
    where it lies, so it cannot wait for its place as other outputs do.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.iterdir())
    try:
        yield
    except BaseException:
        for path in set(folder.iterdir()) - before:
            path.unlink(missing_ok=True)
        for path in made:
            path.rmdir()
        raise


def _told(proposal: Proposal, errors: Sequence[Problem]) -> Proposal:
    """The proposal with what is wrong in its tables: cells are counted, the rest is named."""
    cells = [one for one in errors if one.code in OF_ONE_CELL]
    others = [one for one in errors if one.code not in OF_ONE_CELL]
    return replace(
        proposal,
        unread_cells=sum(one.count for one in cells),
        wrong=[f"{one.where}: {one.found}. {one.remedy}" for one in others],
    )


def _write(path: Path, text: str) -> None:
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _files(proposal: Proposal) -> list[Path]:
    tables = [one.table.path for one in proposal.tables]
    genomes = [*proposal.variants, *proposal.repeats]
    indexes = [
        Path(f"{path}{suffix}")
        for path in genomes
        for suffix in (".tbi", ".csi")
        if Path(f"{path}{suffix}").is_file()
    ]
    return list(dict.fromkeys([*tables, *genomes, *indexes]))


def _placed(path: Path, folder: Path) -> Path:
    """The file in the folder: itself, a hard link, or a copy where none can be made."""
    if path.parent.resolve() == folder.resolve():
        return path
    placed = folder / path.name
    if placed.exists() and not placed.samefile(path):
        raise RequestError(
            str(placed), "another file has this name", "Rename one.", code="output_refused"
        )
    if not placed.exists():
        link_or_copy(path, placed)
    return placed


def _write_map(matches: Sequence[Match], path: Path) -> Path:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["sample_id", "vcf_id", "score", "why"])
    rows.writerows([one.sample_id, one.vcf_id, one.score, one.why] for one in matches)
    with whole_file(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return path


def cohort_text(proposal: Proposal, mapped: bool) -> str:
    """The cohort file.

    Parameters
    ----------
    proposal : Proposal
        What was understood.
    mapped : bool
        Whether a sample map is named.

    Returns
    -------
    str
        YAML.
    """
    lines = [
        "# Proposed by `als-ml init`. Look at each line marked CHECK, then:",
        "#   als-ml check --cohort cohort.yaml",
        f"name: {scalar(proposal.name)}",
        f"genome_build: {proposal.build}" + _why("genome_build", proposal),
    ]
    lines += _genomes("variants", proposal.variants) + _genomes("repeats", proposal.repeats)
    if mapped:
        lines.append(f"sample_map: sample_map.csv  {CHECK}: who is whose genome")
    for one in proposal.tables:
        lines += _table(one)
    lines += _dialect(proposal.written)
    lines += _rules(proposal)
    lines += _values(proposal.tables)
    lines += _listed("Not understood, and not read:", proposal.left + _unread(proposal.tables))
    lines += _listed("Needed, and not found:", proposal.absent)
    head = "Wrong in the tables (correct it, or name the patients under `exclude`):"
    lines += _listed(head, proposal.wrong)
    return "\n".join(lines) + "\n"


def _why(key: str, proposal: Proposal) -> str:
    return "" if proposal.variants or key != "genome_build" else "  # no genome says otherwise"


def _genomes(key: str, paths: list[Path]) -> list[str]:
    if not paths:
        return []
    return [f"{key}:", *(f"  - {scalar(path.name)}" for path in paths)]


def _table(one: Recognised) -> list[str]:
    """The place of a table and the names of its columns."""
    table, kind = one.table, "biomarkers" if one.kind == "wide" else one.kind
    lines = [f"{kind}:", f"  file: {scalar(table.path.name)}"]
    if table.sheet is not None:
        lines.append(f"  sheet: {scalar(table.sheet)}")
    if table.header_row > 1:
        lines.append(f"  header_row: {table.header_row}")
    if table.header_rows > 1:
        lines.append(f"  header_rows: {table.header_rows}")
    if table.encoding != UTF_8:
        lines.append(f"  encoding: {table.encoding}")
    named = {ours: theirs for ours, theirs in one.columns.items() if ours != theirs}
    if one.kind == "wide":
        named = {ours: theirs for ours, theirs in named.items() if ours != "days"}
    if named:
        lines.append("  columns:")
        lines += [
            f"    {ours}: {scalar(theirs)}" + _mark(one.likely.get(ours))
            for ours, theirs in named.items()
        ]
    return lines + _wide(one)


def _wide(one: Recognised) -> list[str]:
    if one.kind != "wide":
        return []
    lines = ["wide:"]
    if "days" in one.columns:
        lines.append(f"  days: {scalar(one.columns['days'])}" + _mark(one.likely.get("days")))
    lines.append("  columns:")
    for name, facts in one.wide.items():
        inside = ", ".join(f"{key}: {scalar(value)}" for key, value in facts.items())
        lines.append(f"    {scalar(name)}: {{{inside}}}" + _mark(one.likely.get(f"wide.{name}")))
    return lines


def _dialect(written: Written) -> list[str]:
    said = {
        "decimal": written.decimal,
        "dates": written.dates,
        "partial_dates": written.partial_dates,
    }
    why = {
        "dates": "or month_first: no date tells",
        "partial_dates": "years and months at their middle, or refuse",
    }
    return [
        f"{key}: {scalar(value)}" + _mark(why[key] if key in written.unsure else None)
        for key, value in said.items()
        if value is not None
    ]


def _rules(proposal: Proposal) -> list[str]:
    """What holds for all tables: day 0, lost zeros, words that nobody understood."""
    lines = []
    if proposal.from_first_visit:
        lines.append("index_date: first_visit" + _mark("no column says when day 0 was"))
    if proposal.lost_zeros:
        lost = ", ".join(f"{n} in {where}" for where, n in proposal.lost_zeros.items())
        lines.append("leading_zeros: ignored" + _mark(f"names of patients without them: {lost}"))
    unknown = sum(len(words) for one in proposal.tables for words in one.unknown.values())
    if unknown or proposal.unread_cells:
        why = f"{unknown} words below are not understood" if unknown else ""
        if proposal.unread_cells:
            why += f"{' and ' if why else ''}{proposal.unread_cells} cells cannot be read"
        lines.append("on_error: drop_value" + _mark(f"{why}; without this line they are errors"))
    return lines


def _values(tables: list[Recognised]) -> list[str]:
    """Words of the files, and those that nobody knows as comments to be filled in."""
    lines = []
    for one in tables:
        for column in dict.fromkeys([*one.words, *one.unknown]):
            lines.append(f"  {column}:")
            known = one.words.get(column, {}).items()
            lines += [
                f"    {scalar(word)}: {scalar(meant)}"
                + _mark(one.likely.get(f"values.{column}.{word}"))
                for word, meant in known
            ]
            lines += [
                f"    # {scalar(word)}:   {CHECK}: what does it mean?"
                for word in one.unknown.get(column, [])
            ]
            if not one.words.get(column):
                lines[-1 - len(one.unknown[column])] = f"  {column}: {{}}"
    return ["values:", *lines] if lines else []


def _unread(tables: list[Recognised]) -> list[str]:
    return [f"{one.table.shown}, column {name!r}" for one in tables for name in one.unread]


def _listed(head: str, items: list[str]) -> list[str]:
    return [f"# {head}", *(f"#   {_one_line(item)}" for item in items)] if items else []


def _mark(why: str | None) -> str:
    return f"  {CHECK}: {_one_line(why)}" if why else ""


def _one_line(text: str) -> str:
    r"""A text as it may stand in a comment: a name with a line end in it would end that.

    >>> print(_one_line("a" + chr(10) + "b: c"))
    a\nb: c
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def scalar(text: str) -> str:
    """A text as YAML reads it back, quoted where it must be.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    str
        Plain or in double quotes, on one line.

    Examples
    --------
    >>> [scalar(text) for text in ("Geschlecht", "ja", "1", "a: b", "Größe (cm)")]
    ['Geschlecht', '"ja"', '"1"', '"a: b"', 'Größe (cm)']
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS and text == text.strip():
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
