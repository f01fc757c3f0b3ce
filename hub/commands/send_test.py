"""`hub send-test`: one marked message to one destination, through the real way."""

from __future__ import annotations

import time
from contextlib import closing

import click

from hub import operator
from hub.errors import HubError
from hub.humanize import ago
from hub.ingest.route import load_rules
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.records import DeliveryRecord
from hub.model.stats import WORKER_SILENT_AFTER
from hub.process import start
from hub.rules.load import load_config
from hub.settings import load_settings
from hub.store.store import Store, Transaction
from hub.terminal.printing import one_line, say

WAIT_SECONDS = 15.0
POLL_SECONDS = 0.1

_UNSETTLED = (State.PENDING, State.SENDING)


@click.command()
@click.argument("destination")
@click.option("--no-wait", is_flag=True, help="Do not wait for the outcome.")
def command(destination: str, no_wait: bool) -> None:
    """Send one message marked [TEST] to DESTINATION, through the database and the worker of a running hub.

    Waits up to 15 s for the outcome and exits 1, saying why, if it was not delivered.
    """
    settings = load_settings()
    config = load_config(settings.config_path, settings.templates_path, settings.environment)
    with closing(start.open_existing(settings)) as store:
        delivery_id = operator.send_test(store, load_rules(config), destination)
        say(delivery_id)
        if no_wait:
            return
        problem = _outcome(store, delivery_id, config)
    if problem:
        raise HubError(problem)
    say(f"delivered to {destination}")


def _outcome(store: Store, delivery_id: str, config: Config) -> str | None:
    """Why it was not delivered, as soon as that is known; None once it was."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        with store.read() as reading:
            delivery = reading.reports.delivery(delivery_id)
            if delivery.state is State.DELIVERED:
                return None
            problem = _obstacle(reading, delivery, config)
            if problem is None and time.monotonic() > deadline:
                return _still_open(reading, delivery)
        if problem is not None:
            return problem
        time.sleep(POLL_SECONDS)


def _obstacle(reading: Transaction, delivery: DeliveryRecord, config: Config) -> str | None:
    """What keeps it from being delivered however long we wait; None where nothing is known to."""
    if delivery.state not in _UNSETTLED:
        return f"not delivered: it is {delivery.state}: {one_line(delivery.reason)}"
    name = delivery.destination
    seen_at = reading.workers.last_seen_at()
    if seen_at is None or reading.now - seen_at > WORKER_SILENT_AFTER:
        return "not delivered yet: no worker is running; the message goes out once hub serve does"
    state = reading.destinations.all().get(name)
    if state is None:
        return None
    if not state.configured:
        missing = ", ".join(config.destinations[name].missing) or "its variables"
        return f"not delivered yet: {name} is not configured; set {missing} where the hub runs"
    if state.paused_at is not None:
        return f"not delivered yet: {name} is paused ({one_line(state.paused_reason)}); hub resume {name}"
    return None


def _still_open(reading: Transaction, delivery: DeliveryRecord) -> str:
    reason = one_line(delivery.reason) or "it waits for its turn"
    again = f"; next attempt {ago(delivery.due_at, reading.now)}" if delivery.due_at else ""
    return f"not delivered within {WAIT_SECONDS:.0f} s: {reason}{again}"
