"""The two questions: estimators, pipelines, calibration, uncertainty and explanation. Definitions, never weights."""
