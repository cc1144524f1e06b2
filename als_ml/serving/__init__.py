"""A model behind HTTP: the announced schema, what MLflow runs, the server and its guard."""
