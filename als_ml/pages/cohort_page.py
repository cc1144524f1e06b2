"""The cohort report: one HTML file that opens offline, with a page per patient. Research use only.

Python writes the facts as JSON (compressed) and the cohort's pictures as Plotly figures;
`templates/report.js` shows them with Plotly and DataTables, both inside the file. The page fetches
nothing: its content policy forbids it.
"""

import base64
import gzip
import json
import secrets
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import als_ml
from als_ml.cohort.check import contents
from als_ml.pages.patient_pages import Page
from als_ml.pages.protocol import Rule
from als_ml.prediction.predictor import RESEARCH_USE
from als_ml.tracking.documents import TEMPLATES
from als_ml.training.metrics import calibration_bins, wilson
from features.cohort import Cohort
from models.tasks import TASKS

# Okabe and Ito's palette, which the colour-blind can tell apart (jfly.uni-koeln.de/color, R).
PART = 250  # pages that are unpacked together
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#7f7f7f"
_KEY_FIELDS = {
    "age_at_onset": "age",
    "onset_days": "onset",
    "onset_site": "onset site",
    "family_history": "family history",
}


@dataclass(frozen=True)
class Report:
    """What a report shows.

    `labels` maps a task to the 0/1 label of each page's patient (NaN unknown).
    """

    name: str
    cohort: Cohort
    pages: list[Page]
    rules: tuple[Rule, ...]
    simulated: bool = False
    labels: dict[str, np.ndarray] = field(default_factory=dict)


def write_report(report: Report, path: Path) -> None:
    """Write the HTML file."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    text = environment.get_template("report.html.j2").render(
        name=report.name,
        facts=cohort_facts(report),
        payload=_packed(_overview(report)),
        parts=[_packed(report.pages[i : i + PART]) for i in range(0, len(report.pages), PART)],
        table_script=base64.b64encode(_bundle("dt_bundle.js").encode()).decode(),
        table_style=Markup(_bundle("dt_bundle.css")),  # noqa: S704 - the library's own file
        plotly=Markup(_plotly()),  # noqa: S704 - the library's own file
        research_use=RESEARCH_USE,
        simulated=report.simulated,
        version=f"als-ml {als_ml.__version__}, definitions {report.cohort.definitions.version}",
    )
    path.write_text(text, encoding="utf-8")


def _overview(report: Report) -> dict[str, Any]:
    """What the first view needs: the table's cells, and by which filters each patient is found."""
    tasks = list(dict.fromkeys(score["task"] for page in report.pages for score in page["scores"]))
    rows = [{"cells": _cells(page, tasks), "flags": _flags(page)} for page in report.pages]
    heads = [
        *_HEADS,
        *(head for task in tasks for head in (f"P({TASKS[task].positive})", f"{task} set")),
        *_LAST_HEADS,
    ]
    return {
        "rows": rows,
        "columns": heads,
        "part": PART,
        "rules": _rules(report.rules),
        "figures": figures(report),
    }


_HEADS = ("Patient", "Site", "Sex", "Age at onset", "Onset", "Family history")
_LAST_HEADS = ("Genetic finding", "ALSFRS-R", "Points/month")


def _cells(page: Page, tasks: list[str]) -> list[Any]:
    first = [page["sample_id"], *(_words(page[name]) for name in ("site", "sex"))]
    first += [
        page["age_at_onset"],
        *(_words(page[name]) for name in ("onset_site", "family_history")),
    ]
    scores = {score["task"]: score for score in page["scores"]}
    middle = [cell for task in tasks for cell in _score_cells(scores.get(task))]
    cause = _words(page["cause"]).partition(":")[0]
    return [
        *first,
        *middle,
        cause,
        page["alsfrs"][-1][1] if page["alsfrs"] else None,
        page["slope"],
    ]


def _score_cells(score: "dict[str, Any] | None") -> list[Any]:
    if score is None or score["error"]:
        return [None, "not scored"]
    return [score["probability"], score["set"].replace("|", " or ") or "none"]


def _words(text: "str | None") -> str:
    return "unknown" if text is None else text.replace("_", " ")


