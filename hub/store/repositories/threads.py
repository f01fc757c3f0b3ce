"""Threads: what is known of the first message of each, and who is sending in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from hub.model.delivery import LONGEST_LEASE, Claim, State
from hub.model.event import Event
from hub.model.thread import Thread
from hub.store.session import Repository
from hub.store.tables import deliveries, is_in, threads


class Threads(Repository):
    """Threads by the hash of destination, place and key; one message at a time is sent in each."""

    def join(self, thread_id: str, claim: Claim, lease: timedelta) -> Thread | None:
        """Take a thread for a claim's message and return it; None while another claim has it.

        It has it until it `leave`s or its lease ends. A lease that ends later than any can was written by a
        clock that was ahead, and counts as run out.
        """
        now = self._session.now
        # Whoever joins at the same time waits for the row, also for one that is not there yet.
        row = {"id": thread_id, "destination": claim.destination, "used_at": now}
        self._session.upsert(threads, row, changes={"used_at": now})
        its_row = threads.c.id == thread_id
        thread = self._session.connection.execute(select(threads).where(its_row)).one()
        is_leased = thread.lease_until is not None and now < thread.lease_until <= now + LONGEST_LEASE
        if is_leased and thread.holder != _holder(claim):
            return None
        taken = update(threads).where(its_row).values(holder=_holder(claim), lease_until=now + lease)
        self._session.connection.execute(taken)
        is_overtaken = thread.newest_at is not None and _order(claim.event) < (
            thread.newest_at,
            thread.newest_event,
        )
        return Thread(id=thread_id, kept=thread.kept or {}, is_overtaken=is_overtaken)

    def leave(
        self, thread: Thread, claim: Claim, kept: Mapping[str, Any] | None, accepted: Collection[str]
    ) -> None:
        """Let go of a thread, and keep what became of the claim's message.

        `kept` is what the type keeps of the first message from now on; None leaves that. `accepted` goes to
        the delivery at once: whoever makes its next attempt knows of it though this one is never settled. A
        claim that came late changes nothing.
        """
        values: dict[str, Any] = {"holder": None, "lease_until": None}
        if kept is not None:
            values["kept"] = dict(kept) or None
            if thread.is_first:
                values["delivery_id"] = claim.id
            if not thread.is_overtaken:
                values["newest_at"], values["newest_event"] = _order(claim.event)
        its_row = update(threads).where(threads.c.id == thread.id, threads.c.holder == _holder(claim))
        self._session.connection.execute(its_row.values(values))
        if accepted:
            is_claimed = (
                deliveries.c.id == claim.id,
                deliveries.c.token == claim.token,
                is_in(State.SENDING),
            )
            its_delivery = update(deliveries).where(*is_claimed)
            self._session.connection.execute(its_delivery.values(accepted=list(accepted)))


def _holder(claim: Claim) -> str:
    """Return the name of an attempt: deliveries that are claimed together have one token."""
    return f"{claim.id} {claim.token}"


def _order(event: Event) -> tuple[datetime, str]:
    """Return what events of a thread are ordered by; a moment ahead of its receipt is not believed."""
    return min(event.timestamp, event.received_at), event.id
