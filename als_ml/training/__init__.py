"""From a configuration and a cohort to a validated model: data, folds, metrics, estimates, honesty checks."""
