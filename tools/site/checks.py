"""What a built site must hold: every link and anchor leads somewhere, nothing is fetched from
elsewhere, and no page names a machine.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser fetches by itself, as opposed to what a reader may follow.
_FETCHED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("use", "href"),
}
_FETCHED_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "manifest"}
# In pieces, because this file is tracked too.
_REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "ana" + "conda.org", "npm" + "js.org")
_HERE = re.compile(
    "|".join(map(re.escape, _REGISTRIES)) + r"|(?<![\w.~})-])/(?:work|root|tmp|home|Users)/[\w.]",
    re.IGNORECASE,
)
# Style sheets fetch, too; a picture inside one is a `data:` address.
_CSS_FETCH = re.compile(r"@import|url\(\s*['\"]?(?:https?:)?//", re.IGNORECASE)
_TEXTS = {".html", ".css", ".json", ".js", ".svg", ".xml", ".inv"}


class _Page(HTMLParser):
    """The addresses of a page: those it has, and those it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag has and names."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "link" and _FETCHED_LINKS & set(given.get("rel", "").split()):
            self.fetched.append(given.get("href", ""))
        for name in ("href", "src"):
            if (tag, name) in _FETCHED and name in given:
                self.fetched.append(given[name])
            elif tag == "a" and name in given:
                self.links.append(given[name])


def wrong(site: Path) -> list[str]:
    """What does not hold of a built site.

    Parameters
    ----------
    site : Path
        Its folder.

    Returns
    -------
    list of str
        A line each; empty where all is well.
    """
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [line for path in pages for line in _of_page(path, pages, site)]
    return found + [line for path in sorted(site.rglob("*")) for line in _of_file(path, site)]


def _of_page(path: Path, pages: dict[Path, _Page], site: Path) -> Iterator[str]:
    name = path.relative_to(site)
    for address in pages[path].fetched:
        if urlsplit(address).netloc:
            yield f"{name}: fetches {address}"
    for address in [*pages[path].links, *pages[path].fetched]:
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or name.name == "404.html":
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_file():
            yield f"{name}: no file {address}"
        elif parts.fragment and unquote(parts.fragment) not in _ids(target, pages):
            yield f"{name}: no anchor {address}"


def _ids(target: Path, pages: dict[Path, _Page]) -> set[str]:
    # The top of a page needs no name.
    return pages[target].ids | {"__top"} if target in pages else set()


def _of_file(path: Path, site: Path) -> Iterator[str]:
    if path.suffix not in _TEXTS or not path.is_file():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    for found in _HERE.finditer(text):
        around = " ".join(text[max(0, found.start() - 40) : found.end() + 40].split())
        yield f"{path.relative_to(site)}: names a machine or registry: {around}"
    if path.suffix == ".css" and _CSS_FETCH.search(text):
        yield f"{path.relative_to(site)}: a style sheet fetches"
