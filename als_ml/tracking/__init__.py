"""What MLflow keeps of a run: parameters, metrics, documents and the model; never a row of a patient."""
