"""How much is read of anything that comes from outside: requests, tables, genomes, configurations.

One place, so that a reader that comes later obeys the same bounds. All are proposals (P), far above
what a clinic has; the comment beside each says what that is.
"""

# A request to the endpoint (`als_ml.serving`): a record of 50 biomarkers has 5 kB and 500 elements.
REQUEST_MEGABYTES = 32.0
REQUEST_PATIENTS = 10_000
REQUEST_ELEMENTS = 1_000_000
REQUEST_DEPTH = 16
# Seconds for the headers of a request, for its whole body, and between two requests.
HEADER_SECONDS, BODY_SECONDS, IDLE_SECONDS = 10.0, 30.0, 5
# Seconds for the answer, as MLflow's own server has them.
ANSWER_SECONDS = 60.0
# Requests of a server process that are read or answered at one time; more are told to come back.
REQUESTS_AT_ONCE = 32
CONNECTIONS = 256
# Bodies of this many bytes are answered one after the other, and all bodies that a process holds at
# one time are no more than so many of the largest: memory follows from both.
LARGE_BODY, BODIES_AT_ONCE = 100_000, 2
# A body of so many bytes is scored at once: a patient takes some ms, and the worst that fits (450
# patients of nothing but an id, asked of a model of survival) 0.1 s.
SMALL_BODY = 8_192

# An archive that holds more than this (bytes) and this many times its size is taken for a bomb:
# tables shrink 5 to 50 times.
MOST_UNPACKED, MOST_RATIO = 1 << 28, 300
# Bytes of the first line of a table, and its columns: our widest table of features has 600.
LONGEST_HEADER, MOST_COLUMNS = 1 << 22, 20_000
# Columns of a table that `als-ml init` looks at: a clinic's has hundreds, and each takes 3 ms.
PROPOSED_COLUMNS = 2_000
# Cells of a sheet by the extent that it states or that its cells have.
MOST_CELLS = 50_000_000
# Lines of the header of a VCF: a file of a large cohort has 4,000.
MOST_HEADER_LINES = 100_000
# What one record of a genome may print (bytes; a million samples take 20 MB), what its alleles and
# annotations may have (100 transcripts take 50 kB), and what all records of the panel may take in
# memory (so many a record beside its text; gnomAD's genomes take 2 GB).
RECORD_BYTES, ANNOTATION_BYTES = 1 << 26, 1 << 22
PANEL_BYTES, EACH_RECORD = 1 << 32, 500
# Memory of a process that reads a genome (bytes; Linux): a record of 100,000 samples takes some MB.
GENOME_MEMORY = 1 << 30
# Seconds in which bcftools reads a genome without an index: 240 GB of text take as long. One with
# an index is read by its blocks in the panel, however large it is.
GENOME_SECONDS = 7200.0
# Records of a genome that lie beyond position 2^31 (none does); more are not listed but refused.
FAR_RECORDS = 100_000
# Bytes and depth of a configuration or a cohort file: ours have 5 kB and 4 levels.
CONFIG_BYTES, CONFIG_DEPTH = 1 << 20, 32
# Seeds are whole numbers from 0 to this one: numpy and scikit-learn take twice as many, and repeats
# of a validation count on from it.
MOST_SEED = 2**31 - 1
