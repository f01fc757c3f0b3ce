"""The round trips to PostgreSQL that one delivery costs a worker, before it is sent and after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import given
import pytest
from servers.counting_proxy import CountingProxy
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from test_worker import sending, wait_for_state, working

from hub.destinations.base import find_destination
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import State
from hub.store.open import open_store
from hub.store.store import Store

MOST_EVENTS = 40
"""The best of so many at most: now and then one meets the heartbeat or another task of maintenance."""

QUIET_SECONDS = 0.2
"""So long nothing follows what settled a delivery."""


@pytest.fixture
def web(postgres_store_url: str) -> Iterator[Store]:
    """A store that is not on the worker's way."""
    store = open_store(postgres_store_url)
    yield store
    store.close()


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "the event itself": ("http", {}),
    "a built-in message": ("slack", {}),
    "a template": ("slack", {"text": "{{ data.id }} signed up"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_two_before_a_message_is_sent_and_two_after(kind: str, web: Store, postgres_store_url: str) -> None:
    arrivals: list[float] = []

    def respond(_: ReceivedRequest) -> CannedResponse:
        arrivals.append(time.monotonic())
        return CannedResponse(body=b"ok")

    type_, fields = KINDS[kind]
    with HttpReceiver(respond=respond) as receiver:
        option = {"http": "url", "slack": "webhook_url"}[type_]
        options = find_destination(type_).Options.model_validate({option: receiver.url})  # type: ignore[union-attr]
        rules = sending(replace(given.destination("there"), type=type_, options=options), fields=fields)
        counted = round_trips(web, rules, postgres_store_url, arrivals)

    assert min(before for before, _ in counted) <= 2
    assert min(after for _, after in counted) <= 2


def round_trips(web: Store, rules: Rules, url: str, arrivals: list[float]) -> list[tuple[int, int]]:
    """Those before and after the arrival of each of some events that come alone."""
    counted = []
    with CountingProxy(url) as proxy:
        store = open_store(proxy.url)
        with working(store, rules):
            time.sleep(3 * QUIET_SECONDS)
            for number in range(MOST_EVENTS):
                begun = time.monotonic()
                fan_out(given.event(), rules, web)
                wait_for_state(web, State.DELIVERED, number + 1)
                time.sleep(QUIET_SECONDS)
                arrived = arrivals[number]
                counted.append((proxy.round_trips(begun, arrived), proxy.round_trips(arrived)))
                if max(map(min, zip(*counted, strict=True))) <= 2:
                    break
        store.close()
    return counted
