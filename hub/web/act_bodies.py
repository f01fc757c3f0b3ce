"""The JSON bodies of acts on many; those that cannot be used are refused in words."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from hub.humanize import enumerated, kind_of
from hub.operator import LARGEST, RESOLVED_AS
from hub.web.error_handlers import BadParameter
from hub.web.parameters import FILTERS

DESTINATIONS = 500
"""So many destinations at most are named by one act."""

_KINDS = {"dlv": "a delivery", "evt": "an event"}
_ID = re.compile(r"([a-z]{1,10})_[0-9a-f]{1,29}")


@dataclass(frozen=True, kw_only=True)
class ActBody:
    """An act as it is asked for, on the things of some `ids`, or else on all that `filter` finds.

    `as_` is given for `resolve` alone, `destinations` for `replay`.
    """

    act: str
    as_: str | None = None
    ids: tuple[str, ...] = ()
    filter: Mapping[str, str] | None = None
    destinations: tuple[str, ...] = ()
    is_dry_run: bool = False


def deliveries_body() -> ActBody:
    """Return the act on deliveries that the request asks for; raises BadParameter."""
    body = _body("act", "as", "ids", "filter", "dry_run")
    act = _choice(body, "act", ("retry", "cancel", "resolve"))
    if act != "resolve" and "as" in body:
        raise BadParameter(f"as goes with resolve, not with {act}")
    return ActBody(
        act=act,
        as_=_choice(body, "as", RESOLVED_AS) if act == "resolve" else None,
        ids=_ids(body, "dlv"),
        filter=_filter(body, (*FILTERS, "event")),
        is_dry_run=_flag(body, "dry_run"),
    )


def events_body() -> ActBody:
    """Return the act on events that the request asks for; raises BadParameter."""
    body = _body("act", "destinations", "ids", "filter", "dry_run")
    return ActBody(
        act=_choice(body, "act", ("replay",)),
        ids=_ids(body, "evt"),
        filter=_filter(body, FILTERS),
        destinations=_texts(body, "destinations", DESTINATIONS) if "destinations" in body else (),
        is_dry_run=_flag(body, "dry_run"),
    )


def _body(*known: str) -> dict[str, Any]:
    """Return the body, a JSON object of known keys: with a misspelt one an act would do too much."""
    try:
        body = json.loads(request.get_data(), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise BadParameter('the body is not JSON; say {"act": …, "ids": […]}') from error
    if not isinstance(body, dict):
        raise BadParameter(f"the body is {kind_of(body)}; it must be an object with act, and ids or filter")
    for name in body:
        if name not in known:
            raise BadParameter(f"there is no {_quoted(name)} here; this takes {enumerated(known)}")
    if ("ids" in body) == ("filter" in body):
        raise BadParameter("say either ids, a list of those that it is to be done to, or filter")
    return body


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) < len(pairs):
        raise BadParameter("a key of the body is there twice")
    return body


def _choice(body: Mapping[str, Any], name: str, among: Collection[str]) -> str:
    value = body.get(name)
    if not isinstance(value, str) or value not in among:
        given = f"{name} is {_shown(value)}" if name in body else f"{name} is missing"
        raise BadParameter(f"{given}; it must be {' or '.join(among)}")
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise BadParameter(f"{name} is {_shown(value)}; it must be true or false")
    return value


def _ids(body: Mapping[str, Any], prefix: str) -> tuple[str, ...]:
    """Return ids of one kind: an act on another thing than was meant would be found too late."""
    if "ids" not in body:
        return ()
    ids = _texts(body, "ids", LARGEST)
    for value in ids:
        match = _ID.fullmatch(value)
        if match is None or match[1] != prefix:
            other = f"the id of {_KINDS[match[1]]}" if match and match[1] in _KINDS else "no id"
            raise BadParameter(f"ids has {_quoted(value)}, which is {other}; it must be of {_KINDS[prefix]}")
    return ids


def _filter(body: Mapping[str, Any], known: Collection[str]) -> dict[str, str] | None:
    """Return a filter as parameters of a list; one that says nothing is refused, for it would find all."""
    if "filter" not in body:
        return None
    conditions = body["filter"]
    if not isinstance(conditions, dict) or not conditions:
        raise BadParameter(
            f"filter is {_shown(conditions)}; it must be an object with at least one condition"
        )
    values = {}
    for name, value in conditions.items():
        if name not in known:
            raise BadParameter(f"there is no {_quoted(name)} in filter; it takes {enumerated(list(known))}")
        if name == "degraded" and value is True:
            value = "true"
        if not isinstance(value, str) or not value:
            raise BadParameter(f"{name} in filter is {_shown(value)}; leave it out, or give it a value")
        values[name] = value
    return values


def _texts(body: Mapping[str, Any], name: str, most: int) -> tuple[str, ...]:
    values = body[name]
    if not isinstance(values, list) or not values:
        raise BadParameter(f"{name} is {_shown(values)}; it must be a list with at least one text")
    if len(values) > most:
        raise BadParameter(f"{name} has {len(values):,} entries; at most {most:,} go at once")
    for value in values:
        if not isinstance(value, str):
            raise BadParameter(f"{name} has {_shown(value)}; each entry must be a text")
    return tuple(values)


def _shown(value: Any) -> str:
    """Return a value for an error: a text quoted, of all else the kind alone."""
    if isinstance(value, list) and not value:
        return "an empty list"
    if isinstance(value, dict) and not value:
        return "an empty object"
    return _quoted(value) if isinstance(value, str) else kind_of(value)


def _quoted(value: str) -> str:
    return ascii(value[:60])
