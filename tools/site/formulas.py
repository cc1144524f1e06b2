"""Formulas as MathML, which browsers draw by themselves: no page fetches a script."""

import re

_BLOCK = re.compile(r"^```math\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"\$`([^`\n]+)`\$")


def with_formulas(text: str) -> str:
    r"""A page with its formulas drawn: blocks of `math`, and what `$` and back quotes enclose.

    Parameters
    ----------
    text : str
        Markdown; GitHub draws the same signs.

    Returns
    -------
    str
        Markdown with MathML in it.

    Examples
    --------
    >>> with_formulas("an $`x`$").replace("http://www.w3.org/1998/Math/MathML", "...")
    'an <math xmlns="..." display="inline"><mrow><mi>x</mi></mrow></math>'
    """
    # A tag at the beginning of a line would begin a block of HTML; after a joiner without width it
    # stands inside of its sentence.
    text = re.sub(r"^(?=\$`)", "&#8288;", text, flags=re.MULTILINE)
    text = _BLOCK.sub(lambda found: f'<div class="formula">{_drawn(found[1], "block")}</div>', text)
    return _INLINE.sub(lambda found: _drawn(found[1], "inline"), text)


def _drawn(formula: str, display: str) -> str:
    from latex2mathml.converter import convert

    return str(convert(" ".join(formula.split()), display=display))
