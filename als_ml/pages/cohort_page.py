"""The cohort report: one HTML file that opens offline, with a page per patient. Research use only.

Python writes the facts as JSON (compressed) and the cohort's pictures as Plotly figures;
`templates/report.js` shows them with DataTables and (for the cohort) Plotly, both inside the file.
The page fetches nothing: its content policy forbids it.
"""

import base64
import gzip
import json
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import als_ml
from als_ml.cohort.check import contents
from als_ml.pages.facts import Page, Score
from als_ml.pages.mechanism_cards import emerging, treatments
from als_ml.pages.outlook_words import group_words
from als_ml.pages.patient_pages import CLOSED, HAPPENED
from als_ml.pages.patient_state import spoken
from als_ml.pages.protocol import Rule
from als_ml.prediction.predictor import RESEARCH_USE
from als_ml.tracking.documents import TEMPLATES
from als_ml.training.metrics import calibration_bins, wilson
from features.blocks.mechanisms import panel_mechanisms
from features.catalogue import Definitions, shipped
from features.cohort import Cohort
from features.stored import Json
from models.survival.curve import GROUPS
from models.tasks import SURVIVAL, TASKS

# Okabe and Ito's palette, which the colour-blind can tell apart (jfly.uni-koeln.de/color, R).
PART = 250  # pages that are unpacked together
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#7f7f7f"
# What a site should know of its patients.
_KeyField = Literal["age_at_onset", "onset_days", "onset_site", "family_history"]
_KEY_FIELDS: dict[_KeyField, str] = {
    "age_at_onset": "age",
    "onset_days": "onset",
    "onset_site": "onset site",
    "family_history": "family history",
}


# Groups of patients that are shown apart.
_Group = Literal["sex", "site", "ancestry"]
_GROUPS: tuple[_Group, ...] = ("sex", "site", "ancestry")
# What a template or a script prints as it is.
Shown = dict[str, object]


class Picture(TypedDict):
    """A Plotly figure of the cohort as JSON, and the same in words."""

    title: str
    words: str
    figure: Json


class SharedFacts(TypedDict):
    """What every page refers to: rules by id, what acts on each mechanism, versions."""

    rules: dict[str, Shown]
    treatments: dict[str, list[dict[str, str]]]
    version: str


@dataclass(frozen=True)
class Report:
    """What a report shows.

    `labels` maps a task to the 0/1 label of each page's patient (NaN unknown), `scores` to the
    probability, which the page of who has died leaves out; `regions` are those whose licences and
    coverage the rules are of, all if empty.
    """

    name: str
    cohort: Cohort
    pages: list[Page]
    rules: tuple[Rule, ...]
    simulated: bool = False
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    written: date = field(default_factory=date.today)


def write_report(report: Report, path: Path) -> None:
    """Write the HTML file.

    Parameters
    ----------
    report : Report
        What it shows.
    path : Path
        HTML file to write.
    """
    text = (
        templates()
        .get_template("report.html.j2")
        .render(
            name=report.name,
            facts=cohort_facts(report),
            payload=_packed(_overview(report)),
            parts=[_packed(report.pages[i : i + PART]) for i in range(0, len(report.pages), PART)],
            table_script=base64.b64encode(_bundle("dt_bundle.js").encode()).decode(),
            table_style=Markup(_bundle("dt_bundle.css")),  # noqa: S704 - the library's own file
            plotly=Markup(_plotly()),  # noqa: S704 - the library's own file
            research_use=RESEARCH_USE,
            simulated=report.simulated,
            written=spoken(report.written),
            regions=", ".join(report.regions),
            version=versions(report.cohort.definitions),
        )
    )
    path.write_text(text, encoding="utf-8")


def templates() -> Environment:
    """The templates of the pages; what they print is escaped."""
    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def versions(definitions: Definitions) -> str:
    """What a page was made with."""
    return f"als-ml {als_ml.__version__}, definitions {definitions.version}"


def shared_facts(rules: tuple[Rule, ...], version: str) -> SharedFacts:
    """What every page of a report refers to: rules by id, what acts on each mechanism, versions."""
    return {"rules": _rules(rules), "treatments": treatments(), "version": version}


def _overview(report: Report) -> Shown:
    """What the first view needs: the table's cells, and by which filters each patient is found."""
    tasks = list(dict.fromkeys(score["task"] for page in report.pages for score in page["scores"]))
    rows = [
        {"cells": _cells(page, tasks), "flags": _flags(page), "urgency": _urgency(page)}
        for page in report.pages
    ]
    scores = [_score_heads(task) for task in tasks]
    return {
        "rows": rows,
        "columns": [*_HEADS, *(head for heads in scores for head in heads), *_LAST_HEADS],
        "hidden": [behind for _, behind in scores],
        "wide": list(_WIDE),
        "part": PART,
        "shared": shared_facts(report.rules, versions(report.cohort.definitions)),
        "figures": figures(report),
    }


