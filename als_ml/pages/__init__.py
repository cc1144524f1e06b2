"""The pages that people read: cohort, patient, care protocol, phenopackets."""
