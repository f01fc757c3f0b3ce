"""Acts on events: replay, of one or of many, and a test message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from hub import catalog
from hub.errors import Conflict, NotFound
from hub.humanize import enumerated, listed
from hub.ingest.fanout import FannedOut, hub_event
from hub.ingest.route import Rules, match
from hub.model.age import too_old, valid_until
from hub.model.audit import COMMAND_LINE, Act, Actor, AuditEntry
from hub.model.event import Event
from hub.model.finding import HUB
from hub.model.routing import RoutedSend, Routing, Send, Verdict
from hub.operator.audited import audited, entry_of
from hub.operator.batch import Outcome, Skipped, Work, batches_of, in_batches, total
from hub.operator.destinations import no_destination
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store, Transaction

GONE = "its payload was pruned or its one-time secrets removed just now"

LEFT_OUT = "it was left out"
"""The reason of those to which nothing was done because nobody chose that."""

Takes = Callable[[Event, RoutedSend, datetime], bool]
"""Says of a send of an event, at a moment, that it is chosen."""

EVENTS_AT_ONCE = 50
"""So many events are routed, with their payloads in memory, and owed in one transaction."""


def replay(
    event_id: str,
    rules: Rules,
    store: Store,
    actor: Actor = COMMAND_LINE,
    destinations: Collection[str] = (),
) -> FannedOut:
    """Route a kept event again by today's rules: new deliveries beside the old ones.

    With `destinations` to those alone. Raises NotFound, or Conflict where its payload is pruned or blanked,
    or where no route sends it there.
    """
    _require_today(destinations, rules)
    with store.read() as snapshot:
        event = snapshot.events.to_replay(event_id)
    whole = match(rules, event)
    routing = routed_to(destinations, whole)
    if destinations and not routing.sends:
        raise Conflict(_unowed(whole))

    def work(transaction: Transaction) -> FannedOut:
        transaction.events.to_replay(event_id)
        transaction.events.set_verdicts(event_id, routing)
        owed = transaction.events.add_deliveries(event, routing)
        return FannedOut(event_id=event_id, duplicate=False, routes=routing.routes, deliveries=owed)

    fanned_out = audited(store, entry_of(Act.REPLAY, actor, event_id, changed=len(routing.sends)), work)
    store.wake()
    return fanned_out


def replay_events(
    store: Store,
    rules: Rules,
    ids: Collection[str],
    actor: Actor = COMMAND_LINE,
    *,
    destinations: Collection[str] = (),
    takes: Takes | None = None,
    subject: str = HUB,
    entry: AuditEntry | None = None,
    is_dry_run: bool = False,
) -> Outcome:
    """Replay events, and say of the others why not. A dry run changes nothing.

    One that would be owed nothing new is not replayed. Beside `destinations`, `takes` chooses among the sends
    of an event. `subject` is that of the entry in the audit, which is also found by each event that was
    replayed, and by the destinations. An act that goes on has the `entry` of its first part. Raises NotFound
    for a name that is no destination.
    """
    _require_today(destinations, rules)
    batches = batches_of(ids, EVENTS_AT_ONCE)
    if is_dry_run:
        return total(_outcome(*plan(store, rules, destinations, batch, takes)) for batch in batches)

    # Conditions run before a transaction begins: they are users' code, and others wait for its locks.
    def prepare(batch: Sequence[str]) -> Work:
        return partial(owe, *plan(store, rules, destinations, batch, takes))

    return in_batches(store, prepare, batches, entry or entry_of(Act.REPLAY, actor, subject))


def routed_to(destinations: Collection[str], routing: Routing) -> Routing:
    """Return the part of a routing that goes to some destinations; all of it where none are named."""
    return only(routing, lambda routed: routed.send.to in destinations) if destinations else routing


def only(routing: Routing, is_taken: Callable[[RoutedSend], bool]) -> Routing:
    """Return the part of a routing whose sends are taken; its verdicts name what was left out."""
    sends = tuple(routed for routed in routing.sends if is_taken(routed))
    omitted = [routed for routed in routing.sends if routed not in sends]
    taking = {routed.route for routed in sends}
    return replace(
        routing,
        routes=tuple(route for route in routing.routes if route in taking),
        sends=sends,
        verdicts=tuple(_without(verdict, omitted) for verdict in routing.verdicts),
    )


def _without(verdict: Verdict, omitted: Sequence[RoutedSend]) -> Verdict:
    """Return the verdict without the sends that a replay leaves out, and with their names."""
    sends = [routed.send.to for routed in omitted if routed.route == verdict.route]
    if not sends:
        return verdict
    names = list(dict.fromkeys(sends))
    text = f"{enumerated(names)} {'was' if len(names) == 1 else 'were'} left out of a replay"
    unowed = "; ".join(filter(None, (verdict.unowed, text)))
    return replace(verdict, owed=max(verdict.owed - len(sends), 0), unowed=unowed)


def plan(
    store: Store,
    rules: Rules,
    destinations: Collection[str],
    ids: Sequence[str],
    takes: Takes | None = None,
) -> tuple[list[RoutedEvent], list[Skipped]]:
    """Route events by today's rules; return those that are owed something new, and those that are not."""
    routed: list[RoutedEvent] = []
    skipped: list[Skipped] = []
    with store.read() as snapshot:
        now, events = snapshot.now, snapshot.events.all_to_replay(ids)
    for event_id in ids:
        event = events.get(event_id, NotFound(f"there is no event {event_id}"))
        try:
            if not isinstance(event, Event):
                raise event
            routing = _owing(event, match(rules, event), destinations, now)
            if takes is not None:
                routing = _chosen(event, routing, takes, now)
        except (NotFound, Conflict) as refusal:
            skipped.append(Skipped(id=event_id, why=str(refusal)))
        else:
            routed.append(RoutedEvent(event=event, routing=routing))
    return routed, skipped