def _score_heads(task: str) -> tuple[str, str]:
    """Of what the table shows and of the hidden column behind it: the set that stands beside a
    probability, or the risk that orders the groups of a time and is shown on the patient's page.
    """
    if TASKS[task].of_time:
        return f"Risk group{_of(task)}", f"Risk{_of(task)} by month 12"
    return f"P({TASKS[task].positive})", f"{task} set"


def _of(task: str) -> str:
    """Of what a risk is, where it is not the event of the survival time."""
    return "" if task == SURVIVAL.name else f" of {TASKS[task].positive}"


_HEADS = ("Needs", "Patient", "Diagnosis", "Gene")
_LAST_HEADS = (
    "ALSFRS-R",
    "Points a month",
    "Age at onset",
    "Onset",
    "Family history",
    "Sex",
    "Site",
)
# Columns that a tablet has no room for.
_WIDE = ("Family history", "Sex", "Site")


def _cells(page: Page, tasks: list[str]) -> list[object]:
    scores = {score["task"]: score for score in page["scores"]}
    return [
        "; ".join(page["needs"]),
        page["sample_id"],
        _words(page["diagnosis"]).replace("als", "ALS").replace("ftd", "FTD"),
        gene_cell(page),
        *(cell for task in tasks for cell in _score_cells(task, scores.get(task))),
        page["alsfrs"][-1][1] if page["alsfrs"] else None,
        page["slope"],
        page["age_at_onset"],
        *(_words(page[name]) for name in ("onset_site", "family_history", "sex", "site")),
    ]


def gene_cell(page: Page) -> str:
    """The genetic result in a few words, so that the table finds a gene by its name."""
    result = page["genetics"]
    if result is None:
        return "not shown"
    genes = list(dict.fromkeys(one["gene"] for one in result["findings"]))
    if result["status"] == "positive":
        return ", ".join(genes)
    if result["status"] == "uncertain":
        return f"uncertain: {', '.join(genes)}"
    return "none found" if result["status"] == "negative" else "incomplete"


def _urgency(page: Page) -> int:
    """Order of the table: how many topics say act, then a finding to return."""
    acts = sum(need.startswith("act: ") for need in page["needs"])
    return 2 * acts + (len(page["needs"]) > acts)


def _score_cells(task: str, score: Score | None) -> list[object]:
    if score is None or score["error"]:
        return [None, None if TASKS[task].of_time else "not scored"]
    if "outlook" in score:
        return [score["outlook"]["short"], score.get("probability")]
    return [score["probability"], (score["set"] or "none").replace("|", " or ")]


def _words(text: "str | None") -> str:
    return "unknown" if text is None else text.replace("_", " ")


def _flags(page: Page) -> list[str]:
    """Filters of the table that find a patient."""
    good = [score for score in page["scores"] if not score["error"]]
    holds = {
        "act": any(need.startswith("act: ") for need in page["needs"]),
        "finding": any(need.startswith("genetic") for need in page["needs"]),
        "abstained": any(score["abstained"] for score in good),
        "outside": any(score["outside"] for score in good),
        "discordant": _discordant(page),
        "unscored": len(good) < len(page["scores"]),
        "dead": page["closed"],
    }
    return [name for name, held in holds.items() if held]


def _packed(content: object) -> str:
    """JSON, compressed, as text that no parser of HTML can mistake for markup."""
    plain = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()
    return base64.b64encode(gzip.compress(plain, 6, mtime=0)).decode()


def _bundle(name: str) -> str:
    return (files("itables") / "html" / name).read_text(encoding="utf-8")


def _plotly() -> str:
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _rules(rules: tuple[Rule, ...]) -> dict[str, Shown]:
    names = ("topic", "level", "text", "year", "region", "mark", "genetic", "address")
    return {
        rule.id: {
            **{name: getattr(rule, name) for name in names},
            "source": rule.cited,
            "reviewed": str(rule.reviewed),
            "valid_until": str(rule.valid_until),
        }
        for rule in rules
    }


def cohort_facts(report: Report) -> Shown:
    """Tables of the cohort: what was read, by site, who carries what, subgroups, discordant
    patients.

    Parameters
    ----------
    report : Report
        What it shows.

    Returns
    -------
    dict
        Name of a table -> its rows.
    """
    pages = pd.DataFrame(report.pages)
    return {
        "contents": contents(report.cohort),
        "answers": _answers(report.pages),
        "sites": _sites(report.pages),
        "carriers": _carriers(report.pages),
        "without_consent": int((~pages["consent"]).sum()) if len(pages) else 0,
        "subgroups": [row for name in _GROUPS for row in subgroups(report, name)],
        "discordant": [
            (page["sample_id"], i) for i, page in enumerate(report.pages) if _discordant(page)
        ],
        "rules": rule_shares(report.pages, report.rules),
        "emerging": emerging(),
        "treatments": _acting(),
    }


