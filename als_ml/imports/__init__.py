"""Turn what others publish into an ordinary cohort folder."""
