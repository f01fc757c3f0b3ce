"""The show of a demo: samples are posted to its hub, and the messages of each event printed on arrival."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import click

from hub import catalog
from hub.client.sender import post_event
from hub.demo.confine import Sample
from hub.demo.fakes import Fakes, ReceivedMessage
from hub.demo.mirror import INSTANCE, MirrorReader
from hub.demo.process import HubProcess
from hub.destinations.database.options import DatabaseOptions
from hub.errors import HubError
from hub.humanize import not_set
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.records import DeliveryRecord
from hub.model.routing import UNMATCHED, Verdict
from hub.store.store import Store
from hub.terminal.printing import inline, say
from hub.terminal.table import clip, terminal_width

POLL_SECONDS = 0.05
FOLLOW_SECONDS = 0.3

_UNSETTLED = (State.PENDING, State.SENDING)


@dataclass(frozen=True, kw_only=True)
class PostedEvent:
    """A sample that was posted. Where the hub did not take it, `event_id` is empty and `refusal` has why."""

    event_type: str
    payload: bytes
    event_id: str = ""
    refusal: str = ""


@dataclass(frozen=True, kw_only=True)
class DeliveryResult:
    """A delivery that is owed and the message that arrived of it; None where none did."""

    delivery: DeliveryRecord
    message: ReceivedMessage | None

    @property
    def arrived(self) -> bool:
        return self.delivery.state is State.DELIVERED and self.message is not None


class Show:
    """One hub and its fakes, shown until a deadline of the monotonic clock."""

    def __init__(
        self, hub: HubProcess, fakes: Fakes, rows: MirrorReader, config: Config, deadline: float
    ) -> None:
        self._hub = hub
        self._fakes = fakes
        self._rows = rows
        self._config = config
        self._deadline = deadline
        self._shown: list[ReceivedMessage] = []

    def post_all(self, samples: Sequence[Sample]) -> bool:
        """Post the samples, print the outcome of each, and return whether all that is owed arrived."""
        began = time.monotonic()
        events = [self._post(sample) for sample in samples]
        results: list[DeliveryResult] = []
        with closing(self._hub.open_store()) as store:
            for event in events:
                results += self._show(event, store)
        missing = sum(not result.arrived for result in results)
        refused = sum(bool(event.refusal) for event in events)
        say()
        say(_summary(len(events), len(results), missing, refused, time.monotonic() - began))
        return not missing and not refused

    def follow(self) -> None:
        """Print further messages as they arrive, until somebody interrupts."""
        while self._hub.is_running:
            for message in self._unshown():
                self._shown.append(message)
                say(_line(_DONE, message.type, "", message.line))
            time.sleep(FOLLOW_SECONDS)
        raise HubError("the hub of the demo has ended by itself")

    def _post(self, sample: Sample) -> PostedEvent:
        own = {"instance_id": INSTANCE}
        payload = catalog.sample_payload(sample.event_type, own, timestamp_ms=int(time.time() * 1000))
        seconds = max(self._deadline - time.monotonic(), 0.5)
        try:
            response = post_event(self._hub.url, sample.source, payload, seconds)
        except HubError as error:
            return PostedEvent(event_type=sample.event_type, payload=payload, refusal=str(error))
        if response.status != 200:
            refusal = f"the hub answered {response.status}: {inline(response.body.get('message'))}"
            return PostedEvent(event_type=sample.event_type, payload=payload, refusal=refusal)
        return PostedEvent(event_type=sample.event_type, payload=payload, event_id=response.body["event"])

    def _show(self, event: PostedEvent, store: Store) -> list[DeliveryResult]:
        """Print an event with each of its deliveries, once all are settled or the time is up."""
        say()
        say(click.style(event.event_type, bold=True))
        if event.refusal:
            say(_line(_FAILED, "", "", event.refusal))
            return []
        deliveries = self._settled(event.event_id, store)
        if not deliveries:
            with store.read() as transaction:
                say(
                    _line(
                        _NOTHING, "", "", _why_nothing(transaction.event_list.record(event.event_id).verdicts)
                    )
                )
        results = []
        for delivery in deliveries:
            if missing := self._config.destinations[delivery.destination].missing:
                reason = f"waits: {not_set(missing)} in a demo"
                say(_line(_NOTHING, self._type_of(delivery), delivery.destination, reason))
                continue
            results.append(DeliveryResult(delivery=delivery, message=self._claim_message(delivery, event)))
            say(self._result_line(results[-1]))
        return results

    def _settled(self, event_id: str, store: Store) -> list[DeliveryRecord]:
        """Return the deliveries of an event in the order of the file, once no worker will touch them."""
        while True:
            with store.read() as transaction:
                deliveries = transaction.delivery_list.records(event=event_id, limit=500)
            unsettled = [
                delivery
                for delivery in deliveries
                if delivery.state in _UNSETTLED
                and not self._config.destinations[delivery.destination].missing
            ]
            if not unsettled or time.monotonic() > self._deadline or not self._hub.is_running:
                return sorted(deliveries, key=self._position)
            time.sleep(POLL_SECONDS)

    def _position(self, delivery: DeliveryRecord) -> tuple[int, int]:
        """Return the place of a delivery's route and destination in the file; `unmatched` comes last."""
        routes = [route.name for route in self._config.routes]
        route = routes.index(delivery.route) if delivery.route in routes else len(routes)
        return route, list(self._config.destinations).index(delivery.destination)

    def _result_line(self, result: DeliveryResult) -> str:
        delivery, message = result.delivery, result.message
        type_, name = self._type_of(delivery), delivery.destination
        if message is None or not result.arrived:
            reason = inline(delivery.reason) or "nothing arrived at the stand-in"
            return _line(_FAILED, type_, name, f"{delivery.state}: {reason}")
        unmatched = " (no route took it)" if delivery.route == UNMATCHED else ""
        if delivery.degraded:
            return _line(_DEGRADED, type_, name, f"{inline(message.line)}: {inline(delivery.degraded)}")
        return _line(_DONE, type_, name, f"{inline(message.line)}{unmatched}")

    def _claim_message(self, delivery: DeliveryRecord, event: PostedEvent) -> ReceivedMessage | None:
        """Return the message of one delivery, which no other delivery can claim after it."""
        options = self._config.destinations[delivery.destination].options
        if isinstance(options, DatabaseOptions):
            line = self._rows.line(options, event.event_type, event.payload)
            return None if line is None else ReceivedMessage(type="database", line=line)
        secrets = catalog.secret_values(event.event_type, json.loads(event.payload))
        text = catalog.mask(str((delivery.message or {}).get("text", "")), secrets)
        for message in self._unshown():
            if message.type != self._type_of(delivery):
                continue
            if message.delivery == delivery.id or (
                not message.delivery and catalog.mask(message.text, secrets) == text
            ):
                self._shown.append(message)
                return message
        return None

    def _unshown(self) -> list[ReceivedMessage]:
        messages = [*self._fakes.received(), *map(_console_message, self._hub.output())]
        for message in self._shown:
            messages.remove(message)
        return messages

    def _type_of(self, delivery: DeliveryRecord) -> str:
        return self._config.destinations[delivery.destination].type


