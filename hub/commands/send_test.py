"""`hub send-test`: one marked message to one destination, through the real way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing

import click

from hub import catalog, operator
from hub.client.api import version_that_serves
from hub.commands import Section
from hub.errors import HubError
from hub.health.facts import waiting_facts
from hub.health.waiting import WaitReason, why
from hub.ingest.route import Rules
from hub.ingest.send_sample import send_sample
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.records import DeliveryRecord
from hub.process import start
from hub.settings import load_settings
from hub.store.store import Store
from hub.terminal.printing import inline, say

SECTION = Section.WRITE

WAIT_SECONDS = 15.0
POLL_SECONDS = 0.1

_UNSETTLED = (State.PENDING, State.SENDING)


@click.command(short_help="Send one marked message to a destination.")
@click.argument("destination")
@click.option(
    "--event",
    "event_type",
    metavar="TYPE",
    help="Send what the routes make of the catalog's sample of TYPE instead, such as user.created.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait for the outcome.")
def command(destination: str, event_type: str | None, no_wait: bool) -> None:
    """Send one message marked [TEST] to DESTINATION, through the database and the worker of a running hub.

    Waits up to 15 s for the outcome and exits 1, saying why, if it was not delivered.

    \b
    Examples:
      hub send-test team
      hub send-test team --event user.created
    """
    if event_type is not None and catalog.find_event_type(event_type) is None:
        raise click.BadParameter(catalog.unknown_event_type(event_type), param_hint="'--event'")
    settings = load_settings()
    with closing(start.open_existing(settings)) as store:
        rules = version_that_serves(settings, store).rules
        delivery_ids = _send(store, rules, destination, event_type)
        for delivery_id in delivery_ids:
            say(delivery_id)
        if no_wait:
            return
        problems = [_outcome(store, delivery_id, rules.config) for delivery_id in delivery_ids]
    for problem in filter(None, problems):
        raise HubError(problem)
    say(f"delivered to {destination}")


def _send(store: Store, rules: Rules, destination: str, event_type: str | None) -> Sequence[str]:
    if event_type is None:
        return [operator.send_test(store, rules, destination)]
    if destination not in rules.config.destinations:
        raise operator.no_destination(destination, rules.config.destinations)
    return send_sample(store, rules, destination, event_type)


def _outcome(store: Store, delivery_id: str, config: Config) -> str | None:
    """Wait, and return why the message was not delivered; None once it was."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        with store.read() as snapshot:
            delivery = snapshot.delivery_list.record(delivery_id)
            facts = waiting_facts(snapshot, config)
        if delivery.state is State.DELIVERED:
            return None
        problem = _obstacle(delivery, why(delivery, facts), is_late=time.monotonic() > deadline)
        if problem is not None:
            return problem
        time.sleep(POLL_SECONDS)


def _obstacle(delivery: DeliveryRecord, reason: WaitReason | None, *, is_late: bool) -> str | None:
    """Return why it will not be delivered soon, or is late; None where it is worth waiting."""
    if delivery.state not in _UNSETTLED:
        return f"not delivered: it is {delivery.state}: {inline(delivery.reason)}"
    if reason is not None and reason.needs_somebody:
        return f"not delivered yet: {inline(reason.text)}"
    if not is_late:
        return None
    text = inline(reason.text) if reason is not None else "it is being sent"
    return f"not delivered within {WAIT_SECONDS:.0f} s: {text}"
