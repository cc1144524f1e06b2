"""Run the benchmarks, one after the other."""

import sys

from benchmarks import (
    batch,
    conformance,
    coverage,
    drift,
    endpoint,
    mutate,
    pathogenicity,
    real,
    same,
    scale,
    search,
    share_of_possible,
    style,
    tables,
    variants,
)

ALL = {
    "batch": batch.main,
    "casi": real.casi,
    "conformance": conformance.main,
    "coverage": coverage.main,
    "drift": drift.main,
    "endpoint": endpoint.main,
    "real": real.main,
    "scale": scale.main,
    "search": search.main,
    "share": share_of_possible.main,
    "style": style.main,
    "tables": tables.main,
    "variants": variants.main,
    "pathogenicity": pathogenicity.main,
}


# They want arguments, so they run by their name only.
BY_NAME = {"mutate": mutate.main, "same": same.main}


def main() -> None:
    names = sys.argv[1:2] or list(ALL)
    for name in names:
        print(f"== {name}", flush=True)
        (ALL | BY_NAME)[name](sys.argv[2:])


if __name__ == "__main__":
    main()
