"""The body and the path of a request to an HTTP endpoint, as a send block asks for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from hub.errors import TemplateError
from hub.templating.escapes import Escape, as_json, form_value, html, plain, xml
from hub.templating.renderer import Renderer

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


def content_type_problems(content_type: str, body_fields: list[str]) -> Iterable[str]:
    """Return the problems of a content type beside the fields that make the body."""
    if not re.fullmatch(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+\s*(;[\x20-\x7e]*)?", content_type):
        yield "content_type must look like text/plain or application/json; charset=utf-8"
    elif not body_fields:
        yield "content_type needs body or template: the event itself is always JSON"
    elif body_fields == ["json"] and escape_for(content_type) is not as_json:
        yield "content_type must be a JSON type where json is given"
    elif body_fields == ["form"] and escape_for(content_type) is not form_value:
        yield f"content_type must be {FORM_TYPE} where form is given"


def escape_for(content_type: str) -> Escape:
    """Return the escape of a value that is printed into a body of a type."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == JSON_TYPE or kind.endswith("+json"):
        return as_json
    if kind == FORM_TYPE:
        return form_value
    if kind == "text/html":
        return html
    return xml if kind.endswith(("/xml", "+xml")) else plain


def rendered_body(fields: Mapping[str, Any], renderer: Renderer, content_type: str) -> str | None:
    """Return the rendered body; None where there is nothing to render."""
    if "json" in fields:
        return renderer.within(dump(renderer.structure(fields["json"], as_json, name="json")), as_json)
    escape = escape_for(content_type)
    if fields.get("body") is not None:
        name, body = "body", renderer.text(fields["body"], escape, name="body")
    elif fields.get("template") is not None:
        name = f"{fields['template']}.j2"
        body = renderer.file(name, escape)
    else:
        return None
    if escape is as_json:
        _check_json(name, body)
    return body


def dump(value: Any) -> str:
    """Return the value as JSON; raises TemplateError where there is none for it."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise TemplateError("json", None, "holds a number that JSON does not have") from error


def _check_json(name: str, body: str) -> None:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        json.loads(body, parse_constant=refuse)
    except json.JSONDecodeError as error:
        # A value prints over one line, so lines of the result are not lines of the template.
        raise TemplateError(name, None, f"is not JSON once rendered: {error.msg} at {error.pos}") from error
    except (ValueError, RecursionError) as error:
        raise TemplateError(name, None, "is not JSON once rendered") from error


def below_path(rendered: str) -> str:
    """Return the path to put below the URL.

    Raises TemplateError where a segment would lead elsewhere than it seems.
    """
    segments = rendered.removeprefix("/").split("/")
    if "" in segments:
        raise TemplateError("path", None, "has an empty segment once rendered")
    for segment in segments:
        if any(part in (".", "..") for part in re.split(r"[/\\]", unquote(segment))):
            raise TemplateError("path", None, "has a segment that is . or .. once rendered")
    return "/" + "/".join(quote(segment, safe="%:@!$&'()*+,;=~") for segment in segments)
