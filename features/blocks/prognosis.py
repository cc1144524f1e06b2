"""The ENCALS score as features, from what the other blocks computed."""

from collections.abc import Iterable, Mapping

import numpy as np

from features.alsfrs.encals import linear_predictor, median_months
from features.blocks.dictionary import Feature
from features.blocks.registry import Block
from features.blocks.spec import FeatureSpec
from features.catalogue import Definitions
from features.cohort import AnyCohort
from features.genotypes.repeats import EXPANDED, NORMAL, RepeatStates

_SOURCE = (
    "Westeneng 2018, doi:10.1016/S1474-4422(18)30089-9; coefficients unverified against the"
    " supplement"
)


def prognosis_dictionary() -> list[Feature]:
    """Describe the columns of `prognosis_features`."""
    return [
        Feature(
            name="encals_lp",
            block="prognosis",
            unit="linear predictor",
            meaning="ENCALS linear predictor, higher = shorter survival",
            source=_SOURCE,
        ),
        Feature(
            name="encals_median_months",
            block="prognosis",
            unit="months",
            meaning="ENCALS median from onset to death or ventilation",
            source=_SOURCE,
        ),
    ]


def prognosis_features(cohort: AnyCohort, known: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Linear predictor and predicted median; NaN where an input other than C9orf72 is unknown.

    Parameters
    ----------
    known : dict
        Columns of the blocks clinical, alsfrs and biomarkers, and of genetics where the model sees
        it.
    """
    predictor = linear_predictor(
        known["delta_fs"],
        known["diagnostic_delay_months"],
        known["age_at_onset"],
        known["fvc_pct"],
        known["onset_bulbar"],
        known["el_escorial_definite"],
        known["ftd"],
        known["c9orf72_expanded"] if "c9orf72_expanded" in known else _expanded(cohort),
    )
    return {"encals_lp": predictor, "encals_median_months": median_months(predictor)}


def _expanded(cohort: AnyCohort) -> np.ndarray:
    state = RepeatStates(cohort.definitions, "C9orf72", cohort.repeats, cohort.patients).state
    return np.where(state >= NORMAL, (state == EXPANDED).astype(float), np.nan)


def _dictionary(spec: FeatureSpec, definitions: Definitions) -> Iterable[Feature]:
    return prognosis_dictionary()


def _compute(
    cohort: AnyCohort, spec: FeatureSpec, values: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    return prognosis_features(cohort, dict(values))


BLOCK = Block(
    name="prognosis",
    dictionary=_dictionary,
    compute=_compute,
    needs=("clinical", "biomarkers", "alsfrs"),
)
