"""What JSON files, MLflow and rows of tables hold, as it is read.

Whoever takes a value out of it says by its own types what it should be.
"""

from typing import Any

# An object of JSON: what a model, a run, a note of a download or a served request holds.
Json = dict[str, Any]
# A row of a table: column -> cell.
Record = dict[str, Any]
