"""From files that nobody has described to a proposed cohort file.

It never guesses in silence: what is sure is written, what is likely is written and marked
`# CHECK`, and what was not understood is listed. Words of six languages stand in
`column_words.tsv` and `value_words.tsv`; they are proposed, never read without being written into
the cohort file.

`from_files` does it all: `sheets` finds the tables, `recognition` says what they are by `words`,
`analyte_headers` and `dialect`, `genomes` matches names, `writing` writes the files. Without files
`templates` writes empty ones.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "from_files": ["propose"],
        "templates": ["write_templates"],
        "writing": ["Proposal", "write_proposal"],
    },
)
