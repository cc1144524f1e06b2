"""Which features a model sees: what is stored with it."""

from dataclasses import dataclass, field

from features.alsfrs.mixed_model import Course
from features.blocks.dictionary import EDITION
from features.blocks.registry import BLOCKS
from features.stored import Json


@dataclass(frozen=True)
class FeatureSpec:
    """Which features a model sees; stored with it.

    `columns` are further numeric columns of the patients table, `levels` further categorical ones
    with their known values; `rare_frequency` is the population frequency from which a variant is no
    longer rare, `min_gq` and `min_depth` are the least genotype quality and depth of a call.
    `summaries` says which of several biomarker values count, `assays` what becomes of assays that
    are not interchangeable, `course` is the population's part of the mixed-model slope, fitted on
    training patients. `benign_counted`: models of earlier versions counted (likely) benign variants
    and go on doing so. `edition` is that of the feature dictionary
    (`features.blocks.dictionary.EDITION`): a stored model keeps its own.
    """

    blocks: tuple[str, ...] = BLOCKS
    landmark_days: int = 90
    genome_build: str = "GRCh38"
    rare_frequency: float = 0.001
    min_gq: int = 0
    min_depth: int = 0
    summaries: tuple[str, ...] = ("last",)
    assays: str = "separate"
    course: Course | None = None
    columns: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    benign_counted: bool = False
    edition: int = EDITION

    @classmethod
    def from_json(cls, stored: Json) -> "FeatureSpec":
        """Rebuild what `dataclasses.asdict` and JSON made lists of.

        Parameters
        ----------
        stored : dict
            What a model's `model.json` holds, of this or an earlier release.

        Returns
        -------
        FeatureSpec
            With what earlier releases did where they knew no such key.
        """
        lists: Json = {
            name: tuple(stored[name])
            for name in ("blocks", "summaries", "columns")
            if name in stored
        }
        levels = {name: tuple(values) for name, values in stored["levels"].items()}
        course = Course(**stored["course"]) if stored.get("course") else None
        # What models from before the key did.
        earlier = {
            "benign_counted": stored.get("benign_counted", True),
            "edition": int(stored.get("edition", 1)),
        }
        return cls(**{**stored, **lists, **earlier, "levels": levels, "course": course})
