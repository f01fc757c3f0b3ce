"""Payloads of events as lists read them: large ones only where they have secrets to mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, or_, select

from hub import catalog
from hub.store.session import Session
from hub.store.tables import events

LISTED_PAYLOAD_BYTES = 16 * 1024
"""A list says whom an event is about for payloads up to this size; one event alone has all of its own."""

WHOLE_PAYLOAD_BYTES = 2**31 - 1
"""More bytes than any payload has."""


def payloads_of(session: Session, rows: Sequence[Any], largest: int) -> dict[str, bytes]:
    """Return the payloads of the events of some deliveries, by event.

    Those with more bytes than `largest` are left out, but for types that may have one-time secrets.
    """
    ids = {row.event_id for row in rows}
    with_secrets = {row.event_id for row in rows if catalog.has_secrets(row.event_type)}
    is_read = or_(func.length(events.c.payload) <= largest, events.c.id.in_(with_secrets))
    payloads = select(events.c.id, events.c.payload).where(events.c.id.in_(ids), is_read)
    return dict(session.connection.execute(payloads).all()) if ids else {}


def is_listed(type_: str, payload_bytes: int) -> bool:
    """Return True where a list reads a payload: it has the words for its event, or what to mask."""
    return payload_bytes <= LISTED_PAYLOAD_BYTES or catalog.hides(type_)
