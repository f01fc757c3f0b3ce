"""Pages as bytes: the one place at which what strangers wrote is made visible."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, make_response, render_template

from hub.strings import visible

PRETTY_LIMIT = 256 * 1024
"""The most characters that are shown of a payload or a message."""


def render_page(template: str, status_code: int = 200, /, **values: Any) -> Response:
    """Return a page in UTF-8. What is not seen and could forge what is stands there as `\\u202e`."""
    return make_response(visible(render_template(template, **values)).encode(), status_code)


def pretty(value: Any) -> str:
    """Return a JSON value on lines of its own, cut where it is very long: indented, a dense one grows."""
    parts, size = [], 0
    for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        size += len(part)
        if size > PRETTY_LIMIT:
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
