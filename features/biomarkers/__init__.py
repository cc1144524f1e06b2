"""Measured values with their analyte, unit, assay, limits and what is derived from them."""
