"""Consent: what a prediction row keeps where somebody reads about one patient (contract, Consent).

Anything but `consent_genetic_return: yes` takes away what tells the genotype: the familial score,
the genetic finding, genetic drivers and missing inputs, and tofersen. `consent_prognosis: no` takes
away every score of what is to come; empty shows it. What is withheld says so. The flag that a
patient lies outside the training data stays, without a genetic reason: no score is safe without it.
"""

from als_ml.cohort.records import RowError
from als_ml.prediction.predictor import Predictor
from als_ml.prediction.row import PredictionRow, refuse

GENETIC_CONSENT, PROGNOSIS_CONSENT = "consent_genetic_return", "consent_prognosis"
NO_GENETICS: RowError = {
    "field": GENETIC_CONSENT,
    "reason": "does not allow the return of genetic results",
    "remedy": "Ask the patient; `yes` shows it.",
}
NO_PROGNOSIS: RowError = {
    "field": PROGNOSIS_CONSENT,
    "reason": "does not allow a prognosis",
    "remedy": "Ask the patient; `yes` shows it.",
}
# A treatment that is given for a genotype.
_TELLING = frozenset(["tofersen"])
GENETIC_TASK = "familial"


def genetic_features(predictor: Predictor) -> frozenset[str]:
    """Features of a model that tell the genotype."""
    named = {feature.name for feature in predictor.described if feature.block == "genetics"}
    return frozenset(named) | _TELLING


def allows_genetics(consent: object) -> bool:
    """Only a plain yes returns genetic results.

    >>> [allows_genetics(said) for said in ("yes", "no", None, "", "Yes, please")]
    [True, False, False, False, False]
    """
    return consent == "yes"


def allows_prognosis(consent: object) -> bool:
    """Only a plain no withholds the prognosis.

    >>> [allows_prognosis(said) for said in ("yes", "no", None)]
    [True, False, True]
    """
    return consent != "no"


def withheld(row: PredictionRow, genetic: frozenset[str]) -> PredictionRow:
    """A prediction row without what its patient did not agree to have returned.

    Parameters
    ----------
    row : dict
        Of `Predictor.predict_cohort`, with both consents in it.
    genetic : frozenset of str
        Of `genetic_features`.
    """
    kept = row.copy()
    if not allows_genetics(row["consent_genetic_return"]):
        kept["genetic_cause"] = None
        kept["drivers"] = [d for d in row["drivers"] if d["feature"] not in genetic]
        kept["missing_inputs"] = [name for name in row["missing_inputs"] if name not in genetic]
        if row["task"] == GENETIC_TASK:
            return _without_score(kept, NO_GENETICS)
    if row["task"] != GENETIC_TASK and not allows_prognosis(row["consent_prognosis"]):
        return _without_score(kept, NO_PROGNOSIS)
    return kept


def _without_score(row: PredictionRow, why: RowError) -> PredictionRow:
    refuse(row, row["error"] or why)
    return row
