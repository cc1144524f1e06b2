"""What a run estimates, in the words of ICH E9(R1) (2019): population, variable, and what happens
to it after the landmark.

A drug's start, a death, a tracheostomy are intercurrent events; each has its strategy. Drop-out is
none: it leaves data missing.
"""

from als_ml.config import Config

_POPULATION = "diagnosis als or als_ftd"
_EVENT = "death, tracheostomy, NIV >= 23 h/day"
# What ends a time of a patient who never has the event: its row of the table, and what is done.
_RIVALS = {
    "niv": "death or tracheostomy before NIV",
    "gastrostomy": "death before a gastrostomy",
}
_HAD = {"niv": "any ventilation", "gastrostomy": "ventilation or a gastrostomy"}
_STARTS = {"niv": "the start of NIV", "gastrostomy": "a gastrostomy"}
_EVENTS = {
    "without_slope": (
        "composite: fast, where it leaves no slope; else while alive: the slope before it"
    ),
    "all": "composite: fast, whatever the slope before it",
    "none": "while alive: the slope before it; without one no label",
}


def estimand(config: Config) -> list[tuple[str, str]]:
    """Attribute of the estimand and what the configuration makes of it, in the order of E9(R1)."""
    if config.label.column is not None:
        return _of_a_column(config)
    if config.label.event in _RIVALS and config.task == "survival":
        return _of_a_start(config)
    if config.task == "survival":
        return _of_a_time(config)
    if config.task == "familial":
        return _of_a_history(config)
    if config.label.measure == "delta_fs":
        return _of_the_dfs(config)
    return _of_a_slope(config)


def _of_a_column(config: Config) -> list[tuple[str, str]]:
    label = config.label
    limit = f"above {label.above:g}" if label.above is not None else f"below {label.below:g}"
    return [("population", _POPULATION), ("variable", f"column {label.column} {limit}")]


def _of_a_history(config: Config) -> list[tuple[str, str]]:
    degrees = " or ".join(config.label.familial_degrees).replace("_", " ")
    return [
        ("population", _POPULATION),
        ("variable", f"reported family history of ALS ({degrees} relatives) or none"),
    ]


def _of_the_dfs(config: Config) -> list[tuple[str, str]]:
    day, fast = config.landmark_days, config.cutoffs[-1]
    return [
        ("population", f"{_POPULATION}, alive, not ventilated and followed at day {day}"),
        ("variable", f"dFS up to day {day}, fast from {fast:g} points a month"),
    ]


def _of_a_slope(config: Config) -> list[tuple[str, str]]:
    label, day = config.label, config.landmark_days
    alive = f"{_POPULATION}; alive, not ventilated, followed and untreated at day {day}"
    return [
        ("population", alive),
        (
            "variable",
            (
                f"least-squares slope of the ALSFRS-R in the {label.window_days} days after it, "
                f"fast from {config.cutoffs[-1]:g} points a month"
            ),
        ),
        (
            "start of tofersen or a trial drug",
            (
                "while untreated: what was seen before it, visits and events alike. The results"
                " weighted by the inverse probability of labelling aim at the hypothetical course"
                " of all, as if nobody had been treated"
            ),
        ),
        (_EVENT, _EVENTS[label.events]),
        ("riluzole, edaravone, gastrostomy, less ventilation", "treatment policy: as it happens"),
        (
            "drop-out",
            "no event but missing data: no label, taken as missing at random given the features",
        ),
        ("summary", f"P(label as defined) of a patient, with what is known of him on day {day}"),
    ]


def _of_a_time(config: Config) -> list[tuple[str, str]]:
    """The estimand of a survival time."""
    label, day = config.label, config.landmark_days
    treated = "hypothetical: censored there, as if nobody had been treated"
    policy = "treatment policy: as it happens"
    events = "death" if label.event == "death" else _EVENT
    rest = "no event: the time goes on" if label.event == "death" else "part of the event"
    cut = "" if label.follow_up_days is None else f", at most to day {label.follow_up_days}"
    return [
        (
            "population",
            f"diagnosis als or als_ftd; alive, not ventilated and followed at day {day}",
        ),
        ("variable", f"months from day {day} to {events}, whichever comes first{cut}"),
        (
            "start of tofersen or a trial drug",
            treated if label.end_at_treatment else policy,
        ),
        ("tracheostomy, NIV >= 23 h/day", rest),
        ("riluzole, edaravone, gastrostomy, less ventilation", policy),
        (
            "drop-out",
            "no event: censored, taken as not depending on the prognosis (see the honesty check)",
        ),
        ("summary", f"survival curve of a patient, with what is known of him on day {day}"),
    ]


def _of_a_start(config: Config) -> list[tuple[str, str]]:
    """The estimand of the time to NIV or a gastrostomy, with which death competes."""
    label, day = config.label, config.landmark_days
    start, cut = _STARTS[label.event], label.follow_up_days
    policy = "treatment policy: as it happens"
    return [
        (
            "population",
            f"als or als_ftd; alive, followed and without {_HAD[label.event]} at day {day}",
        ),
        (
            "variable",
            f"months from day {day} to {start}{'' if cut is None else f', at most to day {cut}'}",
        ),
        (
            _RIVALS[label.event],
            "competing: it ends the time; risks are shares of all patients (cumulative incidence)",
        ),
        (
            "start of tofersen or a trial drug",
            "hypothetical: censored there, as if nobody had been treated"
            if label.end_at_treatment
            else policy,
        ),
        ("riluzole, edaravone, other care", policy),
        (
            "drop-out",
            "no event: censored, taken as not depending on the prognosis (see the honesty check)",
        ),
        ("summary", f"absolute risk of {start}, with what is known of a patient on day {day}"),
    ]
