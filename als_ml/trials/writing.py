"""A plan as files: table, picture, text for a protocol, and the lock of the covariate's model."""

from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from als_ml.trials.planning import PlanRow, Settings
from features.errors import printable
from features.tables.formulas import inert

_NAMES = {"slope": "slope", "survival": "survival", "joint_rank": "joint rank (CAFS)"}
_WORDS = {
    "total": "total of the ALSFRS-R",
    "delta_fs": "points lost per month since onset",
    "bulbar": "bulbar onset",
    "age": "age at onset",
    "riluzole": "riluzole",
}


def write_plan(
    folder: Path,
    rows: list[PlanRow],
    settings: Settings,
    facts: dict[str, str],
    adjust: tuple[str, ...],
) -> None:
    """Write `trial.tsv`, `trial.svg` and `protocol.md`.

    Parameters
    ----------
    folder : Path
        To write to.
    rows : list of dict
        Of `als_ml.trials.planning.plan`.
    settings : Settings
        Of the trial.
    facts : dict of str
        Of the cohort and the model: `cohort`, `patients`, `how`, `model`, `digest`, and `simulated`
        where the patients are made up.
    adjust : tuple of str
        What the trial adjusts for anyway.
    """
    table = pd.DataFrame(rows)
    inert(table.round(4)).to_csv(folder / "trial.tsv", sep="\t", index=False)
    _picture(table, folder / "trial.svg", settings, facts)
    (folder / "protocol.md").write_text(
        protocol_text(rows, settings, facts, adjust), encoding="utf-8"
    )


