"""Everything that stands on the patients' pages as a table, so that it can be compared, searched
and kept.
"""

from collections.abc import Iterator

import pandas as pd

from als_ml.pages.facts import Page


def page_table(pages: list[Page]) -> pd.DataFrame:
    """One line a fact: sample_id, where it stands on the page, and its value as text.

    Nothing is left out or rounded.

    Parameters
    ----------
    pages : list of dict
        Of `als_ml.pages.patient_pages.patient_pages`; what consent withholds is not in them.
    """
    lines = [(page["sample_id"], *fact) for page in pages for fact in _facts(page, "")]
    return pd.DataFrame(lines, columns=["sample_id", "place", "value"])


def _facts(value: object, place: str) -> Iterator[tuple[str, str | None]]:
    """Places and values below a place, in the page's order.

    An empty list stands as one empty value.

    >>> list(_facts({"scores": [{"p": 0.5}], "variants": []}, ""))
    [('scores/1/p', '0.5'), ('variants', None)]
    """
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _facts(inner, f"{place}/{name}" if place else str(name))
    elif isinstance(value, list | tuple) and value:
        for number, inner in enumerate(value, start=1):
            yield from _facts(inner, f"{place}/{number}")
    else:
        yield place, _text(value)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, dict | list | tuple):
        return None
    return repr(value) if isinstance(value, float) else str(value)
