"""What the page of a patient holds, part by part: plain JSON that the scripts of the page read.

A page is put together step by step, so that none of its keys is required here; a finished page has
all of them. `None` means that something is withheld, or not known.
"""

from typing import NotRequired, TypedDict

from als_ml.pages.outlook_words import OutlookWords


class Alike(TypedDict):
    """Share of positives among training patients with a like score, its 95 % interval, in words."""

    low: float
    high: float
    text: str


class _Named(TypedDict):
    task: str
    positive: str
    negative: str
    model: str
    error: str | None


# `class` is a word of Python's own.
_Class = TypedDict("_Class", {"class": str | None, "set": str | None}, total=False)


class Answered(_Class, total=False):
    """The answer itself: a class with its probability, or a survival time (`outlook`)."""

    sentence: str
    definition: str
    probability: float
    hundred: int
    threshold: float
    abstained: bool | None
    answer: str
    alike: Alike | None
    outlook: OutlookWords


class Score(_Named, Answered, total=False):
    """The answer of one model; with an `error` it has nothing beside the names."""

    outside: bool | None
    reasons: list[str]
    drivers: list[tuple[str, float | None]]
    missing: int


class ScoreTest(TypedDict):
    """A test that would change a score: see `als_ml.prediction.next_measurement.NextTest`."""

    task: str
    test: str
    genetic: bool
    changes: float
    low: float
    high: float


_Finding = TypedDict("_Finding", {"class": str})


class Finding(_Finding):
    """A variant or repeat: what it is, by what method it was found, and what it means.

    `tempo`: the course that carriers of a known variant were seen to have, with its source.
    """

    gene: str
    what: str
    zygosity: str
    inheritance: str
    method: str
    meaning: str
    tempo: NotRequired[str]


class GeneticResult(TypedDict):
    """The genetic result: `status` (positive, uncertain, negative, incomplete) and its headline,
    findings, alleles of risk, genes not assayed or in part, and advice.
    """

    status: str
    headline: str
    findings: list[Finding]
    risk: list[Finding]
    not_assayed: list[str]
    partly: list[str]
    advice: list[str]


class MarkerCard(TypedDict):
    """A dated analyte: `values` as (day, value) in its unit, what is normal and by which source,
    where the last value lies, and cut-offs that are no limits of normal.
    """

    id: str
    values: list[tuple[int, float | None]]
    name: str
    unit: str
    log: bool
    mechanism: str
    direction: str
    low: float | None
    high: float | None
    source: str
    state: str
    worse: bool
    cutoffs: list[tuple[str, float | None]]
    note: str


class MechanismCard(TypedDict):
    """What points to a mechanism, what was looked at and says nothing, what was not looked at."""

    id: str
    name: str
    meaning: str
    genetic: list[str]
    clear: list[str]
    unknown: list[str] | None
    biomarkers: list[str]
    normal: list[str]
    unmeasured: int


class RuleLine(TypedDict):
    """What a rule of the care protocol says of the patient, the values behind it, and what is
    missing or old.
    """

    rule: str
    level: str
    status: str
    because: list[str]
    missing: list[str]
    old: list[str]
    expired: str | None


class PageDates(TypedDict):
    """When the report was written, up to when there are data, from where the scores look.

    `old` is the age of the data in days where that is more than the rules allow.
    """

    report: str
    data_day: int
    data: str | None
    old: int | None
    landmark_day: int | None
    landmark: str | None
    index: str | None


class Page(TypedDict, total=False):
    """The page of one patient.

    `state` is what the patient has and takes, `events` what happened as (day, words, date), `today`
    the day of the data; `alsfrs` has totals as (day, total), `slope` points lost a month, `stages`
    King's and MiToS; `variants` gene, name, class, zygosity and criteria.
    """

    sample_id: str
    site: str | None
    diagnosis: str | None
    sex: str | None
    ancestry: str | None
    onset_site: str | None
    el_escorial: str | None
    family_history: str | None
    age_at_onset: float | None
    onset_days: float | None
    diagnostic_delay_months: float | None
    consent: bool
    prognosis: bool
    closed: bool
    ill: bool
    state: list[str]
    events: list[tuple[int, str, str | None]]
    today: float
    age: float | None
    alsfrs: list[tuple[int, int]]
    slope: float | None
    stages: list[float | None] | None
    scores: list[Score]
    next: list[ScoreTest]
    dates: PageDates
    genetics: GeneticResult | None
    variants: list[tuple[str, str, str, str, str]] | None
    benign: int | None
    cause: str
    biomarkers: list[MarkerCard]
    undated: int
    lowered: bool | None
    mechanisms: list[MechanismCard]
    protocol: list[RuleLine]
    needs: list[str]
