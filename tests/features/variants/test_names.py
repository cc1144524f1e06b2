"""Consequences beside `bcftools csq` on a made-up genome that holds our sequences.

`python -m benchmarks names` compares more of them, and names with the Python package `hgvs`.
"""

import random

from benchmarks import names

# Each is explained in docs/variants.md: ours is the term of the name.
EXPLAINED = {
    "agree",
    "bcftools frameshift_variant, ours stop_gained",
    "bcftools frameshift_variant, ours stop_lost",
    "bcftools start_lost, ours frameshift_variant",
    "bcftools stop_gained, ours inframe_deletion",
}


def test_consequences_agree_with_bcftools(tmp_path):
    rng = random.Random(3)  # noqa: S311
    made = names.cases(rng, substitutions=30, indels=10)
    found = names.compare_csq(made, tmp_path, rng)
    assert len(made) == 14 * 40
    assert set(found) <= EXPLAINED
    assert found["agree"] > 0.98 * len(made)
