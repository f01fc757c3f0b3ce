"""The parts of a message -> HTML as its reader sees it: for the status page and for files to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from hub.model.parts import Part
from hub.strings import visible

FOLDER = Path(__file__).parent
JSON_LIMIT = 256 * 1024
"""The most characters that are drawn of a JSON value: indented, a dense one grows."""

Frame = Callable[[Part], Markup]
"""Draws a part that is HTML of its own, apart from the page around it."""

_FRAME = Markup('<iframe class="msg-frame" sandbox title="The mail" srcdoc="{}"></iframe>')


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A message with a title over it; `warning` says why it is not what was asked for."""

    title: str
    parts: Sequence[Part] = ()
    warning: str = ""


def draw(parts: Iterable[Part], frame: Frame) -> Markup:
    """Return the parts as a fragment of HTML, everything in them escaped; `message.css` belongs to it."""
    drawing: Markup = _templates().get_template("message.html").module.message(parts, frame)  # type: ignore[attr-defined]
    return drawing


def page(title: str, sheets: Sequence[Sheet]) -> str:
    """Return messages as a whole HTML page, complete in itself, which loads nothing and runs no script."""
    css = (FOLDER / "static" / "message.css").read_text(encoding="utf-8")
    template = _templates().get_template("page.html")
    return visible(template.render(title=title, sheets=sheets, css=css, frame=frame_within))


def frame_within(part: Part) -> Markup:
    """Return a frame that holds its HTML itself, in a sandbox without scripts."""
    return _FRAME.format(part.text)


def pretty(value: object) -> str:
    """Return a JSON value on lines of its own, cut where it is very long."""
    parts, size = [], 0
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        size += len(part)
        if size > JSON_LIMIT:
            parts.append("\n… cut here; the API has all of it")
            break
        parts.append(part)
    return "".join(parts)


def indented_json(text: str) -> str:
    """Return JSON with a line for each value, and any other text itself."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["indented_json"] = indented_json
    return environment
