"""The parts of an HTTP request -> the command that makes it again, without its secrets."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from hub.catalog import MASK
from hub.model.parts import Part, PartKind

_OF_ONE_ATTEMPT = ("webhook-timestamp", "webhook-signature")


def curl(parts: Sequence[Part]) -> str | None:
    """Return the command, a line for each option; None where the parts are no request.

    `${NAME}` stays in it, quoted. Headers that are hidden or made for each attempt are left out.
    """
    head = next((part for part in parts if part.kind is PartKind.HEADERS and " " in part.text), None)
    if head is None:
        return None
    method, _, url = head.text.partition(" ")
    options = [f"curl --request {shlex.quote(method)} {shlex.quote(url)}", *_headers(head), *_body(parts)]
    return " \\\n  ".join(options)


def _headers(head: Part) -> Iterator[str]:
    for name, value in head.pairs:
        if value != MASK and name.lower() not in _OF_ONE_ATTEMPT:
            yield f"--header {shlex.quote(f'{name}: {value}')}"


def _body(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if part.kind is PartKind.FIELDS:
            yield from (f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in part.pairs)
        elif part.kind in (PartKind.JSON, PartKind.TEXT):
            yield f"--data-raw {shlex.quote(part.text)}"
