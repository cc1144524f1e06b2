"""What `serve --page` adds: one page for one patient, made of our own files under a strict content
policy. Nothing is stored and nothing is logged; the answer is the same as the report's.

Routes of the guard, beside MLflow's app: the page with its script and style, the fields of its
form, and `POST /page`, which takes what `/invocations` takes for one patient.
"""

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from als_ml.pages.cohort_page import templates, versions
from als_ml.pages.one_patient import patient_answer
from als_ml.pages.patient_pages import Setting
from als_ml.prediction.predictor import RESEARCH_USE, Predictor
from als_ml.serving.json_schema import schemas
from features.catalogue import analytes, patient_columns
from features.stored import Json
from features.tables.coded import records_of

# Own files only: no inline script or style, no other host, no frame around it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = "/page"


class Route(NamedTuple):
    """An address of ours: method, type of what is answered, and the answer to a body."""

    method: str
    kind: str
    answer: Callable[[bytes], bytes]


def schema_routes(predictor: Predictor) -> dict[str, Route]:
    """The JSON Schemas of record and row."""
    return {
        f"/schema/{name}": _fixed("application/schema+json", text)
        for name, text in schemas(predictor.definitions).items()
    }


def page_routes(predictors: Sequence[Predictor], setting: Setting) -> dict[str, Route]:
    """The page, its files, the fields of its form, and its answers.

    Parameters
    ----------
    predictors : sequence of Predictor
        Whose scores it shows; the first is the one that `/invocations` asks, and makes the form.
    setting : Setting
        Rules and day of the page.

    Returns
    -------
    dict of str to Route
        By address.
    """
    predictor = predictors[0]
    files = {"/": "one_patient.html.j2", "/page.js": "one_patient.js", "/page.css": "report.css"}
    kinds = {"/": "text/html", "/page.js": "text/javascript", "/page.css": "text/css"}
    about = {
        "research_use": RESEARCH_USE,
        "version": versions(predictor.definitions),
        "models": " and ".join(f"{p.model_name} version {p.model_version}" for p in predictors),
    }
    pages = templates()
    routes = {
        path: _fixed(f"{kinds[path]}; charset=utf-8", pages.get_template(name).render(about))
        for path, name in files.items()
    }
    fields = json.dumps(form(predictor), allow_nan=False)
    routes["/fields"] = _fixed("application/json", fields)

    def answer(body: bytes) -> bytes:
        inputs = json.loads(body)["inputs"]
        if len(inputs) != 1:
            error = {"field": "inputs", "reason": "is not one patient", "remedy": "Send one."}
            return json.dumps({"page": None, "error": error, "shared": None}).encode()
        return json.dumps(patient_answer(inputs[0], predictors, setting), allow_nan=False).encode()

    return routes | {PAGE: Route(method="POST", kind="application/json", answer=answer)}


def _fixed(kind: str, text: str) -> Route:
    content = text.encode()
    return Route(method="GET", kind=kind, answer=lambda _: content)


# --- the form


_PATIENT = (
    "sex",
    "age_at_onset",
    "index_date",
    "onset_days",
    "diagnosis_days",
    "onset_site",
    "el_escorial",
    "ftd",
    "family_history",
    "c9orf72_status",
)
_STATE = ("riluzole_start_days", "niv_start_days", "gastrostomy_days")
_CONSENT = ("consent_genetic_return", "consent_prognosis")
_MEASURED = ("fvc_pct", "svc_pct", "nfl_serum", "nfl_plasma", "weight", "creatinine_serum")
_LABELS = {
    "onset_days": "symptom onset",
    "diagnosis_days": "diagnosis",
    "index_date": "date of the index visit (day 0)",
    "c9orf72_status": "C9orf72 by the laboratory",
    "riluzole_start_days": "riluzole since",
    "niv_start_days": "non-invasive ventilation since",
    "gastrostomy_days": "gastrostomy since",
    "consent_genetic_return": "consent: return of genetic results",
    "consent_prognosis": "consent: prognosis",
}


def form(predictor: Predictor) -> Json:
    """Fields of the form, from the model's own tables: label, kind, unit, limits and values."""
    definitions = predictor.definitions
    columns = _rows_by_name(patient_columns(definitions))
    known = [name for name in (*_PATIENT, *_STATE, *_CONSENT) if name in columns]
    measured = _rows_by_name(analytes(definitions))
    return {
        "task": predictor.fitted.task,
        "landmark": predictor.spec.landmark_days,
        "patient": [_field(name, columns[name]) for name in known],
        "measured": [_measurement(name, measured[name]) for name in _MEASURED if name in measured],
    }


def _rows_by_name(table: pd.DataFrame) -> dict[str, Json]:
    return dict(zip(table.index.astype(str), records_of(table), strict=True))


def _field(name: str, column: Json) -> Json:
    limits = {end: column[end] for end in ("min", "max") if column[end] == column[end]}
    return {
        "name": name,
        "label": _LABELS.get(name, column["meaning"]),
        "kind": column["type"],
        "unit": column["unit"],
        "values": list(column["levels"] or ()),
        **limits,
    }


def _measurement(name: str, analyte: Json) -> Json:
    others = [part.partition("=")[0] for part in analyte["other_units"].split(";") if part]
    fluid = "" if analyte["matrix"] == "none" else f", {analyte['matrix']}"
    return {
        "name": name,
        "label": f"{analyte['name']}{fluid}",
        "units": [analyte["unit"], *others],
        "assays": ["simoa", "ella", "elisa"] if analyte["separate_assays"] == "yes" else [],
    }
