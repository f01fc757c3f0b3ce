"""Roles of organizations, and the permissions that they give."""

from __future__ import annotations

from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Data, Facts, Occurrence
from hub.catalog.words import role_name


def role(occurrence: Occurrence) -> Facts:
    """Return the facts of a `role.` event."""
    return _facts("role", occurrence)


def permission(occurrence: Occurrence) -> Facts:
    """Return the facts of a `permission.` event."""
    return _facts("permission", occurrence)


def _facts(kind: str, occurrence: Occurrence) -> Facts:
    data, object_id = occurrence.data, reading.text(occurrence.data, "id")
    is_deleted = occurrence.verb == "deleted"
    if is_deleted:
        data = occurrence.before(kind, object_id)
    name = _name(data)
    return Facts(
        texts={
            kind: name,
            "description": "" if is_deleted else reading.text(data, "description"),
            "permissions": _count(data),
        },
        case="known" if is_deleted and name else "",
        ids={} if is_deleted else {kind: object_id},
        details=(object_id,) if is_deleted else (),
    )


def _name(data: Data) -> str:
    return reading.text(data, "name") or role_name(reading.text(data, "key"))


def _count(role: Data) -> str:
    is_list = isinstance(reading.value(role, "permissions"), list)
    return str(len(reading.items(role, "permissions"))) if is_list else ""
