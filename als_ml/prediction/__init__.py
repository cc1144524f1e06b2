"""From a cohort or a request to prediction rows: the same code for a batch, an endpoint and one patient."""
