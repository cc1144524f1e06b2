"""YAML as configurations and cohort files hold it, within bounds: safe types only, no more levels
and characters than a person writes, no alias inside of what has a name of its own (which doubles at
each level).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from features import bounds

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


# Keys on the way to a key or a value -> whether it is a word of the user's, to be left as written.
AsWords = Callable[[tuple[str, ...]], bool]


def read_yaml(text: str, as_words: AsWords = lambda _: False) -> Any:
    """The content of a YAML text.

    Parameters
    ----------
    text : str
        Of a file, or of a value on the command line.
    as_words : callable
        Where `yes`, `no`, `on`, `1` and dates are words, and not what YAML takes them for.

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
    >>> read_yaml("a: {yes: no}", lambda path: path[:1] == ("a",))
    {'a': {'yes': 'no'}}
    >>> read_yaml("[" * 40)
    Traceback (most recent call last):
    yaml.error.YAMLError: it is nested deeper than 32 levels
    """
    if len(text) > bounds.CONFIG_BYTES:
        raise yaml.YAMLError(f"it is longer than {bounds.CONFIG_BYTES:,} characters")
    _check(text)
    try:
        return _constructed(text, as_words)
    except ValueError as error:  # a date that is none, a number of thousands of digits
        raise yaml.YAMLError(str(error)) from None


def _constructed(text: str, as_words: AsWords) -> Any:
    loader = _LOADER(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _keep_words(node, (), as_words)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_twice(node: yaml.MappingNode) -> None:
    """A key that stands there twice: YAML would take the last one without a word."""
    seen: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode) and key.value in seen:
            first = seen[key.value]
            raise yaml.YAMLError(f"line {line}: the key {key.value} stands in line {first} too")
        seen[str(key.value)] = line


_TEXT = "tag:yaml.org,2002:str"
_TAKEN = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "timestamp"))


def _keep_words(node: yaml.Node, path: tuple[str, ...], as_words: AsWords) -> None:
    """Make texts of the scalars that are words."""
    if isinstance(node, yaml.ScalarNode):
        if node.tag in _TAKEN and as_words(path):
            node.tag = _TEXT
    elif isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _keep_words(part, path, as_words)
    elif isinstance(node, yaml.MappingNode):
        _refuse_twice(node)
        for key, value in node.value:
            _keep_words(key, path, as_words)
            _keep_words(value, (*path, str(key.value)), as_words)


def text_of(path: Path) -> str:
    """The text of a YAML file.

    Parameters
    ----------
    path : Path
        In UTF-8, with or without a mark at its beginning.

    Returns
    -------
    str
        All of it.

    Raises
    ------
    yaml.YAMLError
        If it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise yaml.YAMLError("its text is not UTF-8; save it as UTF-8") from None


def line_of(text: str, location: Sequence[object]) -> int | None:
    r"""The line of a key, from 1.

    Parameters
    ----------
    text : str
        YAML that was read.
    location : sequence
        Keys and positions that lead there; what comes after the last one that is there is left out.

    Returns
    -------
    int or None
        None where nothing of it is there.

    Examples
    --------
    >>> line_of("a: 1\nb:\n  c: [1, 2]\n", ["b", "c", 1]), line_of("a: 1", ["x"])
    (3, None)
    """
    node, line = yaml.compose(text, Loader=_LOADER), None
    for name in location:
        found = _below(node, name)
        if found is None:
            break
        line, node = found
    return line


def _below(node: yaml.Node | None, name: object) -> tuple[int, yaml.Node] | None:
    """Line and content of a key of a mapping, or of a position of a list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if str(key.value) == str(name):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(name, int) and name < len(node.value):
        part = node.value[name]
        return part.start_mark.line + 1, part
    return None


def yaml_fault(error: Exception, text: str = "") -> tuple[str, str]:
    r"""What is wrong with a text that is not YAML, with its line, and what to do.

    Parameters
    ----------
    error : Exception
        Of `read_yaml`, or of reading the file.
    text : str
        That was read.

    Returns
    -------
    reason, remedy : str
        For a message.

    Examples
    --------
    >>> try:
    ...     read_yaml("a: 1\nb: c: d\n")
    ... except yaml.YAMLError as error:
    ...     print(yaml_fault(error)[0])
    this is not YAML (line 2: mapping values are not allowed in this context)
    """
    mark = getattr(error, "problem_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = mark.line + 1 if mark else None
    at = f"line {line}: " if line else ""
    remedy = "Correct the file."
    if line and "\t" in "".join(text.splitlines()[line - 1 : line]):
        remedy = f"Line {line} has a tab: indent with blanks."
    elif "mapping values are not allowed" in reason:
        remedy = "Quote a text with a colon; the keys of one part begin in one column."
    return f"this is not YAML ({at}{reason})", remedy


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