def rule_shares(pages: list[Page], rules: tuple[Rule, ...]) -> list[dict[str, str]]:
    """Of each rule the level and the shares of the patients to whom it applies, for whom it is out
    of date, and for whom it cannot be decided.

    Genetic rules count those who consented.
    """
    open_pages = [page for page in pages if page["ill"] and not page["closed"]]
    seen = Counter((one["rule"], one["status"]) for page in open_pages for one in page["protocol"])
    consenting = sum(page["consent"] for page in open_pages)
    rows = []
    for rule in rules:
        of = max(consenting if rule.genetic else len(open_pages), 1)
        listed = ("applies", "out of date", "cannot be decided")
        shares = {name: f"{seen[rule.id, name] / of:.0%}" for name in listed}
        mark = {"R": "to be checked", "P": "ours", "V": "read"}[rule.mark]
        about = {"rule": rule.id, "level": rule.level, "topic": rule.topic}
        checked = {"source": rule.cited, "state": mark, "valid until": str(rule.valid_until)}
        rows.append({**about, **shares, **checked})
    return rows


def _acting() -> list[dict[str, str]]:
    """What acts on each mechanism, one row a treatment, trial or care."""
    names = {m.mechanism: m.name for m in panel_mechanisms(shipped())}
    return [
        {"mechanism": names[mechanism], **one}
        for mechanism, acting in treatments().items()
        for one in acting
    ]


def _answers(pages: list[Page]) -> list[Shown]:
    """What each model answered: scored, as what, abstained, out of distribution, not scored."""
    rows = []
    for task in dict.fromkeys(score["task"] for page in pages for score in page["scores"]):
        scores = [score for page in pages for score in page["scores"] if score["task"] == task]
        good = [score for score in scores if not score["error"]]
        flags = {
            "abstained": sum(bool(s["abstained"]) for s in good),
            "out of distribution": sum(bool(s["outside"]) for s in good),
        }
        rows.append(
            {
                "task": task,
                "scored": len(good),
                "classes": as_what([_said(score) for score in good]),
                **flags,
                "not shown or scored": len(scores) - len(good),
            }
        )
    return rows


# Fifths of a risk as pages say them, the lowest first.
_FIFTHS = [group_words(name) for name in GROUPS]


def as_what(said: list[str]) -> str:
    """How many were said to be what: classes by their names, fifths from the lowest risk on.

    Parameters
    ----------
    said : list of str
        Class or fifth of each patient, in words.

    Returns
    -------
    str
        Empty where there are none.

    Examples
    --------
    >>> as_what(["slow", "fast", "slow"])
    '1 as fast, 2 as slow'
    """
    named = sorted(set(said), key=lambda one: (_FIFTHS.index(one) if one in _FIFTHS else 0, one))
    return ", ".join(f"{said.count(name)} as {name}" for name in named)


def _said(score: Score) -> str:
    """The class, or the fifth of the risk."""
    if "outlook" in score:
        return score["outlook"]["group"] or "one group"
    return str(score["class"])


def _sites(pages: list[Page]) -> list[Shown]:
    """Share of the patients of each site for whom something is known."""
    places = sorted({page["site"] or "unknown" for page in pages})
    rows = []
    for place in places:
        of_site = [page for page in pages if (page["site"] or "unknown") == place]
        shares = {
            words: [p[name] is not None for p in of_site] for name, words in _KEY_FIELDS.items()
        }
        shares["two visits"] = [len(p["alsfrs"]) >= 2 for p in of_site]
        shares["NfL"] = [
            any(m["name"].startswith("Neurofilament") for m in p["biomarkers"]) for p in of_site
        ]
        shares["FVC"] = [
            any("vital capacity" in m["name"] for m in p["biomarkers"]) for p in of_site
        ]
        rows.append(
            {
                "site": place,
                "patients": len(of_site),
                **{k: f"{np.mean(v):.0%}" for k, v in shares.items()},
            }
        )
    return rows


def _carriers(pages: list[Page]) -> list[Shown]:
    """Carriers of (likely) pathogenic variants by gene, and of expansions, among those who
    consented.
    """
    carried = Counter(gene for page in pages for gene in _pathogenic(page))
    return [{"gene": gene, "patients": n} for gene, n in carried.most_common()]


