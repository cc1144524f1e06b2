"""One patient, one page: the page of a served record, as JSON for the page that is served, or as an
HTML file of its own. It is made by what makes the report's pages, and stores nothing.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from markupsafe import Markup

from als_ml.cohort.records import RowError, read_records
from als_ml.pages.cohort_page import SharedFacts, shared_facts, templates, versions
from als_ml.pages.facts import Page
from als_ml.pages.patient_pages import Setting, patient_pages
from als_ml.prediction.predictor import RESEARCH_USE, Predictor
from features.errors import DataError, RequestError

_NO_PAGE: RowError = {
    "field": "diagnosis",
    "reason": "an unaffected relative has no page",
    "remedy": "Their risk is for counselling, not for a score.",
}


class PatientAnswer(TypedDict):
    """The page of a record with what it refers to, or what is wrong with the record."""

    page: Page | None
    error: RowError | None
    shared: SharedFacts | None


class OnePage(TypedDict):
    """The page of a patient with what it refers to."""

    page: Page
    shared: SharedFacts


def patient_answer(
    record: object, predictors: Sequence[Predictor], setting: Setting
) -> PatientAnswer:
    """The page of a record, or what is wrong with it.

    Parameters
    ----------
    record : object
        As it is sent to `/invocations`.
    predictors : sequence of Predictor
        At least one; the first says how the record is read for what is shown.

    Returns
    -------
    PatientAnswer
        For the page's script.
    """
    pairs = []
    for predictor in predictors:
        cohort, _, errors = read_records(
            [record], predictor.spec, predictor.lookups, predictor.definitions
        )
        if errors:
            return {"page": None, "error": errors[0], "shared": None}
        pairs.append((predictor, cohort))
    shown = pairs[0][1]
    pages = patient_pages(shown, pairs, setting)
    shared = shared_facts(setting.rules, versions(shown.definitions))
    return {
        "page": pages[0] if pages else None,
        "error": None if pages else _NO_PAGE,
        "shared": shared,
    }


def read_record(path: Path) -> object:
    """A record in a JSON file: the patient itself, or the request that holds it alone.

    Raises
    ------
    RequestError
        If there is no such file, or it holds anything else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise RequestError(
            f"--patient {path}",
            f"it cannot be read ({reason})",
            "Give a JSON file.",
            code="file_unreadable",
        ) from None
    inputs = content.get("inputs") if isinstance(content, dict) else None
    if inputs is None:
        return content
    if not isinstance(inputs, list) or len(inputs) != 1:
        raise RequestError(
            f"--patient {path}",
            "it does not hold one patient",
            'Give {"inputs": [patient]}.',
            code="file_unreadable",
        )
    return inputs[0]


def one_page(path: Path, predictors: Sequence[Predictor], setting: Setting) -> OnePage:
    """The page of the record in a file, with what it refers to.

    Raises
    ------
    DataError
        If the record is wrong, with its field; the value is not repeated.
    """
    answer = patient_answer(read_record(path), predictors, setting)
    if answer["page"] is None or answer["shared"] is None:
        error = answer["error"] or _NO_PAGE
        raise DataError(
            f"{path}, {error['field']}", error["reason"], error["remedy"], code="record_wrong"
        )
    return {"page": answer["page"], "shared": answer["shared"]}


def write_patient_page(answer: OnePage, path: Path) -> None:
    """Write the page as one HTML file that opens offline."""
    facts = json.dumps(answer, allow_nan=False)
    text = (
        templates()
        .get_template("patient.html.j2")
        .render(
            title=answer["page"]["sample_id"],
            # No parser of HTML finds markup in it.
            facts=Markup(facts.replace("<", "\\u003c")),  # noqa: S704 - escaped here
            research_use=RESEARCH_USE,
            version=answer["shared"]["version"],
        )
    )
    path.write_text(text, encoding="utf-8")
