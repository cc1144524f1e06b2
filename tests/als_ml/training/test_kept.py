"""What a model keeps does not grow with the patients that it was trained on."""

import pytest

from als_ml.simulate import simulate
from benchmarks.privacy import lengths, trained, unequal


@pytest.mark.slow
@pytest.mark.parametrize("task", ["familial", "progression"])
def test_arrays_from_400_and_800_patients_are_of_one_length(task, tmp_path):
    """But trees, cells of at most ten a feature, and public frequencies."""
    models = []
    for patients in (400, 800):
        simulate(tmp_path / str(patients), patients, seed=patients)
        models.append(trained(task, tmp_path / str(patients) / "cohort.yaml").predictor)
    assert unequal(*models) == {}


def test_lengths_are_those_of_every_array():
    document = {"a": [1, 2, 3], "b": {"c": [[1], [1, 2]]}, "d": "text", "e": 1.5, "f": None}
    assert lengths(document) == {".a": 3, ".b.c": 2, ".b.c[]": 2, ".d": 4}