def _owing(event: Event, whole: Routing, destinations: Collection[str], now: datetime) -> Routing:
    """Return the part of a routing that is to be owed; raises Conflict for none, or where all is too old."""
    routing = routed_to(destinations, whole)
    if not routing.sends:
        raise Conflict(_unowed(whole))
    reasons = [
        too_old(event, valid_until(event, routed.send.max_age_seconds), now) for routed in routing.sends
    ]
    if all(reasons):
        raise Conflict(str(reasons[0]))
    return routing


def _chosen(event: Event, routing: Routing, takes: Takes, now: datetime) -> Routing:
    """Return the part of a routing that somebody chose; raises Conflict where that is none."""
    chosen = only(routing, lambda routed: takes(event, routed, now))
    if not chosen.sends:
        raise Conflict(LEFT_OUT)
    return chosen


def _unowed(routing: Routing) -> str:
    """Return why a replay owes nothing: to any destination, or to those that it was to go to."""
    if routing.sends:
        names = list(dict.fromkeys(routed.send.to for routed in routing.sends))
        return f"today's rules send it to {listed(names)} only"
    unowed = list(dict.fromkeys(verdict.unowed for verdict in routing.verdicts if verdict.unowed))
    return "; ".join(unowed) or "no route takes it today, so nothing new is owed"


def owe(routed: Sequence[RoutedEvent], skipped: Sequence[Skipped], transaction: Transaction) -> Outcome:
    """Owe what was planned, but for events that were pruned or blanked meanwhile."""
    still = transaction.events.lock_whole([new.event.id for new in routed])
    late = [Skipped(id=new.event.id, why=GONE) for new in routed if new.event.id not in still]
    replayed = [new for new in routed if new.event.id in still]
    if replayed:
        transaction.events.owe_anew(replayed)
    return _outcome(replayed, [*skipped, *late])


def _outcome(routed: Sequence[RoutedEvent], skipped: Sequence[Skipped]) -> Outcome:
    return Outcome(
        changed=tuple(new.event.id for new in routed),
        skipped=tuple(skipped),
        deliveries=Counter(send.send.to for new in routed for send in new.routing.sends),
    )


def _require_today(destinations: Collection[str], rules: Rules) -> None:
    """Raise NotFound for a name that is none of today's destinations."""
    for name in destinations:
        if name not in rules.config.destinations:
            raise no_destination(name, rules.config.destinations)


def send_test(store: Store, rules: Rules, destination: str) -> str:
    """Owe one marked message to a destination, through the real way, and return the delivery's id.

    Raises NotFound for a name that is not configured.
    """
    if destination not in rules.config.destinations:
        raise no_destination(destination, rules.config.destinations)
    data = {"destination": destination, "message": "If you can read this, the hub reaches you."}
    event = hub_event(catalog.TEST, data, datetime.now(UTC))
    max_age = rules.config.destinations[destination].max_age_seconds
    send = Send(to=destination, max_age_seconds=max_age)
    routing = Routing(sends=(RoutedSend(route="send-test", send=send),))

    def work(transaction: Transaction) -> str:
        transaction.events.insert([RoutedEvent(event=event, routing=routing)])
        return transaction.delivery_list.records(event=event.id)[0].id

    delivery_id = store.write(work)
    store.wake()
    return delivery_id
