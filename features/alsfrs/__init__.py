"""The ALSFRS and ALSFRS-R as a measurement: visits, slopes, the mixed model, stages and the ENCALS score."""
