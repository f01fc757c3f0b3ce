"""Pages as bytes: the one place at which what strangers wrote is made visible."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, make_response, render_template
from markupsafe import Markup, escape

from hub.strings import visible

_IN_BACKTICKS = re.compile("`([^`]+)`")

PART_BYTES = 24_000
"""The most bytes of one text on a page: no page takes more than 100 KB."""


def beginning_of(text: str) -> str:
    """Return the beginning of a text that a page has room for, with a line that says so; else the text."""
    beginning = text[:PART_BYTES]
    while len(visible(escape(beginning)).encode()) > PART_BYTES:
        beginning = beginning[: len(beginning) * 3 // 4]
    return text if beginning == text else f"{beginning}\n… cut here; the API has all of it"


def code_words(text: str) -> Markup:
    """Return a text with what stands in backticks as code; all else of it is escaped."""
    return Markup(_IN_BACKTICKS.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def render_page(template: str, status_code: int = 200, /, **values: Any) -> Response:
    """Return a page in UTF-8. What is not seen and could forge what is stands there as `\\u202e`."""
    return make_response(visible(render_template(template, **values)).encode(), status_code)
