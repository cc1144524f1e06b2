"""The application: configuration, cohorts, simulation, training, evaluation, tracking, prediction
and serving.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
