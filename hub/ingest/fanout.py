"""Fan-out: one transaction that keeps an event and every delivery it is owed, or neither."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hub.ingest.route import Rules, match
from hub.model.event import HUB_SOURCE, Event, new_id
from hub.model.routing import UNMATCHED, Routing, SendVerdict, Verdict
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store, Transaction


@dataclass(frozen=True, kw_only=True)
class FannedOut:
    """The result for one event: `deliveries` counts those newly owed or revived."""

    event_id: str
    duplicate: bool
    routes: tuple[str, ...]
    deliveries: int


def fan_out(event: Event, rules: Rules, store: Store) -> FannedOut:
    """Keep an event together with every delivery it is owed, and return once that is durable.

    Conditions run before the transaction begins: they are users' code, and others wait for its locks.
    """
    routing = match(rules, event)
    if store.insert_event(RoutedEvent(event=event, routing=routing)):
        return FannedOut(
            event_id=event.id, duplicate=False, routes=routing.routes, deliveries=len(routing.sends)
        )
    fanned_out = store.write(lambda transaction: _revive(transaction, event, routing))
    if fanned_out.deliveries:
        store.wake()
    return fanned_out


def hub_event(type_: str, data: Mapping[str, Any], now: datetime) -> Event:
    """Return an event of the hub's own source."""
    body = {"object": "event", "type": type_, "timestamp": int(now.timestamp() * 1000), "data": data}
    return Event(
        id=new_id("evt", now),
        source=HUB_SOURCE,
        message_id=new_id("msg", now),
        type=type_,
        payload=json.dumps(body).encode(),
        received_at=now,
    )


def _revive(transaction: Transaction, event: Event, routing: Routing) -> FannedOut:
    """Owe the dead deliveries of a known event again, for its sender resends it; all others stay.

    An event that no route owes to any destination, because none took it or all that it goes to was switched
    off, is routed by today's rules: somebody mended them and pressed Replay. Of any other the routes that
    and send blocks that lacked a variable are decided again. Once its payload is pruned nothing more is sent.
    """
    known, has_payload = transaction.events.known(event)
    if known.id == event.id:
        # Its own: the commit's answer was lost, and it was sent once more.
        return FannedOut(
            event_id=event.id, duplicate=False, routes=routing.routes, deliveries=len(routing.sends)
        )
    owed = 0
    if has_payload:
        owed = transaction.events.revive_dead(known.id)
        again = routing
        if not routing.routes or transaction.events.is_routed(known.id):
            again = _of_undecided(transaction.events.verdicts(known.id), routing)
        if again.routes or again.sends:
            transaction.events.restore_payload(known)
            transaction.events.set_verdicts(known.id, again)
            owed += transaction.events.add_deliveries(known, again)
    return FannedOut(event_id=known.id, duplicate=True, routes=routing.routes, deliveries=owed)


def _of_undecided(verdicts: Sequence[Verdict], routing: Routing) -> Routing:
    """Return the part of a routing that is about the routes and send blocks that verdicts left undecided."""
    routes = {verdict.route for verdict in verdicts if verdict.unset}
    blocks = {(verdict.route, *_place(sent)) for verdict in verdicts for sent in verdict.sends if sent.unset}
    sends = [
        routed
        for routed in routing.sends
        if routed.route in routes or (routed.route, routed.send.to, routed.send.position) in blocks
    ]
    today = {verdict.route: verdict for verdict in routing.verdicts}
    counts = Counter(routed.route for routed in sends)
    return Routing(
        routes=tuple(route for route in routing.routes if route in routes or route in counts),
        sends=tuple(sends),
        verdicts=tuple(
            today.get(verdict.route, verdict)
            if verdict.unset
            else _decided(verdict, today.get(verdict.route), counts[verdict.route])
            for verdict in verdicts
        ),
        version=routing.version,
    )


def _decided(kept: Verdict, today: Verdict | None, newly_owed: int) -> Verdict:
    """Return a kept verdict with what today's says of the send blocks that it left undecided."""
    if today is None or not today.matched or not any(sent.unset for sent in kept.sends):
        return kept
    undecided = {_place(sent) for sent in kept.sends if sent.unset}
    sends = [sent for sent in kept.sends if not sent.unset]
    sends += [sent for sent in today.sends if _place(sent) in undecided]
    is_route = kept.route != UNMATCHED
    return replace(kept, owed=kept.owed + newly_owed if is_route else kept.owed, sends=tuple(sends))


def _place(sent: SendVerdict) -> tuple[str, int]:
    return sent.to, sent.position