def _picture(table: pd.DataFrame, path: Path, settings: Settings, facts: dict[str, str]) -> None:
    """Patients to enrol and to screen by cut, a panel an endpoint."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "als-ml", "svg.fonttype": "none"}):
        figure = Figure(figsize=(4 * len(settings.endpoints), 3.6), layout="constrained")
        axes = figure.subplots(1, len(settings.endpoints), squeeze=False)[0]
        for axis, endpoint in zip(axes, settings.endpoints, strict=True):
            _panel(axis, table[table["endpoint"] == endpoint], endpoint)
        made_up = "  SIMULATED patients: machinery, not medicine" if facts["simulated"] else ""
        figure.suptitle(f"Patients for {100 * settings.power:.0f} % power{made_up}", fontsize=10)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _panel(axis: "object", rows: pd.DataFrame, endpoint: str) -> None:
    from matplotlib.axes import Axes

    if not isinstance(axis, Axes):
        raise TypeError("not an axis")
    for name, colour in (("without", "tab:grey"), ("with", "tab:blue")):
        of = rows[rows["prediction"] == name]
        share = 100 * of["not_enrolled_share"]
        axis.plot(share, of["enrolled"], "o-", color=colour, label=f"enrolled, {name} prediction")
        axis.plot(share, of["screened"], "s:", color=colour, label=f"screened, {name} prediction")
    axis.set_title(_NAMES[endpoint], fontsize=9)
    axis.set_xlabel("% of the screened not enrolled, lowest score first")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=7)


def protocol_text(
    rows: list[PlanRow], settings: Settings, facts: dict[str, str], adjust: tuple[str, ...]
) -> str:
    """A section on sample size for a protocol, in Markdown.

    Parameters
    ----------
    rows, settings, facts, adjust
        As for `write_plan`.

    Returns
    -------
    str
        To be read and changed by the trial's statistician.
    """
    said = [
        "# Sample size, prognostic covariate, enrichment",
        "Draft for a protocol, to be checked by the trial's statistician. Research use only.",
        *["**The patients are simulated: these numbers say nothing of medicine.**"]
        * bool(facts["simulated"]),
        _assumed(settings, facts),
        _covariate(facts),
        _analysis(adjust),
        *("\n".join(_of_endpoint(rows, endpoint)) for endpoint in settings.endpoints),
        "## Enrichment",
        _CUTS_WORDS,
        "\n".join([_HEAD, *(_enriched(row) for row in rows if row["prediction"] == "with")]),
        f"With {settings.screened_monthly:g} patients screened a month.",
    ]
    return "\n\n".join(said) + "\n"


_CUTS_WORDS = (
    "Cuts were fixed beforehand. A trial that enrols by the score shows an effect for such patients"
    " alone. Sizes are those with the prediction as a covariate."
)
_HEAD = (
    "| endpoint | not enrolled | screened | enrolled | excluded | months to recruit |\n"
    "|---|---|---|---|---|---|"
)


def _assumed(settings: Settings, facts: dict[str, str]) -> str:
    slower, power = 100 * settings.effect, 100 * settings.power
    cohort = escape(printable(facts["cohort"]), quote=False)  # Markdown may hold HTML
    return (
        f"Two arms of equal size; two-sided 5 %; {power:.0f} % power; the treatment slows decline"
        f" and hazard by {slower:.0f} %; {settings.months:g} months of follow-up. Trials were"
        f" simulated from {facts['patients']} patients of the cohort {cohort}, drawn with"
        f" replacement ({settings.simulations} trials of each size, seed {settings.seed}). Who was"
        " lost in the cohort is lost in the trial."
    )


def _covariate(facts: dict[str, str]) -> str:
    return (
        f"The prognostic covariate is the prediction of {facts['model']} at baseline (digest"
        f" {facts['digest']}), fixed before the first patient is enrolled and pinned by"
        " `covariate.lock.json`; `als-ml predict --lock` refuses any other model. For this"
        f" calculation it was made by {facts['how']}."
    )


def _analysis(adjust: tuple[str, ...]) -> str:
    covariates = ", ".join(_WORDS[name] for name in adjust) or "nothing else"
    return (
        f"The analysis adjusts for {covariates}; with the covariate for it as well: analysis of"
        " covariance of the slope and of the joint rank, Cox's model for survival. For a linear"
        " outcome this neither biases the effect nor changes its level, whether or not the"
        " prediction is right; a hazard ratio becomes one between patients with equal covariates."
    )


def _of_endpoint(rows: list[PlanRow], endpoint: str) -> list[str]:
    """What is said of an endpoint without a cut."""
    mine = [r for r in rows if r["endpoint"] == endpoint and r["not_enrolled_share"] == 0]
    lines = [f"## {_NAMES[endpoint][:1].upper()}{_NAMES[endpoint][1:]}", ""]
    if not mine:
        return [*lines, "Too few patients of the cohort for this endpoint."]
    without, with_it = mine
    if endpoint == "slope" and np.isfinite(with_it["r2"]):
        lines.append(
            f"Beyond these covariates the prediction explains R2 = {with_it['r2']:.3f}"
            f" ({with_it['r2_low']:.3f} to {with_it['r2_high']:.3f}) of the slope's variance, in"
            " patients unknown to the model that predicts them; the size is that of the formula"
            " x (1 - R2)."
        )
    else:
        lines.append("By simulation alone: no factor 1 - R2 holds for this endpoint.")
    return [*lines, "", *(_needed(row) for row in (without, with_it))]


def _needed(row: PlanRow) -> str:
    said = f"- {row['prediction']} the prediction: "
    if not np.isfinite(row["enrolled"]):
        return said + "more than 4,000 patients would be needed, or the cohort shows no effect."
    return (
        f"{said}{row['enrolled']:.0f} patients in both arms; simulated power"
        f" {100 * row['power']:.1f} % ({100 * row['power_low']:.1f} to"
        f" {100 * row['power_high']:.1f} %), in favour of the treatment without an effect"
        f" {100 * row['false_positive']:.1f} % (2.5 % expected)."
    )


def _enriched(row: PlanRow) -> str:
    numbers = [
        f"{row[name]:.0f}" if np.isfinite(row[name]) else "-"
        for name in ("screened", "enrolled", "excluded", "months_to_recruit")
    ]
    share = f"{100 * row['not_enrolled_share']:.0f} %"
    return f"| {_NAMES[row['endpoint']]} | {share} | {' | '.join(numbers)} |"
