"""Run the benchmarks, one after the other; each is imported when it runs, so that what one of them
needs is asked of nobody else.
"""

import sys
from collections.abc import Sequence
from importlib import import_module

# The name on the command line, the module and its function.
ALL = {
    "batch": "batch:main",
    "casi": "real:casi",
    "censoring": "censoring:main",
    "clock": "clock:main",
    "conformance": "conformance:main",
    "course": "course:main",
    "coverage": "coverage:main",
    "drift": "drift:main",
    "endpoint": "endpoint:main",
    "faults": "faults:main",
    "fuzz": "fuzz:main",
    "privacy": "privacy:main",
    "real": "real:main",
    "scale": "scale:main",
    "scale-model": "scale_model:main",
    "scale-rivals": "scale_rivals:main",
    "search": "search:main",
    "share": "share_of_possible:main",
    "style": "style:main",
    "tables": "tables:main",
    "times": "times:main",
    "two-years": "two_years:main",
    "variants": "variants:main",
    "worst": "worst:main",
    "missense": "missense:main",
    "names": "names:main",
    "models": "mutated_models:main",
    "pathogenicity": "pathogenicity:main",
    "population": "population:main",
    "priors": "priors:main",
}
# They want arguments, so they run by their name only.
BY_NAME = {"mutate": "mutate:main", "same": "same:main"}


def main(arguments: Sequence[str]) -> None:
    """Run the benchmark that is named first with the arguments behind it, or all of them."""
    known = ALL | BY_NAME
    for name in arguments[:1] or ALL:
        if name not in known:
            sys.exit(f"python -m benchmarks: {name!r} is not one of {', '.join(sorted(known))}")
        print(f"== {name}", flush=True)
        module, function = known[name].split(":")
        getattr(import_module(f"benchmarks.{module}"), function)(arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