_DONE = click.style("✓", fg="green")
_DEGRADED = click.style("!", fg="yellow")
_FAILED = click.style("✗", fg="red")
_NOTHING = click.style("·", dim=True)


def _line(mark: str, type_: str, destination: str, text: str) -> str:
    start = f"  {mark} {type_:<9}{destination:<10} " if type_ else f"  {mark} "
    width = terminal_width()
    return start + clip(text, None if width is None else width - len(click.unstyle(start)))


def _console_message(line: str) -> ReceivedMessage:
    """Return a console destination's message, which it printed as `[name] text`."""
    text = line.partition("] ")[2]
    return ReceivedMessage(type="console", line=text, text=text)


def _why_nothing(verdicts: Sequence[Verdict]) -> str:
    if unowed := [verdict.unowed for verdict in verdicts if verdict.unowed]:
        return f"nothing is owed for it: {'; '.join(unowed)}"
    reasons = [f"{verdict.route}: {inline(verdict.value)}" for verdict in verdicts if not verdict.matched]
    left_out = [f"{sent.to}: {inline(sent.value)}" for verdict in verdicts for sent in verdict.sends]
    if left_out:
        return f"nothing is owed for it: {'; '.join(left_out)}"
    return f"no route takes this sample ({'; '.join(reasons)})" if reasons else "nothing is owed for it"


def _summary(events: int, deliveries: int, missing: int, refused: int, seconds: float) -> str:
    total = f"{events} events, {deliveries} deliveries"
    if not missing and not refused:
        return click.style(f"{total}: all arrived, in {seconds:.1f} s", fg="green", bold=True)
    parts = [
        f"{missing} did not arrive" if missing else "",
        f"{refused} events were refused" if refused else "",
    ]
    return click.style(f"{total}: {', '.join(filter(None, parts))}", fg="red", bold=True)
