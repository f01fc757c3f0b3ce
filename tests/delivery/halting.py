"""A worker in a process of its own that halts, stops or dies at a point between its claim and the first byte.

    halting.py DATABASE_URL RECEIVER_URL POINT SIGNAL

POINT is a key of `POINTS`, SIGNAL what the process sends itself there, once.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given

from hub.delivery import cycle, in_flight
from hub.delivery.worker import Worker
from hub.ingest.route import Rules
from hub.model.destination import DestinationConfig
from hub.model.routing import Send
from hub.process.supervisor import StopSignals
from hub.store.open import open_store
from hub.templating.escapes import Escape
from hub.templating.sandbox import Sandbox

BEGIN_WITHIN_SECONDS, TIMEOUT_SECONDS, LEASE_SECONDS = 0.7, 30.0, 2.0
"""What is sent has time on a slow machine too; the lease of what is not is over soon."""

STOPPING_SECONDS = 30.0
"""How long one that stops has to take back what waits at a point; it goes on as soon as that is done."""

POINTS = {"before rendering": ("before",), "after rendering": ("after",), "while sending": ()}
"""What of a `WatchedSandbox` is called where; while it sends, somebody else ends the process."""

FIELDS = {"body": "hello {{ data.id }}", "content_type": "text/plain"}


class WatchedSandbox(Sandbox):
    """A sandbox that counts what it renders, and calls before and after."""

    def __init__(
        self, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__({})
        self.rendered = 0
        self._before, self._after = before, after

    def text(self, source: str, variables: Mapping[str, Any], escape: Escape, *, name: str) -> str:
        if source == FIELDS["content_type"]:
            return super().text(source, variables, escape, name=name)
        self._before()
        text = super().text(source, variables, escape, name=name)
        self.rendered += 1
        self._after()
        return text


def rules_of(place: DestinationConfig, sandbox: Sandbox, fields: Mapping[str, Any] = FIELDS) -> Rules:
    """One route for everything to one destination, rendered by the given sandbox."""
    rules = given.rules(given.route("all", ("*",), Send(to=place.name, fields=fields)), destinations=(place,))
    return replace(rules, sandbox=sandbox)


def place(url: str) -> DestinationConfig:
    return given.destination(
        "crm", url=url, timeout_seconds=TIMEOUT_SECONDS, retry_seconds=(0.02, 0.02), concurrency=1
    )


def main(database_url: str, receiver_url: str, point: str, signal_name: str) -> None:
    cycle.LEASE_MARGIN = timedelta(seconds=LEASE_SECONDS - TIMEOUT_SECONDS)
    in_flight.BEGIN_WITHIN_SECONDS = BEGIN_WITHIN_SECONDS
    number, done = signal.Signals[signal_name], []

    def signal_itself() -> None:
        if not done:
            done.append(number)
            os.kill(os.getpid(), number)
            if number is signal.SIGTERM:
                given.until(lambda: not worker._in_flight.claims(), STOPPING_SECONDS)
            # It may be another thread that is halted first.
            time.sleep(0.1)

    sandbox = WatchedSandbox(**dict.fromkeys(POINTS[point], signal_itself))
    rules = rules_of(place(receiver_url), sandbox)
    store = open_store(database_url)
    worker = Worker(store, lambda: rules, threads=2)
    StopSignals(worker.stop, lambda: os._exit(1))
    worker.run()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
