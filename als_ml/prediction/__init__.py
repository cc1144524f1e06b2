"""From a cohort or a request to prediction rows, by one path wherever they are asked."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "job": ["Job", "score_source", "score_table"],
        "next_measurement": ["next_measurements"],
        "predictor": ["Predictor"],
        "row": ["PredictionRow"],
        "storage": ["load_predictor", "save_predictor"],
    },
)
