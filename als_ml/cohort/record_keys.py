"""The parts of a patient record and their keys, described once: the reader's checks and the
announced schema follow.

Every field takes what is sent: `als_ml.cohort.records` validates each patient by itself, so that a
bad one is answered in its place.
"""

from pydantic import BaseModel, ConfigDict, create_model, field_validator

from features.alsfrs.visits import ALL_ITEMS
from features.stored import Json


class Announced(BaseModel):
    """A part that takes every key and every value."""

    model_config = ConfigDict(extra="allow")

    @field_validator("*", mode="plain")
    @classmethod
    def _as_sent(cls, value: object) -> object:
        return value


class Measurement(Announced):
    """One biomarker value."""

    analyte: str | None = None
    value: float | None = None
    unit: str | None = None
    matrix: str | None = None
    assay: str | None = None
    tube: str | None = None
    days: int | None = None
    censored: str | None = None
    limit: float | None = None
    ref_low: float | None = None
    ref_high: float | None = None


class RepeatCall(Announced):
    """Sizes of both alleles of a repeat locus and the interval of the longer one, in repeat
    units.
    """

    alleles: list[float] | None = None
    ci: list[float] | None = None
    method: str | None = None
    status: str | None = None


class Treatment(Announced):
    """When a drug was given."""

    start_days: int | None = None
    stop_days: int | None = None


_POINTS: Json = dict.fromkeys(ALL_ITEMS, (int | None, None))
Visit = create_model(
    "Visit",
    __base__=Announced,
    days=(int | None, None),
    scale=(str | None, None),
    **_POINTS,
    q5a=(int | None, None),
    q5b=(int | None, None),
    q5_form=(str | None, None),
    total=(float | None, None),
)

BIOMARKER_KEYS = tuple(Measurement.model_fields)
VISIT_KEYS = tuple(Visit.model_fields)
REPEAT_KEYS = tuple(RepeatCall.model_fields)
TREATMENT_KEYS = tuple(Treatment.model_fields)
# What a record holds beside the columns of the patients table.
PART_FIELDS: Json = {
    "format": (int | None, None),
    "genome_build": (str | None, None),
    "as_of_days": (int | None, None),
    "biomarkers": (list[Measurement] | None, None),
    "variants": (list[str] | None, None),
    "repeats": (dict[str, RepeatCall] | None, None),
    "assayed": (dict[str, str] | None, None),
    "alsfrs": (list[Visit] | None, None),  # type: ignore[valid-type]
    "treatments": (dict[str, Treatment] | None, None),
}
PARTS = tuple(PART_FIELDS)
# Signs and symptoms that the care protocol asks for: yes or no, dated by `<name>_days`.
SYMPTOMS = (
    "respiratory_symptoms",
    "nocturnal_desaturation",
    "weak_cough",
    "dry_cough",
    "drooling",
    "fever",
    "headache",
    "visual_change",
    "back_or_leg_pain",
    "leg_swelling",
    "cramps",
    "spasticity",
    "low_mood",
    "pseudobulbar_affect",
    "pregnant",
)
# Of the same use, but they do not go out of date.
LASTING = ("sulfite_allergy", "amx0035")
# What a page reads and no model does: any model takes it, whatever its tables know.
PAGE_FIELDS: dict[str, str] = {
    **dict.fromkeys((*SYMPTOMS, *LASTING, "consent_prognosis"), "category"),
    **{f"{name}_days": "days" for name in SYMPTOMS},
}
