"""Objects in Clerk's lists of whose last change no event came: deliveries of webhooks that were lost."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from hub.errors import ClerkError
from hub.mirror.reading import milliseconds
from hub.mirror.tables import event_types_of
from hub.model.config import SourceConfig
from hub.model.event import object_key
from hub.model.mirror import GapsSummary
from hub.model.routing import event_matches
from hub.store.store import Store
from hub.sync.api import BackendApi
from hub.sync.lists import Look, absent, lists_of, pages
from hub.sync.paging import LIMIT
from hub.sync.ranges import ranges

COMPLETE_AFTER = timedelta(hours=28)
"""Svix tries for 27.6 h: what was changed since may still come."""

_EARLY = timedelta(minutes=10)
"""An event is stored after its change, but by another clock."""

TABLES = (
    "users",
    "organizations",
    "organization_memberships",
    "organization_invitations",
    "invitations",
    "waitlist_entries",
)


class GapKind(StrEnum):
    """A gap: no event of that object at all, none of its last change, or none yet."""

    NEVER_HEARD_OF = "never_heard_of"
    MISSED = "missed"
    MAY_STILL_COME = "may_still_come"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One object whose last change, in milliseconds, there is no event of."""

    object: str
    id: str
    updated_at: int
    kind: GapKind


@dataclass(frozen=True, kw_only=True)
class Untold:
    """A kind of object that was not looked at, and why, in words."""

    object: str
    reason: str


def find_gaps(
    api: BackendApi, store: Store, source: SourceConfig, window: timedelta
) -> Iterator[Gap | Untold]:
    """Yield the gaps within a window that ends now, kind by kind. Raises HubError."""
    for table in TABLES:
        group = lists_of(table)[0].group
        reason = _untold(store, source, table)
        if reason:
            yield Untold(object=_name(group), reason=reason)
            continue
        try:
            for part in ranges([pages(api, clerk_list) for clerk_list in lists_of(table)], LIMIT):
                yield from _gaps(api, store, source, group, part.objects.values(), window)
        except ClerkError as error:
            yield Untold(object=_name(group), reason=absent(error))


def summary_of(gaps: Collection[Gap], window: timedelta, now: datetime) -> GapsSummary:
    """Return the counts of a search."""
    kinds = [gap.kind for gap in gaps]
    return GapsSummary(
        at=now,
        window_seconds=window.total_seconds(),
        **{kind.value: kinds.count(kind) for kind in GapKind},
    )


def _untold(store: Store, source: SourceConfig, table: str) -> str:
    """Return why nothing can be said of a kind of object; empty where it can."""
    types = [name for name in event_types_of(table) if not name.endswith(".deleted")]
    ignored = [name for name in types if any(event_matches(pattern, name) for pattern in source.ignore)]
    if ignored:
        return f"the source {source.name} ignores {ignored[0]}"
    with store.read() as snapshot:
        is_known = snapshot.heard.any_of(source.name, types)
    return "" if is_known else "no event of it was ever stored: is it ticked in Clerk, under Webhooks?"


def _gaps(
    api: BackendApi,
    store: Store,
    source: SourceConfig,
    group: str,
    looks: Collection[Look],
    window: timedelta,
) -> Iterator[Gap]:
    """Yield the gaps among some objects."""
    since_ms = api.now_ms - int(window.total_seconds() * 1000)
    changed = {
        object_key(group, look.id): (look.id, at)
        for look in looks
        if (at := milliseconds((look.value or {}).get("updated_at"))) is not None and at >= since_ms
    }
    if not changed:
        return
    since = datetime.fromtimestamp(since_ms / 1000, UTC) - _EARLY
    with store.read() as snapshot:
        heard = snapshot.heard.keys(source.name, changed)
        newest: dict[str, int] = {}
        for key, payload in snapshot.heard.payloads(source.name, changed, since):
            newest[key] = max(newest.get(key, 0), _updated_at(payload))
    complete_ms = api.now_ms - int(COMPLETE_AFTER.total_seconds() * 1000)
    for key, (id_, at) in changed.items():
        if newest.get(key, -1) >= at:
            continue
        kind = GapKind.MISSED if key in heard else GapKind.NEVER_HEARD_OF
        kind = GapKind.MAY_STILL_COME if at > complete_ms else kind
        yield Gap(object=_name(group), id=id_, updated_at=at, kind=kind)


def _name(group: str) -> str:
    """Return Clerk's name of a kind of object: `organization_membership` of `organizationMembership`."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", group)


def _updated_at(payload: bytes) -> int:
    try:
        data = json.loads(payload).get("data")
    except (ValueError, RecursionError, AttributeError):
        return 0
    return (milliseconds(data.get("updated_at")) or 0) if isinstance(data, dict) else 0