def _flags(page: Page) -> list[str]:
    """Filters of the table that find a patient."""
    good = [score for score in page["scores"] if not score["error"]]
    found = {
        "abstained": any(score["abstained"] for score in good),
        "outside": any(score["outside"] for score in good),
        "discordant": _discordant(page),
        "unscored": len(good) < len(page["scores"]),
        "protocol": any(
            status == "applies" and "(day" in "".join(met)
            for _, status, met, *_ in page["protocol"]
        ),
    }
    return [name for name, holds in found.items() if holds]


def _packed(content: Any) -> str:
    """JSON, compressed, as text that no parser of HTML can mistake for markup."""
    plain = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.b64encode(gzip.compress(plain, 6, mtime=0)).decode()


def _bundle(name: str) -> str:
    return (files("itables") / "html" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _rules(rules: tuple[Rule, ...]) -> dict[str, dict[str, Any]]:
    names = ("topic", "text", "source", "year", "region", "mark", "genetic")
    return {
        rule.id: {**{name: getattr(rule, name) for name in names}, "reviewed": str(rule.reviewed)}
        for rule in rules
    }


def cohort_facts(report: Report) -> dict[str, Any]:
    """Tables of the cohort: what was read, by site, who carries what, subgroups, discordant
    patients.
    """
    pages = pd.DataFrame(report.pages)
    return {
        "contents": contents(report.cohort),
        "answers": _answers(report.pages),
        "sites": _sites(report.pages),
        "carriers": _carriers(report.pages),
        "without_consent": int((~pages["consent"]).sum()) if len(pages) else 0,
        "subgroups": [
            row for name in ("sex", "site", "ancestry") for row in _subgroups(report, name)
        ],
        "discordant": [page["sample_id"] for page in report.pages if _discordant(page)],
    }


def _answers(pages: list[Page]) -> list[dict[str, Any]]:
    """What each model answered: scored, as what, abstained, out of distribution, not scored."""
    rows = []
    for task in dict.fromkeys(score["task"] for page in pages for score in page["scores"]):
        own = [score for page in pages for score in page["scores"] if score["task"] == task]
        good = [score for score in own if not score["error"]]
        classes = {
            f"as {name}": sum(s["class"] == name for s in good)
            for name in sorted({s["class"] for s in good})
        }
        flags = {
            "abstained": sum(s["abstained"] for s in good),
            "out of distribution": sum(s["outside"] for s in good),
        }
        words = ", ".join(f"{n} {name}" for name, n in classes.items())
        rows.append(
            {
                "task": task,
                "scored": len(good),
                "classes": words,
                **flags,
                "not shown or scored": len(own) - len(good),
            }
        )
    return rows


def _sites(pages: list[Page]) -> list[dict[str, Any]]:
    """Share of the patients of each site for whom something is known."""
    places = sorted({page["site"] or "unknown" for page in pages})
    rows = []
    for place in places:
        own = [page for page in pages if (page["site"] or "unknown") == place]
        shares = {words: [p[name] is not None for p in own] for name, words in _KEY_FIELDS.items()}
        shares["two visits"] = [len(p["alsfrs"]) >= 2 for p in own]
        shares["NfL"] = [
            any(m["name"].startswith("Neurofilament") for m in p["biomarkers"]) for p in own
        ]
        shares["FVC"] = [any("vital capacity" in m["name"] for m in p["biomarkers"]) for p in own]
        rows.append(
            {
                "site": place,
                "patients": len(own),
                **{k: f"{np.mean(v):.0%}" for k, v in shares.items()},
            }
        )
    return rows


def _carriers(pages: list[Page]) -> list[dict[str, Any]]:
    """Carriers of (likely) pathogenic variants by gene, and of expansions, among those who
    consented.
    """
    found: dict[str, int] = {}
    for page in pages:
        genes = {gene for gene, _, label, *_ in page["variants"] or [] if label in ("P", "LP")}
        genes |= {
            "C9orf72 expansion"
            for m in page["mechanisms"]
            for _, f in m["genetic"]
            if f == "repeat expanded"
        }
        for gene in genes:
            found[gene] = found.get(gene, 0) + 1
    return [
        {"gene": gene, "patients": n}
        for gene, n in sorted(found.items(), key=lambda pair: -pair[1])
    ]


def _discordant(page: Page) -> bool:
    """Sporadic by history, genetic by evidence: whom to offer counselling."""
    return page["family_history"] == "none" and page["cause"] == "found"


def _subgroups(report: Report, name: str) -> list[dict[str, Any]]:
    """Patients, mean score and, where labels exist, the observed share of each group and task."""
    rows = []
    for task in dict.fromkeys(score["task"] for page in report.pages for score in page["scores"]):
        for level in sorted({page[name] for page in report.pages if page[name]}):
            own = [i for i, page in enumerate(report.pages) if page[name] == level]
            p = np.array([_probability(report.pages[i], task) for i in own])
            y = report.labels.get(task, np.full(len(report.pages), np.nan))[own]
            known = np.isfinite(y)
            row = {"group": f"{name}: {level}", "task": task, "scored": int(np.isfinite(p).sum())}
            if row["scored"]:
                low, high = (
                    wilson(float(y[known].sum()), int(known.sum()))
                    if known.any()
                    else (np.nan, np.nan)
                )
                seen = (
                    f"{y[known].mean():.2f} ({low:.2f}-{high:.2f}), n = {known.sum()}"
                    if known.any()
                    else "no labels"
                )
                rows.append(row | {"mean score": f"{np.nanmean(p):.2f}", "observed": seen})
    return rows


def _probability(page: Page, task: str) -> float:
    found = [
        score["probability"]
        for score in page["scores"]
        if score["task"] == task and not score["error"]
    ]
    return found[0] if found else np.nan


def figures(report: Report) -> list[dict[str, Any]]:
    """Plotly figures of the cohort, each with a sentence that says the same in words."""
    made = []
    for task in dict.fromkeys(score["task"] for page in report.pages for score in page["scores"]):
        p = np.array([_probability(page, task) for page in report.pages])
        if np.isfinite(p).any():
            made.append(_distribution(task, p[np.isfinite(p)]))
        y = report.labels.get(task)
        known = np.isfinite(p) & np.isfinite(y) if y is not None else np.zeros(len(p), dtype=bool)
        if y is not None and known.sum() >= 20 and len(np.unique(y[known])) == 2:
            made.append(_calibration(task, y[known], p[known]))
    return made


def _figure(title: str, words: str, traces: list[Any], x: str, y: str) -> dict[str, Any]:
    figure = go.Figure(traces)
    figure.update_layout(
        template="none",
        xaxis={"title": x, "range": [0, 1]},
        yaxis={"title": y},
        margin={"t": 10, "r": 10},
        bargap=0.05,
        showlegend=False,
    )
    return {"title": title, "words": words, "figure": json.loads(figure.to_json())}


def _distribution(task: str, p: np.ndarray) -> dict[str, Any]:
    positive = TASKS[task].positive
    low, middle, high = np.quantile(p, [0.25, 0.5, 0.75])
    words = (
        f"{len(p)} patients; half of them between {low:.2f} and {high:.2f}, the middle one at"
        f" {middle:.2f}."
    )
    bars = np.histogram(p, bins=20, range=(0, 1))[0]
    trace = go.Bar(x=(np.arange(20) + 0.5) / 20, y=bars, marker_color=BLUE)
    return _figure(
        f"Probability of {positive}", words, [trace], f"probability of {positive}", "patients"
    )


def _calibration(task: str, y: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    positive, bins = TASKS[task].positive, calibration_bins(y, p, 8)
    expected, seen = ([row[name] for row in bins] for name in ("predicted", "observed"))
    error = {
        "type": "data",
        "array": [row["high"] - row["observed"] for row in bins],
        "arrayminus": [row["observed"] - row["low"] for row in bins],
    }
    points = go.Scatter(
        x=expected, y=seen, mode="markers", marker_color=ORANGE, marker_size=9, error_y=error
    )
    line = go.Scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": GREY, "dash": "dash"}, hoverinfo="skip"
    )
    words = (
        f"{len(y)} labelled patients: {y.mean():.0%} {positive}, {p.mean():.0%} expected. On the"
        " dashed line both agree."
    )
    return _figure(
        f"Calibration: {positive}",
        words,
        [line, points],
        f"probability of {positive}",
        f"observed {positive}",
    )


def pseudonymised(pages: list[Page]) -> dict[str, str]:
    """Replace the samples by numbers in a random order.

    Returns name -> pseudonym, to be kept apart from the report.
    """
    order = list(range(len(pages)))
    secrets.SystemRandom().shuffle(order)
    key = {pages[i]["sample_id"]: f"P{number:05d}" for number, i in enumerate(order, start=1)}
    for page in pages:
        page["sample_id"] = key[page["sample_id"]]
    return key
