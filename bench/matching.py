"""Matching: the cost of many routes to an event that few of them take."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from bench.figure import Figure, Pair, paired
from bench.load import signed_request
from bench.server import config_of, destination
from hub import catalog
from hub.ingest.route import Rules, load_rules, match
from hub.model.event import Event
from hub.model.routing import Route, Send

FEW, MANY = 10, 1_000
MATCHING = 5
EVENTS = 5_000
TYPE = "waitlistEntry.created"


def matched() -> Figure:
    """Time to match an event against 1,000 routes to that against 10, five of which take it in either."""

    def measure() -> Pair:
        return _microseconds(_rules(MANY)), _microseconds(_rules(FEW))

    return Figure(
        f"match time with {MANY:,} routes ÷ with {FEW}, {MATCHING} of them matching",
        2.0,
        1.2,
        *paired(measure, 5),
        "µs/event",
        smaller_is_better=True,
    )


def _rules(count: int) -> Rules:
    """So many routes, those that match spread evenly among others of all types, a third of those globs."""
    to = destination("to", "http://127.0.0.1:9/", concurrency=4)
    others = sorted(set(catalog.event_types()) - {TYPE})
    routes = []
    for number in range(count):
        matches = number % (count // MATCHING) == 0
        other = others[number % len(others)]
        glob = f"{other.partition('.')[0]}.*" if number % 3 == 0 and "waitlist" not in other else other
        routes.append(
            Route(
                name=f"route{number}",
                events=(TYPE,) if matches else (glob,),
                when=("data.status == 'pending'", "data.email_address"),
                sends=(Send(to="to"),),
            )
        )
    return load_rules(config_of({"to": to}, tuple(routes)))


def _microseconds(rules: Rules) -> float:
    """Per event, the first of its type included, its payload parsed anew each time."""
    events = [_event(number) for number in range(EVENTS)]
    began = time.perf_counter()
    for event in events:
        match(rules, event)
    seconds = time.perf_counter() - began
    taken = len(match(rules, events[0]).routes)
    if taken != MATCHING:
        raise RuntimeError(f"{taken} routes took the event, not {MATCHING}")
    return seconds / EVENTS * 1e6


def _event(number: int) -> Event:
    return Event(
        id=f"evt_{number}",
        source="clerk",
        message_id=f"msg_{number}",
        type=TYPE,
        payload=signed_request(number).partition(b"\r\n\r\n")[2],
        received_at=datetime.now(UTC),
    )
