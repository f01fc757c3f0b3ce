"""A sample of an event to one destination, by the routes that send it there: `hub send-test --event`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hub import catalog
from hub.errors import Conflict
from hub.ingest.route import Rules, match
from hub.model.event import HUB_SOURCE, Event, new_id
from hub.model.routing import Routing
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store, Transaction


def send_sample(store: Store, rules: Rules, destination: str, event_type: str) -> Sequence[str]:
    """Owe one destination what the routes send it of the catalog's sample of a type; return their ids.

    The event is kept as one of the hub's own, so that nobody takes it for a sender's. Raises Conflict, saying
    why, where no route sends it there.
    """
    now = datetime.now(UTC)
    event = Event(
        id=new_id("evt", now),
        source=HUB_SOURCE,
        message_id=new_id("msg", now),
        type=event_type,
        payload=catalog.sample_payload(event_type, timestamp_ms=int(now.timestamp() * 1000)),
        received_at=now,
    )
    routed = RoutedEvent(event=event, routing=_to(destination, event, rules))

    def work(transaction: Transaction) -> Sequence[str]:
        transaction.events.insert([routed])
        return [delivery.id for delivery in transaction.delivery_list.records(event=event.id)]

    delivery_ids = store.write(work)
    store.wake()
    return delivery_ids


def _to(destination: str, event: Event, rules: Rules) -> Routing:
    """Return what of an event's routing is about one destination, as if one of the sources had sent it."""
    reasons: dict[str, None] = {}
    for source in rules.config.sources:
        routing = match(rules, replace(event, source=source))
        sends = tuple(routed for routed in routing.sends if routed.send.to == destination)
        if sends:
            routes = tuple(dict.fromkeys(routed.route for routed in sends))
            return replace(routing, routes=routes, sends=sends, verdicts=())
        for verdict in routing.verdicts:
            if verdict.unowed:
                reasons[verdict.unowed] = None
            elif not verdict.matched:
                reasons[f"{verdict.route} does not take it: {verdict.condition}: {verdict.value}"] = None
    detail = "".join(f"; {reason}" for reason in reasons)
    raise Conflict(f"no route sends the sample of {event.type} to {destination}{detail}")
