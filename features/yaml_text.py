"""YAML as configurations and cohort files hold it, within bounds: safe types only, no more levels
and characters than a person writes, no alias inside of what has a name of its own (which doubles at
each level).
"""

from typing import Any

import yaml

from features import bounds

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """The content of a YAML text.

    Parameters
    ----------
    text : str
        Of a file, or of a value on the command line.

    Returns
    -------
    object
        Lists, mappings, texts, numbers, dates, truth values, None.

    Raises
    ------
    yaml.YAMLError
        If it is broken, or beyond the bounds.

    Examples
    --------
    >>> read_yaml("a: [1, x]")
    {'a': [1, 'x']}
    >>> read_yaml("[" * 40)
    Traceback (most recent call last):
    yaml.error.YAMLError: it is nested deeper than 32 levels
    """
    if len(text) > bounds.CONFIG_BYTES:
        raise yaml.YAMLError(f"it is longer than {bounds.CONFIG_BYTES:,} characters")
    _check(text)
    try:
        return yaml.load(text, Loader=_LOADER)  # noqa: S506  a safe loader
    except ValueError as error:  # a date that is none, a number of thousands of digits
        raise yaml.YAMLError(str(error)) from None


def _check(text: str) -> None:
    """Depth, aliases and texts, event by event: nothing is built yet."""
    named: list[bool] = []  # of the open collections, whether an alias may stand for them
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            named.append(event.anchor is not None or bool(named and named[-1]))
        elif isinstance(event, yaml.CollectionEndEvent):
            named.pop()
        elif isinstance(event, yaml.AliasEvent) and named and named[-1]:
            raise yaml.YAMLError("an alias stands inside of what another alias stands for")
        elif isinstance(event, yaml.ScalarEvent) and "\0" in event.value:
            raise yaml.YAMLError("a text holds the character NUL")
        if len(named) > bounds.CONFIG_DEPTH:
            raise yaml.YAMLError(f"it is nested deeper than {bounds.CONFIG_DEPTH} levels")
