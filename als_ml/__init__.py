"""The application: from configuration and cohorts to tracked, served models."""

__version__ = "0.1.0"

__all__ = ["__version__"]
