"""A model behind HTTP: the announced schema, what MLflow runs, the server and its guard."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "server": ["serving"],
        "schema": ["ServedPatient"],
    },
)
