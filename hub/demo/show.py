"""What a demo sends and what arrives of it, on the terminal."""

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
from hub.demo.process import HubProcess
from hub.errors import HubError
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.records import DeliveryRecord
from hub.model.routing import UNMATCHED, Verdict
from hub.store.store import Store
from hub.terminal.printing import cut, one_line, say, terminal_width, unset

POLL_SECONDS = 0.05
FOLLOW_SECONDS = 0.3

_UNSETTLED = (State.PENDING, State.SENDING)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A sample that was posted. `event_id` is empty and `refusal` says why where the hub did not take it."""

    event_type: str
    payload: bytes
    event_id: str = ""
    refusal: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """A delivery that is owed and what arrived of it; None where nothing did."""

    delivery: DeliveryRecord
    arrival: ReceivedMessage | None

    @property
    def arrived(self) -> bool:
        return self.delivery.state is State.DELIVERED and self.arrival is not None


class Show:
    """Posts samples to a hub and shows, event by event, what the stand-ins received."""

    def __init__(self, hub: HubProcess, fakes: Fakes, config: Config, deadline: float) -> None:
        self._hub = hub
        self._fakes = fakes
        self._config = config
        self._deadline = deadline
        self._shown: list[ReceivedMessage] = []

    def samples(self, samples: Sequence[Sample]) -> bool:
        """Post all of them and show what becomes of each; whether everything that is owed arrived."""
        began = time.monotonic()
        sent = [self._post(sample) for sample in samples]
        results: list[Result] = []
        with closing(self._hub.open_store()) as store:
            for each in sent:
                results += self._show(each, store)
        missing = [result for result in results if not result.arrived]
        refused = [each for each in sent if each.refusal]
        say()
        say(_summary(len(sent), len(results), len(missing), len(refused), time.monotonic() - began))
        return not missing and not refused

    def follow(self) -> None:
        """Show what arrives from now on, until somebody interrupts."""
        while self._hub.is_running:
            for arrival in self._unshown():
                self._shown.append(arrival)
                say(_line(_DONE, arrival.type, "", arrival.line))
            time.sleep(FOLLOW_SECONDS)
        raise HubError("the hub of the demo has ended by itself")

    # -- one event ----------------------------------------------------------------------------

    def _post(self, sample: Sample) -> Sent:
        payload = catalog.sample_payload(sample.event_type, timestamp_ms=int(time.time() * 1000))
        seconds = max(self._deadline - time.monotonic(), 0.5)
        try:
            answer = post_event(self._hub.url, sample.source, payload, seconds)
        except HubError as error:
            return Sent(event_type=sample.event_type, payload=payload, refusal=str(error))
        if answer.status != 200:
            refusal = f"the hub answered {answer.status}: {one_line(answer.body.get('message'))}"
            return Sent(event_type=sample.event_type, payload=payload, refusal=refusal)
        return Sent(event_type=sample.event_type, payload=payload, event_id=answer.body["event"])

    def _show(self, sent: Sent, store: Store) -> list[Result]:
        """Print an event with each of its deliveries, once all are settled or the time is up."""
        say()
        say(click.style(sent.event_type, bold=True))
        if sent.refusal:
            say(_line(_FAILED, "", "", sent.refusal))
            return []
        deliveries = self._settled(sent.event_id, store)
        if not deliveries:
            with store.read() as reading:
                say(_line(_NOTHING, "", "", _why_nothing(reading.reports.event(sent.event_id).verdicts)))
        results = []
        for delivery in deliveries:
            if missing := self._config.destinations[delivery.destination].missing:
                said = f"waits: {unset(missing)} in a demo"
                say(_line(_NOTHING, self._type_of(delivery), delivery.destination, said))
                continue
            results.append(Result(delivery=delivery, arrival=self._arrival_of(delivery, sent)))
            say(self._told(results[-1]))
        return results

    def _settled(self, event_id: str, store: Store) -> list[DeliveryRecord]:
        """The deliveries of an event, by route and destination, as soon as no worker will touch them."""
        while True:
            with store.read() as reading:
                deliveries = reading.reports.deliveries(event=event_id, limit=500)
            open_ones = [
                delivery
                for delivery in deliveries
                if delivery.state in _UNSETTLED
                and not self._config.destinations[delivery.destination].missing
            ]
            if not open_ones or time.monotonic() > self._deadline or not self._hub.is_running:
                return sorted(deliveries, key=self._position)
            time.sleep(POLL_SECONDS)

    def _position(self, delivery: DeliveryRecord) -> tuple[int, int]:
        routes = [route.name for route in self._config.routes]
        places = list(self._config.destinations)
        is_of_route = delivery.route in routes
        return routes.index(delivery.route) if is_of_route else len(routes), places.index(
            delivery.destination
        )

    def _told(self, result: Result) -> str:
        delivery, arrival = result.delivery, result.arrival
        kind, place = self._type_of(delivery), delivery.destination
        if arrival is None or not result.arrived:
            reason = one_line(delivery.reason) or "nothing arrived at the stand-in"
            return _line(_FAILED, kind, place, f"{delivery.state}: {reason}")
        unmatched = " (no route took it)" if delivery.route == UNMATCHED else ""
        if delivery.degraded:
            return _line(_DEGRADED, kind, place, f"{one_line(arrival.line)}: {one_line(delivery.degraded)}")
        return _line(_DONE, kind, place, f"{one_line(arrival.line)}{unmatched}")

    # -- what arrived -------------------------------------------------------------------------

    def _arrival_of(self, delivery: DeliveryRecord, sent: Sent) -> ReceivedMessage | None:
        """The arrival of one delivery, which no other delivery can claim after it."""
        secrets = catalog.secret_values(sent.event_type, json.loads(sent.payload))
        wanted = catalog.mask(str((delivery.message or {}).get("text", "")), secrets)
        for arrival in self._unshown():
            if arrival.type != self._type_of(delivery):
                continue
            if arrival.delivery == delivery.id or (
                not arrival.delivery and catalog.mask(arrival.text, secrets) == wanted
            ):
                self._shown.append(arrival)
                return arrival
        return None

    def _unshown(self) -> list[ReceivedMessage]:
        arrivals = [*self._fakes.received(), *map(_printed, self._hub.output())]
        for arrival in self._shown:
            arrivals.remove(arrival)
        return arrivals

    def _type_of(self, delivery: DeliveryRecord) -> str:
        return self._config.destinations[delivery.destination].type


_DONE = click.style("✓", fg="green")
_DEGRADED = click.style("!", fg="yellow")
_FAILED = click.style("✗", fg="red")
_NOTHING = click.style("·", dim=True)


def _line(mark: str, kind: str, place: str, text: str) -> str:
    start = f"  {mark} {kind:<8}{place:<10} " if kind else f"  {mark} "
    width = terminal_width()
    return start + cut(text, None if width is None else width - len(click.unstyle(start)))


def _printed(line: str) -> ReceivedMessage:
    """A console destination's message: `[name] text`."""
    text = line.partition("] ")[2]
    return ReceivedMessage(type="console", line=text, text=text)


def _why_nothing(verdicts: Sequence[Verdict]) -> str:
    because = [f"{verdict.route}: {one_line(verdict.value)}" for verdict in verdicts if not verdict.matched]
    return f"no route takes this sample ({'; '.join(because)})" if because else "nothing is owed for it"


def _summary(events: int, deliveries: int, missing: int, refused: int, seconds: float) -> str:
    sent = f"{events} events, {deliveries} deliveries"
    if not missing and not refused:
        return click.style(f"{sent}: all arrived, in {seconds:.1f} s", fg="green", bold=True)
    parts = [
        f"{missing} did not arrive" if missing else "",
        f"{refused} events were refused" if refused else "",
    ]
    return click.style(f"{sent}: {', '.join(filter(None, parts))}", fg="red", bold=True)
