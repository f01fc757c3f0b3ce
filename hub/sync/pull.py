"""One object, fetched from Clerk: written as it is there, or deleted where Clerk says that it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.errors import HubError, NotFound, Reject
from hub.humanize import enumerated
from hub.mirror.changes import Effect
from hub.sync.api import BackendApi
from hub.sync.lists import LISTED_TABLES, one
from hub.sync.mirroring import Mirroring
from hub.sync.repair import delete, revive

_PREFIXES = {
    "user_": "users",
    "org_": "organizations",
    "orgmem_": "organization_memberships",
    "orgdmn_": "organization_domains",
    "orginv_": "organization_invitations",
    "inv_": "invitations",
    "wle_": "waitlist_entries",
    "role_": "roles",
    "perm_": "permissions",
}
"""The beginnings of Clerk's ids."""


def pull(api: BackendApi, mirroring: Mirroring, tables: Sequence[str], id_: str) -> str:
    """Fetch one object and return in words what became of its row; raises HubError."""
    table, row = _table_of(mirroring, tables, id_)
    mirroring.claim(api)
    look = one(api, table, row or {"id": id_})
    if look is None:
        raise HubError(
            f"Clerk gives {id_} only by its organisation, which the mirror does not know: "
            f"hub sync backfill --only {table}"
        )
    try:
        if look.value is not None:
            effect = revive(mirroring, table, look)
            is_newer = effect is Effect.KEPT
            return f"{table}: {id_} is as it is in Clerk{', or newer' if is_newer else ''}"
        if row is None:
            raise NotFound(f"Clerk has no {id_}, and {table} has no such row")
        delete(mirroring, table, id_, look)
    except Reject as error:
        raise HubError(f"{table}: {id_}: {error}") from error
    return f"{table}: {id_} is gone in Clerk: deleted"


def _table_of(mirroring: Mirroring, tables: Sequence[str], id_: str) -> tuple[str, dict[str, Any] | None]:
    """Return the table of an id and its row there, if it has one; by the beginning of the id where not."""
    for table in tables:
        rows = mirroring.call(mirroring.mirror.find, table, [id_])
        if id_ in rows:
            return table, rows[id_]
    table = _PREFIXES.get(id_[: id_.find("_") + 1], "")
    if table in tables:
        return table, None
    if table in LISTED_TABLES:
        raise HubError(f"{table} is not mirrored into {mirroring.name}")
    raise NotFound(
        f'no row of {enumerated(list(tables))} has the id "{id_[:60]}", nor does it begin as theirs do'
    )
