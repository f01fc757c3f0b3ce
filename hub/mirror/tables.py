"""The tables of a mirror, made of the catalog's schemas: one for each kind of object that events carry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from hub.catalog import EventType, event_types, find_event_type


class Kind(StrEnum):
    """The kind of a column's values, from which each database has its type."""

    ID = "id"
    TEXT = "text"
    JSON = "json"
    TIME = "time"
    INTEGER = "integer"
    BOOLEAN = "boolean"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    `path` is below the object's data, empty for those of the mirror's own. `moves` without an edit of the
    object, so that it is never compared. Where `in_api` is False only events carry it.
    """

    name: str
    kind: Kind
    path: tuple[str, ...] = ()
    moves: bool = False
    in_api: bool = True


@dataclass(frozen=True, kw_only=True)
class Parent:
    """An object whose deletion deletes the rows that name it in `column`."""

    table: str
    column: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table. `sets` are those whose rows are written with, and under the lock of, a row of this one.

    `items` is the list in that row's object which has the rows of a set.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)
    parents: tuple[Parent, ...] = ()
    sets: tuple[str, ...] = ()
    items: str = ""


OWN_COLUMNS = (
    Column(name="raw", kind=Kind.JSON),
    Column(name="deleted_at", kind=Kind.TIME),
    Column(name="_updated_at", kind=Kind.INTEGER),
    Column(name="_seen_at", kind=Kind.INTEGER),
    Column(name="_event_id", kind=Kind.ID),
    Column(name="_synced_at", kind=Kind.TIME),
)
"""The mirror's own at the end of every table that has versions; those of a set have `raw` alone."""

_TABLES = {
    "user": "users",
    "organization": "organizations",
    "organizationDomain": "organization_domains",
    "organizationMembership": "organization_memberships",
    "organizationInvitation": "organization_invitations",
    "invitation": "invitations",
    "waitlistEntry": "waitlist_entries",
    "role": "roles",
    "permission": "permissions",
    "session": "sessions",
    "subscription": "subscriptions",
    "subscriptionItem": "subscription_items",
    "paymentAttempt": "payment_attempts",
}
UNLISTED = frozenset(("sessions", "subscriptions", "subscription_items", "payment_attempts"))
"""Tables of what Clerk's API has no list of, or another shape: events alone fill them."""

_SETS = {
    "users": {
        "user_emails": ("EmailAddress", "email_addresses"),
        "user_phones": ("PhoneNumber", "phone_numbers"),
    }
}
"""The schema of a set's rows, and the list that they stand in."""

_PARENTS = {
    "organization_domains": {"organizations": "organization_id"},
    "organization_memberships": {"organizations": "organization_id", "users": "user_id"},
    "organization_invitations": {"organizations": "organization_id"},
    "sessions": {"users": "user_id"},
}
_PAYER = {"payer_user_id": "payer.user_id", "payer_organization_id": "payer.organization_id"}
_LIFTED: Mapping[str, Mapping[str, str]] = {
    "organization_memberships": {"organization_id": "organization.id", "user_id": "public_user_data.user_id"},
    "waitlist_entries": {"invitation_id": "invitation.id"},
    "subscriptions": _PAYER,
    "subscription_items": {
        **_PAYER,
        "plan_slug": "plan.slug",
        "plan_amount": "plan.amount",
        "plan_currency": "plan.currency",
    },
    "payment_attempts": {
        **_PAYER,
        "amount": "totals.grand_total.amount",
        "currency": "totals.grand_total.currency",
    },
    "user_emails": {"verification_status": "verification.status"},
    "user_phones": {"verification_status": "verification.status"},
}
"""Columns of what stands deeper, to join by or to sum up."""

_AS_JSON = {"public_metadata", "permissions"}
_TIMES = {"period_start", "period_end", "billing_date"}
"""Times in milliseconds whose names do not end in `_at`."""

_FOREIGN_IDS = {"external_id", "gateway_external_id"}
"""Ids that others make: any text."""

_MOVING = {
    "users": {
        "last_active_at",
        "last_sign_in_at",
        "lockout_expires_in_seconds",
        "verification_attempts_remaining",
        "locked",
    },
    "organizations": {
        "members_count",
        "pending_invitations_count",
        "missing_member_with_elevated_permissions",
        "last_active_at",
    },
    "organization_domains": {"total_pending_invitations", "total_pending_suggestions"},
}
_EVENTS_ALONE = {"organization_invitations": {"user_id"}}


