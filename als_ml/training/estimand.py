"""What a run estimates, in the words of ICH E9(R1) (2019): population, variable, and what happens
to it after the landmark.

A drug's start, a death, a tracheostomy are intercurrent events; each has its strategy. Drop-out is
none: it leaves data missing.
"""

from als_ml.config import Config

_EVENT = "death, tracheostomy, NIV >= 23 h/day"
_EVENTS = {
    "without_slope": (
        "composite: fast, where it leaves no slope; else while alive: the slope before it"
    ),
    "all": "composite: fast, whatever the slope before it",
    "none": "while alive: the slope before it; without one no label",
}


def estimand(config: Config) -> list[tuple[str, str]]:
    """Attribute of the estimand and what the configuration makes of it, in the order of E9(R1)."""
    label, day = config.label, config.landmark_days
    population = "diagnosis als or als_ftd"
    if label.column is not None:
        limit = f"above {label.above:g}" if label.above is not None else f"below {label.below:g}"
        return [("population", population), ("variable", f"column {label.column} {limit}")]
    if config.task == "familial":
        degrees = " or ".join(label.familial_degrees).replace("_", " ")
        return [
            ("population", population),
            ("variable", f"reported family history of ALS ({degrees} relatives) or none"),
        ]
    if label.measure == "delta_fs":
        return [
            ("population", f"{population}, alive, not ventilated and followed at day {day}"),
            ("variable", f"dFS up to day {day}, fast from {config.cutoffs[-1]:g} points a month"),
        ]
    return [
        ("population", f"{population}; alive, not ventilated, followed and untreated at day {day}"),
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
