"""One-time secrets are blanked with the last delivery of their event, whoever settles it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import given

from hub.delivery import retry
from hub.ingest.fanout import fan_out
from hub.model.delivery import Receipt
from hub.model.routing import Send
from hub.store.store import Store, Transaction


def test_two_workers_that_settle_the_last_two_at_once_leave_no_secret(
    open_stores: Callable[..., Store],
) -> None:
    """Neither sees that the other's is delivered before it is committed."""
    here, there = open_stores(), open_stores()
    rules = given.rules(
        given.route("all", ("*",), Send(to="crm"), Send(to="erp")),
        destinations=(given.destination("crm"), given.destination("erp")),
    )
    link = "https://example.com/?ticket=abcdef"
    event_id = fan_out(given.event("invitation.created", data={"url": link}), rules, here).event_id
    mine, theirs = given.claim(here, "crm"), given.claim(here, "erp")

    def settle(transaction: Transaction, claims: Any) -> None:
        transaction.queue.lock((), claims)
        receipt = Receipt(detail="ok", answer=f"you sent {link}, and " + "x" * 455 + link)
        transaction.queue.settle([retry.after_receipt(claim, receipt, 0.1) for claim in claims])
        transaction.secrets.blank([event_id])

    def settle_theirs() -> None:
        with there.transaction() as transaction:
            settle(transaction, theirs)

    with ThreadPoolExecutor(1) as pool:
        with here.transaction() as transaction:
            settle(transaction, mine)
            other = pool.submit(settle_theirs)
            # It waits for this one, unless it believes that the event is still owed.
            futures.wait([other], 0.3)
        other.result(30)
    with here.read() as reading:
        payload = reading.event_list.record(event_id).payload
        answers = [
            reading.delivery_list.record(claim.id).attempt_list[0].answer or "" for claim in (*mine, *theirs)
        ]

    assert payload is not None
    assert b"abcdef" not in payload
    assert [answer for answer in answers if "example.com/?" in answer or not answer] == []
