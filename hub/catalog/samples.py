"""Sample events that look like Clerk's, with the values that somebody wants changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from copy import deepcopy
from itertools import pairwise
from typing import Any

from hub.catalog.event_types import event_types, read_sample, sample_data
from hub.catalog.masking import json_bytes
from hub.errors import HubError, NotFound
from hub.model.event import parse_json, shallow

Step = str | int

BODY_LIMIT_BYTES = 1024 * 1024

_PATH = re.compile(r"[^.\[\]]+(\[\d+\]|\.[^.\[\]]+)*")
_ENVELOPE = ("object", "type", "timestamp", "instance_id", "event_attributes", "data")


def sample(name: str) -> dict[str, Any]:
    """Return the whole body of a typical event of that type, made anew. Raises NotFound."""
    if name not in event_types():
        raise NotFound(unknown_event_type(name))
    envelope = {"object": "event", "type": name, **read_sample("Envelope")}
    return {**envelope, "data": sample_data(name)}


def sample_payload(
    name: str,
    assignments: Mapping[str, Any] | None = None,
    *,
    base: Mapping[str, Any] | None = None,
    timestamp_ms: int | None = None,
) -> bytes:
    """Return a sample as a sender would post it: JSON bytes.

    `assignments` maps paths such as `data.email_addresses[0].email_address` to values; keys that an object
    does not have are made, the index after a list's last item adds one. `base` is a body to start from
    instead of the catalog's sample. Raises NotFound for an unknown type without base, and HubError for a
    path that leads nowhere.
    """
    body = sample(name) if base is None else {"type": name, **deepcopy(dict(base))}
    if timestamp_ms is not None:
        body["timestamp"] = timestamp_ms
    for path, value in (assignments or {}).items():
        if base is None:
            check_start(body, path)
        assign(body, path, deepcopy(value))
    return json_bytes(body)


def read_body(content: bytes) -> dict[str, Any]:
    """Return an event's body from a file's bytes; raises HubError with a message to end "FILE …"."""
    if len(content) > BODY_LIMIT_BYTES:
        raise HubError("is larger than 1 MiB, the most that a sender may post")
    try:
        body = parse_json(shallow(content.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise HubError(f"is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from error
    except ValueError as error:
        raise HubError(f"is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise HubError("must hold one JSON object")
    return body


def assign(body: dict[str, Any], path: str, value: Any) -> None:
    """Set one value in a body, in place. Raises HubError where the path cannot be followed."""
    steps = _steps(path)
    node: Any = body
    walked = ""
    for step, following in pairwise(steps):
        step = _index_in(node, step)
        _check_step(node, step, walked, path)
        _make(node, step, [] if isinstance(following, int) else {})
        node = node[step]
        walked = _joined(walked, step)
    last = _index_in(node, steps[-1])
    _check_step(node, last, walked, path)
    if isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value


def unknown_event_type(name: str) -> str:
    """Return the message about an event type that the catalog does not have."""
    lowered = {known.lower(): known for known in event_types()}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    hint = f'; did you mean "{lowered[near[0]]}"?' if near else ""
    return f'the catalog has no event type "{name[:100]}"{hint} (hub events lists them all)'


def _steps(path: str) -> list[Step]:
    if not _PATH.fullmatch(path):
        raise HubError(f'"{path}" is no path; write it like data.email_addresses[0].email_address')
    steps = re.findall(r"\[(\d+)\]|([^.\[\]]+)", path)
    return [int(index) if index else key for index, key in steps]


def check_start(body: Mapping[str, Any], path: str) -> None:
    """Raise HubError where a path begins with no key of an event: a `data.` was forgotten."""
    first = _steps(path)[0]
    if first not in _ENVELOPE and first not in body:
        raise HubError(f'"{path}": an event has no "{first}"; write data.{path}')


def _index_in(node: Any, step: Step) -> Step:
    """Return a step into a list as an index: `a.0` is `a[0]`, as in templates."""
    return int(step) if isinstance(node, list) and isinstance(step, str) and step.isdigit() else step


def _check_step(node: Any, step: Step, walked: str, path: str) -> None:
    """Raise HubError, with the value and a step to write instead, where a step does not fit the value."""
    if isinstance(node, dict):
        if isinstance(step, int):
            raise HubError(f'"{path}": {walked} is an object and has no [{step}]; write {walked}.NAME')
    elif isinstance(node, list):
        if isinstance(step, str):
            raise HubError(f'"{path}": {walked} is a list of {len(node)}; write {walked}[0].{step}')
        if step > len(node):
            raise HubError(
                f'"{path}": {walked} is a list of {len(node)}; '
                f"write {walked}[{len(node)}] to add an item to it"
            )
    else:
        raise HubError(f'"{path}": {walked} is {_kind(node)} with nothing inside; set {walked} itself')


def _make(node: Any, step: Step, empty: Any) -> None:
    """Put an empty container where a path goes on and nothing is."""
    if isinstance(node, list):
        if step == len(node):
            node.append(empty)
        elif node[int(step)] is None:
            node[int(step)] = empty
    elif node.get(step) is None:
        node[step] = empty


def _joined(walked: str, step: Step) -> str:
    if isinstance(step, int):
        return f"{walked}[{step}]"
    return f"{walked}.{step}" if walked else step


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "a number"
