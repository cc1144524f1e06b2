"""Documents of a run, filled from its figures: a model card and the TRIPOD+AI checklist, as
Markdown and as one HTML page.

The checklist has the 27 items of TRIPOD+AI (Collins 2024, doi:10.1136/bmj-2023-078378), worded by
us (R).
"""

import base64
import html
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

import als_ml
from als_ml.prediction.predictor import RESEARCH_USE
from als_ml.tracking.manifest import git_commit
from als_ml.tracking.small_cells import shown_tables
from als_ml.training.estimand import estimand
from als_ml.training.metrics import interval_words
from als_ml.training.run import Training, summary, unbeaten_of
from als_ml.training.survival_folds import seen_by
from features.stored import Json
from features.tables.problems import DROPPED, Problem

TEMPLATES = Path(__file__).parents[1] / "templates"
_DOCUMENTS = {"model_card": "Model card", "tripod_ai": "TRIPOD+AI checklist"}
# The template of a document of a survival time, where it is another.
_OF_TIMES = {"model_card": "survival_card"}
_VERDICTS = ("failed", "attention", "passed", "not tried")


def write_documents(training: Training, folder: Path, pictures: list[Path]) -> list[Path]:
    """Write both documents as `.md` and `.html`, with the pictures inside.

    Parameters
    ----------
    training : Training
        The run.
    folder : Path
        Of the documents.
    pictures : list of Path
        PNG files for the model card.

    Returns
    -------
    list of Path
        Two of each document.
    """
    facts, written = card_facts(training), []
    for name, title in _DOCUMENTS.items():
        template = _OF_TIMES.get(name, name) if training.data.times is not None else name
        markdown = _environment().get_template(f"{template}.md.j2").render(facts)
        shown = pictures if name == "model_card" else []
        for path, text in (
            (folder / f"{name}.md", markdown),
            (folder / f"{name}.html", as_page(title, markdown, shown)),
        ):
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def card_facts(training: Training) -> Json:
    """What the templates say of a run; tables without small cells.

    Parameters
    ----------
    training : Training
        The run.

    Returns
    -------
    dict
        By the names in the templates.
    """
    config, metrics, times = training.config, training.metrics, training.data.times
    order = {verdict: i for i, verdict in enumerate(_VERDICTS)}
    return {
        "config": config,
        "task": training.task,
        "m": metrics,
        "counts": training.labels.counts,
        "left_out": left_out(training.warnings),
        "rough": interval_words(metrics["n"], metrics["n_positive"]),
        "unbeaten": unbeaten_of(training),
        "checks": sorted(training.checks, key=lambda check: order[check.verdict]),
        "rows": summary(training),
        "differences": (
            _differences(metrics) if training.data.times is None else _differences_of_times(metrics)
        ),
        "estimand": estimand(config),
        "rivals": [] if times is None else [_CAUSES[name] for name in times.rivals],
        "causes": {} if times is None else {n: _CAUSES[n] for n in (*times.causes, *times.rivals)},
        "seen_by": "" if times is None else seen_by(times),
        "tables": _NO_TABLES | shown_tables(training),
        "features": len(training.rows.columns),
        "missing": float(training.rows.isna().to_numpy().mean()),
        "threshold": training.predictor.fitted.calibration.threshold,
        "calibration": training.predictor.fitted.calibration.kind,
        "members": [member.name for member in training.predictor.fitted.members],
        "simulated": training.simulated,
        "research_use": RESEARCH_USE,
        "version": als_ml.__version__,
        "definitions": training.predictor.definitions.version,
        "commit": git_commit() or "unknown",
    }


_CAUSES = {
    "death": "death",
    "tracheostomy": "tracheostomy",
    "niv_23h": "NIV >= 23 h/day",
    "niv": "NIV",
    "gastrostomy": "gastrostomy",
}
_BY_KEY = {
    "cohort file, key exclude": "patients named under `exclude` of the cohort file",
    "cohort file, key on_error": "patients with an error in a table (`on_error: drop_patient`)",
}
_CELLS = "cells that could not be read (`on_error: drop_value`)"


def left_out(problems: Sequence[Problem]) -> dict[str, int]:
    """What a cohort file left out of the training data.

    Parameters
    ----------
    problems : sequence of Problem
        That were met while the cohort was read.

    Returns
    -------
    dict of int
        What, in words -> how many.
    """
    counts: dict[str, int] = {}
    for problem in problems:
        what = _CELLS if problem.found.endswith(DROPPED) else _BY_KEY.get(problem.where)
        if what and problem.code == "left_out":
            counts[what] = counts.get(what, 0) + problem.count
    return counts


# Tables that not every run has.
_NO_TABLES: Json = {
    name: []
    for name in (
        "sites",
        "learning_curve",
        "calibration",
        "calibration_24m",
        "incidence",
        "from_onset",
    )
}


def _differences_of_times(
    metrics: dict[str, float],
) -> list[tuple[str, str, float, float, float]]:
    """Baseline, figure, and the difference with its interval."""
    rows = []
    shown = {"c_index": "c-index", "auc_12m": "ROC AUC, month 12", "brier_12m": "Brier, month 12"}
    for metric, words in shown.items():
        for key in metrics:
            name = key.removeprefix("difference_").removesuffix(f"_{metric}")
            if key == f"difference_{name}_{metric}":
                low, high = (metrics.get(f"{key}_{end}", metrics[key]) for end in ("low", "high"))
                rows.append((name, words, metrics[key], low, high))
    return rows


def _differences(metrics: dict[str, float]) -> list[tuple[str, float, float, float]]:
    """Baseline and the difference of the ROC AUC with its interval."""
    rows = []
    for key in metrics:
        name = key.removeprefix("difference_").removesuffix("_roc_auc")
        if key == f"difference_{name}_roc_auc":
            rows.append((name, metrics[key], metrics[f"{key}_low"], metrics[f"{key}_high"]))
    return rows


def as_page(title: str, markdown: str, pictures: list[Path]) -> str:
    """One self-contained HTML page; HTML in the Markdown is shown as text, never run.

    Parameters
    ----------
    title : str
        Of the page.
    markdown : str
        CommonMark with tables.
    pictures : list of Path
        PNG files, drawn into the page.

    Returns
    -------
    str
        It refers to nothing outside.
    """
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    for verdict in _VERDICTS:
        body = body.replace(
            f"<td>{verdict}</td>", f'<td class="{verdict.split()[0]}">{verdict}</td>'
        )
    drawn = [(path.stem, base64.b64encode(path.read_bytes()).decode()) for path in pictures]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(title=title, body=Markup(body), pictures=drawn)  # noqa: S704
    )


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"figure": figure, "cell": cell}
    return made


def figure(value: object, digits: int = 3) -> str:
    """A number for people, a dash where there is none.

    Parameters
    ----------
    value : object
        A number, None, NaN, or text that stays as it is.
    digits : int
        After the point.

    Returns
    -------
    str
        For a cell of a table.
    """
    if value is None or value != value:
        return "–"
    return value if isinstance(value, str) else f"{value:.{digits}f}"


def cell(value: object) -> Markup:
    """Text that cannot leave its cell of a Markdown table.

    Parameters
    ----------
    value : object
        Shown as text.

    Returns
    -------
    Markup
        Marks of Markdown and HTML are escaped.
    """
    plain = html.escape(str(value), quote=False).replace("\n", " ")
    for mark in "\\|`*_[]":
        plain = plain.replace(mark, f"\\{mark}")
    return Markup(plain)  # noqa: S704
