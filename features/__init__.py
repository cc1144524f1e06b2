"""From files to one row per patient: VCF, repeats, biomarkers, ALSFRS-R and clinical tables. Imports none of our packages."""