@cache
def tables() -> Mapping[str, Table]:
    """Return every table by its name, those of sets behind the one that they belong to."""
    made: dict[str, Table] = {}
    for group, name in _TABLES.items():
        sets = _SETS.get(name, {})
        parents = _PARENTS.get(name, {})
        made[name] = Table(
            name=name,
            columns=(*_columns(name, _schemas(group)), *OWN_COLUMNS),
            parents=tuple(Parent(table=table, column=column) for table, column in parents.items()),
            sets=tuple(sets),
        )
        made |= {member: _set_table(member, *origin) for member, origin in sets.items()}
    return made


def table_of(event_type: str) -> str | None:
    """Return the table whose rows an event type writes; None where it has none."""
    return _TABLES.get(event_type.partition(".")[0]) if event_type in event_types() else None


def event_types_of(table: str) -> tuple[str, ...]:
    """Return every type of event that writes rows of a table, sorted."""
    return tuple(event_type for event_type in event_types() if table_of(event_type) == table)


def usual_tables() -> tuple[str, ...]:
    """Return the tables of a mirror that names none: all that Clerk's API lists, without those of sets."""
    return tuple(name for name in owner_tables() if name not in UNLISTED)


def owner_tables() -> tuple[str, ...]:
    """Return every table that a mirror may name: those of sets come with theirs."""
    return tuple(_TABLES.values())


def _set_table(name: str, schema_name: str, items: str) -> Table:
    user = find_event_type("user.created")
    assert user is not None
    schema = user.schema["$defs"][schema_name]
    parent = Column(name="user_id", kind=Kind.ID)
    return Table(
        name=name,
        columns=(parent, *_columns(name, [(schema, ("backup_codes",))]), OWN_COLUMNS[0]),
        key=("user_id", "id"),
        items=items,
    )


def _schemas(group: str) -> list[tuple[Mapping[str, Any], tuple[str, ...]]]:
    """Return the different schemas of a kind of object, each with the paths of secrets in it."""
    types: dict[str, EventType] = {}
    for name in event_types():
        event_type = find_event_type(name)
        assert event_type is not None
        if event_type.group == group and event_type.schema_name != "DeletedObject":
            types.setdefault(event_type.schema_name, event_type)
    return [(one.schema, one.secret + one.sensitive) for one in types.values()]


def _columns(table: str, schemas: list[tuple[Mapping[str, Any], tuple[str, ...]]]) -> tuple[Column, ...]:
    """Return the columns of a table, the id first."""
    moving, events_alone = _MOVING.get(table, set()), _EVENTS_ALONE.get(table, set())
    kinds = dict(_scalars(schemas))
    columns = [
        Column(name=name, kind=kind, path=(name,), moves=name in moving, in_api=name not in events_alone)
        for name, kind in kinds.items()
    ]
    columns += [
        Column(name=name, kind=_kind_of_lifted(name), path=tuple(path.split(".")))
        for name, path in _LIFTED.get(table, {}).items()
    ]
    columns += [Column(name="primary_email", kind=Kind.TEXT)] if table == "users" else []
    return tuple(sorted(columns, key=lambda column: column.name != "id"))


def _scalars(schemas: list[tuple[Mapping[str, Any], tuple[str, ...]]]) -> Iterator[tuple[str, Kind]]:
    for schema, hidden in schemas:
        for name, declared in schema["properties"].items():
            kind = Kind.JSON if name in _AS_JSON else _kind(name, declared)
            if kind is not None and name != "object" and name not in hidden:
                yield name, kind


def _kind(name: str, declared: Mapping[str, Any]) -> Kind | None:
    """Return the kind of a field; None for one that is no scalar."""
    types = declared.get("type", ())
    names = {types} if isinstance(types, str) else set(types)
    match sorted(names - {"null"}):
        case ["string"]:
            is_id = name == "id" or (name.endswith("_id") and name not in _FOREIGN_IDS)
            return Kind.ID if is_id else Kind.TEXT
        case ["integer"]:
            return Kind.TIME if name.endswith("_at") or name in _TIMES else Kind.INTEGER
        case ["boolean"]:
            return Kind.BOOLEAN
        case _:
            return None


def _kind_of_lifted(name: str) -> Kind:
    if name.endswith("_id"):
        return Kind.ID
    return Kind.INTEGER if name.endswith("amount") else Kind.TEXT
