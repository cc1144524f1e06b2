"""The three questions, and the two that are asked of a time until NIV or a gastrostomy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A question with a positive and a negative answer, or about a time until the positive one
    (`of_time`).

    `learns_missingness` says whether an estimator may learn from what was not measured. For the
    familial question it may not: centres test familial cases first, so who was tested gives the
    label away (contract, section Labels).
    """

    name: str
    positive: str
    negative: str
    learns_missingness: bool
    of_time: bool = False

    @property
    def model_name(self) -> str:
        """Registered name."""
        return f"als-{self.name}"

    @property
    def event_words(self) -> str:
        """What a time runs to.

        Examples
        --------
        >>> SURVIVAL.event_words, NIV.event_words
        ('the event', 'NIV')
        """
        return "the event" if self is SURVIVAL else self.positive


FAMILIAL = Task(name="familial", positive="familial", negative="sporadic", learns_missingness=False)
PROGRESSION = Task(name="progression", positive="fast", negative="slow", learns_missingness=True)
# The `probability` of a time is that of the event within 365 days after the landmark.
SURVIVAL = Task(
    name="survival",
    positive="event",
    negative="event-free",
    learns_missingness=True,
    of_time=True,
)
# Times that death ends otherwise: a configuration of the task survival asks for them by its event,
# and rows, models and pages carry their name, so that none is taken for survival.
NIV = Task(name="niv", positive="NIV", negative="no NIV", learns_missingness=True, of_time=True)
GASTROSTOMY = Task(
    name="gastrostomy",
    positive="gastrostomy",
    negative="no gastrostomy",
    learns_missingness=True,
    of_time=True,
)
TASKS = {task.name: task for task in (FAMILIAL, PROGRESSION, SURVIVAL, NIV, GASTROSTOMY)}
