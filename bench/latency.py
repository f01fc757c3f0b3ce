"""Latency: from POST to arrival on an idle hub, beside a handler that forwards inline."""

from __future__ import annotations

import statistics
import time

from bench.databases import fresh_settings
from bench.endpoint import Endpoint, fast_endpoint
from bench.figure import Figure, Pair, dialect, paired
from bench.load import signed_request, time_one
from bench.rates import forwarder
from bench.server import SLACK_TEXT, hub, plain, rules_for
from hub.ingest.route import Rules

EVENTS = 200
PAUSE_SECONDS = 0.01


def arrival(postgres_url: str | None) -> Figure:
    """Median time from POST to arrival of the event itself ÷ that of the handler."""
    return _arrival("", postgres_url, (2.6, 1.4), "http", {})


def slack_arrival(postgres_url: str | None) -> Figure:
    """The same of a message for Slack that is rendered from a template."""
    return _arrival(", Slack message", postgres_url, (3.5, 2.5), "slack", {"text": SLACK_TEXT})


def _arrival(
    message: str,
    postgres_url: str | None,
    goals: tuple[float, float],
    destination_type: str,
    fields: dict[str, object],
) -> Figure:
    def measure() -> Pair:
        with fast_endpoint() as endpoint:
            rules = rules_for(endpoint.url, destination_type=destination_type, fields=fields)
            of_hub = _hub_median_ms(postgres_url, endpoint, rules)
        with fast_endpoint() as endpoint, plain(1, forwarder(endpoint)) as port:
            of_plain = _median_ms(port, endpoint)
        return of_hub, of_plain

    name = f"median POST to arrival{message}, {dialect(postgres_url)} ÷ forwarding inline"
    return Figure(name, *goals, *paired(measure), "ms", smaller_is_better=True)


def _hub_median_ms(postgres_url: str | None, endpoint: Endpoint, rules: Rules) -> float:
    with fresh_settings(postgres_url) as settings, hub(settings, rules) as port:
        return _median_ms(port, endpoint)


def _median_ms(port: int, endpoint: Endpoint) -> float:
    return statistics.median(arrivals(port, endpoint, EVENTS, PAUSE_SECONDS)) * 1000


def arrivals(port: int, endpoint: Endpoint, count: int, pause_seconds: float) -> list[float]:
    """Seconds from the first byte sent to the arrival at the endpoint, one event at a time."""
    seconds = []
    for number in range(count):
        before = endpoint.count.value
        began = time_one(port, signed_request(number))
        endpoint.expect(before + 1, 10)
        seconds.append(endpoint.last_at.value - began)
        time.sleep(pause_seconds)
    return seconds
