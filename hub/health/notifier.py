"""Tells what the hub itself has to say: looks for troubles and owes a message to what `problems:` names."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from hub import catalog
from hub.errors import StoreError
from hub.health.alerts import Decision, Look, Telling, decide, headline, message
from hub.ingest.fanout import hub_event
from hub.ingest.route import Rules
from hub.model.alert import Alert
from hub.model.config import Config
from hub.model.event import Event
from hub.model.routing import Matched, Routing
from hub.model.stats import DiskSpace
from hub.store.store import Store, Transaction

ROUTE = "problems"
"""Stands as the route's name in deliveries of the `problems` block."""

KEPT_REFUSAL = "config_refusal"
"""The shared value, kept by `hub.reload` above, that holds what was wrong with the last edit."""

log = structlog.get_logger()


class Notifier:
    """One worker's eye on the whole hub. Any number may look: the store decides who tells."""

    def __init__(self, store: Store, public_url: str) -> None:
        self._store = store
        self._page = public_url
        self._unsaid: set[str] = set()
        self._removed: set[str] = set()

    def notify(self, rules: Rules) -> None:
        """Look once, and owe what is to be told. A database that does not answer is asked the next time."""
        try:
            with self._store.read() as reading:
                self._log_removed(
                    set(reading.reports.pending_destinations()) - set(rules.config.destinations)
                )
                if not rules.config.problems:
                    return
                kept = reading.alerts.all()
                look = look_at(reading, kept, rules.config, self._store.disk_space())
                decision = decide(kept, look, rules.config)
                events = [
                    (_event(telling, reading, look, self._page), telling) for telling in decision.tellings
                ]
            self._log_unsaid({headline(each, look.now) for each in decision.unsaid})
            if set(decision.kept) != set(kept):
                self._tell(kept, decision, events)
        except StoreError as error:
            log.warning("problems.not_looked_for", error=str(error))

    def _tell(self, kept: list[Alert], decision: Decision, events: Sequence[tuple[Event, Telling]]) -> None:
        def work(transaction: Transaction) -> bool:
            transaction.alerts.lock()
            if set(transaction.alerts.all()) != set(kept):
                # Somebody else told or noted something meanwhile: the next look sees it.
                return False
            transaction.alerts.save(decision.kept, decision.forgotten)
            for event, telling in events:
                routing = Routing(matched=(Matched(route=ROUTE, sends=telling.sends),), verdicts=())
                transaction.events.add(event, routing)
                transaction.events.add_deliveries(event, routing)
            return True

        if self._store.write(work):
            for event, telling in events:
                names = [send.to for send in telling.sends]
                log.warning(
                    "problems.told", event_id=event.id, destinations=names, what=event.data["headline"]
                )
            if events:
                self._store.wake()

    def _log_unsaid(self, unsaid: set[str]) -> None:
        for what in sorted(unsaid - self._unsaid):
            log.error("problems.unsaid", what=what, why="what problems: names is itself in trouble")
        self._unsaid = unsaid

    def _log_removed(self, removed: set[str]) -> None:
        for name in sorted(removed - self._removed):
            log.warning(
                "destination.removed",
                destination=name,
                why="it is owed deliveries, but no longer in the configuration: they wait",
            )
        self._removed = removed


def look_at(reading: Transaction, kept: Sequence[Alert], config: Config, room: DiskSpace | None) -> Look:
    """All that tells whether there is a trouble, as the store has it now."""
    asks = config.sources if config.quiet_after_seconds is not None else {}
    received = {name: reading.reports.last_received(name) for name in asks}
    return Look(
        now=reading.now,
        states=reading.destinations.all(),
        room=room,
        refusal=reading.settings.get(KEPT_REFUSAL) or "",
        dead={each.subject: reading.reports.dead(each.subject) for each in kept if each.count},
        last_received={name: at for name, at in received.items() if at is not None},
    )


def _event(telling: Telling, reading: Transaction, look: Look, page: str) -> Event:
    subjects = {each.subject for each in telling.troubles}
    data = message(
        telling.troubles,
        now=look.now,
        waiting={name: reading.reports.waiting(name) for name in subjects},
        dead={name: reading.reports.dead(name) for name in subjects},
        page=page,
    )
    return hub_event(catalog.PROBLEM, data, look.now)
