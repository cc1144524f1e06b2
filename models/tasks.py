"""The three questions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """A question with a positive and a negative answer, or about a time until the positive one.

    `learns_missingness` says whether an estimator may learn from what was not measured. For the
    familial question it may not: centres test familial cases first, so who was tested gives the
    label away (contract, section Labels).
    """

    name: str
    positive: str
    negative: str
    learns_missingness: bool

    @property
    def model_name(self) -> str:
        """Registered name."""
        return f"als-{self.name}"


FAMILIAL = Task(name="familial", positive="familial", negative="sporadic", learns_missingness=False)
PROGRESSION = Task(name="progression", positive="fast", negative="slow", learns_missingness=True)
# Its `probability` is that of the event within 365 days after the landmark.
SURVIVAL = Task(name="survival", positive="event", negative="event-free", learns_missingness=True)
TASKS = {task.name: task for task in (FAMILIAL, PROGRESSION, SURVIVAL)}
