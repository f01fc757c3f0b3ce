"""Pages as bytes: the one place at which what strangers wrote is made visible."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, render_template

from hub.strings import visible


def render_page(template: str, status_code: int = 200, /, **values: Any) -> Response:
    """Return a page in UTF-8. What is not seen and could forge what is stands there as `\\u202e`."""
    return make_response(visible(render_template(template, **values)).encode(), status_code)
