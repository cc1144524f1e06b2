"""What MLflow keeps of a run: parameters, metrics, documents and the model; never a row of a patient."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "documents": ["write_documents"],
        "pictures": ["draw_run"],
        "run_folder": ["read_run", "write_run"],
    },
)
