"""The targets of an act for people: where each sends to, why it waits, and who of its people is outside."""

from __future__ import annotations

from collections.abc import Iterator

from hub.delivery.render import RenderContext
from hub.health.facts import Facts
from hub.health.places import describe
from hub.health.waiting import WaitCode, lasting_reason
from hub.ingest.route import Rules, match
from hub.model.event import Event
from hub.model.routing import Send
from hub.operator import Forecast, Share, Target
from hub.operator.targets import target_of
from hub.preview.renderings import recipients_of
from hub.store.store import Transaction
from hub.web.act_words import Place, outsiders
from hub.web.context import Context
from hub.web.messages import ONE_AT_A_TIME


def places_of(forecast: Forecast, kind: str, here: Context) -> dict[Target, Place]:
    """Return the targets of a forecast as places; `kind` is that of the ids of its examples."""
    rules = here.rules()
    mask = here.redaction().text
    with here.store.read() as snapshot:
        facts = here.waiting_facts(snapshot)
        examples = {
            share.target: tuple(_examples(share, kind, rules, snapshot))
            for share in forecast.shares
            if share.target.is_outside
        }
    places = {}
    for share in forecast.shares:
        if share.target.is_outside:
            detail = mask(outsiders(_addresses(examples[share.target], rules), share))
        else:
            detail = _detail(share.target.destination, rules)
        waits = mask(_waits(share.target.destination, facts))
        places[share.target] = Place(label=share.target.destination, detail=detail, waits=waits)
    return places


def _detail(name: str, rules: Rules) -> str:
    config = rules.config.destinations.get(name)
    return " · ".join(filter(None, (config.type, describe(config)))) if config else "not in routes.yaml"


def _waits(name: str, facts: Facts) -> str:
    reason = lasting_reason(name, facts)
    return "" if reason is None or reason.code is WaitCode.DUE else reason.text


Example = tuple[Event, str, Send]
"""An event, the route that owes a message for it, and the send block."""


def _examples(share: Share, kind: str, rules: Rules, snapshot: Transaction) -> Iterator[Example]:
    """Yield what the examples of a share outside are rendered from; nothing for events that were pruned."""
    if kind == "events":
        events = snapshot.events.all_to_replay(share.examples)
        for event in events.values():
            if isinstance(event, Event):
                yield from _routed(event, share.target, rules)
        return
    for record in snapshot.delivery_list.records_of(share.examples, messages=False):
        event = snapshot.operator.event(record.event)
        sends = [send for send in rules.config.sends_of(record.route) if send.to == record.destination]
        kept = Send(to=record.destination, fields=record.send)
        send = next((one for one in sends if one.position == record.position), sends[0] if sends else kept)
        if event.payload:
            yield event, record.route, send


def _routed(event: Event, target: Target, rules: Rules) -> Iterator[Example]:
    for routed in match(rules, event).sends:
        if target_of(routed.send.to, routed.send.fields, rules) == target:
            yield event, routed.route, routed.send


def _addresses(examples: tuple[Example, ...], rules: Rules) -> list[str]:
    addresses: list[str] = []
    with ONE_AT_A_TIME:
        for event, route, send in examples:
            if send.to in rules.config.destinations:
                rendered_for = RenderContext(event=event, route=route, routes=rules.config.routes)
                addresses += recipients_of(send, rendered_for, rules)
    return addresses
