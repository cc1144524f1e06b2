"""The estimators by name, and the pipelines that they are fitted in.

A new one is a file here with an `ESTIMATOR` and a line in `registry.OURS`, or an entry point of
another package.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "pipeline": ["as_certain", "donor_filled", "fit", "make_pipeline", "single_threaded"],
        "registry": ["Estimator", "estimator", "names", "names_of_times", "plugin_of"],
    },
)
