"""Plain text of HTML, for the part of a mail that shows where HTML does not."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_UNSEEN = frozenset({"head", "script", "style", "template", "title"})
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre"),
        *("section", "table", "tr", "ul"),
    }
)

_VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "wbr"})
_NOT_SHOWN = re.compile(r"\bdisplay\s*:\s*none\b", re.IGNORECASE)
_LINES = frozenset({"br", "dd", "dt", "li", "tr"})
"""Blocks with no empty line behind them."""


def plain_text(html: str) -> str:
    """Return the words of an HTML document, a line per block, links followed by their targets."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0
        self._hidden: list[str] = []
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if self._hidden or _NOT_SHOWN.search(values.get("style") or ""):
            if tag not in _VOID:
                self._hidden.append(tag)
        elif tag in _UNSEEN:
            self._unseen += 1
        elif tag in _BLOCKS:
            self.pieces.append("\n- " if tag == "li" else "\n")
        elif tag in ("td", "th"):
            self.pieces.append(" ")
        elif tag == "img" and not self._unseen:
            self.pieces.append(values.get("alt") or "")
        elif tag == "a":
            self._links.append((values.get("href") or "", len(self.pieces)))

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            # What was not closed within it ends with it.
            while tag in self._hidden and self._hidden.pop() != tag:
                pass
        elif tag in _UNSEEN:
            self._unseen = max(0, self._unseen - 1)
        elif tag in _BLOCKS - _LINES:
            self.pieces.append("\n")
        elif tag == "a" and self._links:
            target, start = self._links.pop()
            words = "".join(self.pieces[start:]).strip()
            if (
                target.startswith(("http://", "https://", "mailto:"))
                and target.removeprefix("mailto:") != words
            ):
                self.pieces.append(f" ({target})" if words else target)

    def handle_data(self, data: str) -> None:
        if not self._unseen and not self._hidden:
            self.pieces.append(data.replace("\n", " "))
