"""From files that nobody has described to a proposed cohort file: what each table is, what its
columns and words mean, and which genome belongs to whom.

It never guesses in silence: what is sure is written, what is likely is written and marked
`# CHECK`, and what was not understood is listed. Words of six languages stand in
`column_words.tsv` and `value_words.tsv`; they are proposed, never read without being written into
the cohort file.

`sheets` finds the tables, `recognition` says what they are, `genomes` matches names, `writing`
writes the files.
"""
