"""Fetch the reference genome, ClinVar and gnomAD, cut to the gene panel.

They are what `reference:` of a cohort file names.

Addresses stand in configs/references/sources.yaml. A download is continued where it broke off if
the server still has the same version of the file, and compared with its checksum. Coordinates are
1-based inclusive and stay those of the whole genome: in the FASTA the bases outside the panel
become N. What is finished is not fetched again: delete a file to renew it. Not checked: a source
for which the sources file states no checksum.

`fetch` runs it all; `sources` says what to fetch, `regions` which part is kept, `checksums` what a
file must hash to; `download` fetches whole files, `remote` parts of indexed ones; `folder` tells
ours from those put there by hand; `cut` cuts.
"""

from als_ml.references.fetch import cohort_block, fetch_references

__all__ = ["cohort_block", "fetch_references"]