def _pathogenic(page: Page) -> set[str]:
    """Genes with a (likely) pathogenic variant or an expansion, of a patient who consented."""
    genes = {gene for gene, _, label, *_ in page["variants"] or [] if label in ("P", "LP")}
    findings = page["genetics"]["findings"] if page["genetics"] else []
    return genes | {one["gene"] for one in findings if one["class"] in ("P", "LP")}


def _discordant(page: Page) -> bool:
    """Sporadic by history, genetic by evidence: whom to offer counselling."""
    return page["family_history"] == "none" and page["cause"] == "found"


def subgroups(report: Report, name: _Group) -> list[Shown]:
    """Patients, mean score and, where labels exist, the observed share of each group and task.

    Parameters
    ----------
    report : Report
        With pages, scores and labels.
    name : str
        Fact of a page that makes the groups.

    Returns
    -------
    list of dict
        One a group and task with a score; those whose page no longer shows it count.
    """
    rows = []
    for task in dict.fromkeys(score["task"] for page in report.pages for score in page["scores"]):
        for level in sorted({str(page[name]) for page in report.pages if page[name]}):
            members = [i for i, page in enumerate(report.pages) if page[name] == level]
            p = _probabilities(report, task)[members]
            y = report.labels.get(task, np.full(len(report.pages), np.nan))[members]
            known = np.isfinite(y)
            scored = int(np.isfinite(p).sum())
            if scored:
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
                rows.append(
                    {
                        "group": f"{name}: {level}",
                        "task": task,
                        "scored": scored,
                        "mean score": f"{np.nanmean(p):.2f}",
                        "observed": seen,
                    }
                )
    return rows


def _probabilities(report: Report, task: str) -> np.ndarray:
    """One a page, those that a page no longer shows among them: labels are mostly theirs."""
    return report.scores.get(task, np.full(len(report.pages), np.nan))


def _no_longer_shown(report: Report, task: str) -> int:
    """Scores that count in a figure and stand on no page."""
    left_out = [
        any(
            score["task"] == task and score["error"] in (CLOSED, HAPPENED)
            for score in page["scores"]
        )
        for page in report.pages
    ]
    return int((np.isfinite(_probabilities(report, task)) & np.array(left_out)).sum())


def figures(report: Report) -> list[Picture]:
    """Plotly figures of the cohort, each with a sentence that says the same in words.

    Parameters
    ----------
    report : Report
        What it shows.

    Returns
    -------
    list of Picture
        For the page's script.
    """
    made = []
    for task in dict.fromkeys(score["task"] for page in report.pages for score in page["scores"]):
        p = _probabilities(report, task)
        if np.isfinite(p).any():
            made.append(_distribution(task, p[np.isfinite(p)], _no_longer_shown(report, task)))
        y = report.labels.get(task)
        known = np.isfinite(p) & np.isfinite(y) if y is not None else np.zeros(len(p), dtype=bool)
        if y is not None and known.sum() >= 20 and len(np.unique(y[known])) == 2:
            made.append(_calibration(task, y[known], p[known]))
    return made


def _figure(title: str, words: str, traces: list[object], x: str, y: str) -> Picture:
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


def _event_words(task: str) -> str:
    asked = TASKS[task]
    return f"{asked.event_words} by month 12" if asked.of_time else asked.positive


def _distribution(task: str, p: np.ndarray, aside: int) -> Picture:
    positive = _event_words(task)
    low, middle, high = np.quantile(p, [0.25, 0.5, 0.75])
    without = f", of whom {aside} have no score on their page any more" if aside else ""
    words = (
        f"{len(p)} patients{without}; half of them between {low:.2f} and {high:.2f}, the middle"
        f" one at {middle:.2f}."
    )
    bars = np.histogram(p, bins=20, range=(0, 1))[0]
    trace = go.Bar(x=(np.arange(20) + 0.5) / 20, y=bars, marker_color=BLUE)
    return _figure(
        f"Probability of {positive}", words, [trace], f"probability of {positive}", "patients"
    )


def _calibration(task: str, y: np.ndarray, p: np.ndarray) -> Picture:
    positive, bins = _event_words(task), calibration_bins(y, p, 8)
    had = "had " if TASKS[task].of_time else ""
    expected, seen = [row["predicted"] for row in bins], [row["observed"] for row in bins]
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
        f"{len(y)} labelled patients: {y.mean():.0%} {had}{positive}, {p.mean():.0%} expected. On"
        " the dashed line both agree."
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

    Parameters
    ----------
    pages : list of dict
        Changed in place.

    Returns
    -------
    dict of str
        Name -> pseudonym, to be kept apart from the report.
    """
    order = list(range(len(pages)))
    secrets.SystemRandom().shuffle(order)
    key = {pages[i]["sample_id"]: f"P{number:05d}" for number, i in enumerate(order, start=1)}
    for page in pages:
        page["sample_id"] = key[page["sample_id"]]
    return key
