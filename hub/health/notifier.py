"""The notifier: it owes a message to the destinations that `problems:` names, once an alert is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from hub import catalog
from hub.errors import StoreError
from hub.health.alerts import Decision, Notice, Notification, decide
from hub.health.assess import assess
from hub.health.facts import Facts, notifier_facts, with_counts
from hub.health.problem_event import Particulars, headline, problem_data
from hub.ingest.fanout import hub_event
from hub.ingest.route import Rules, condition_summary, holding
from hub.model.alert import Alert
from hub.model.finding import FindingCode
from hub.model.routing import PROBLEMS, RoutedSend, Routing, Verdict
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store, Transaction
from hub.templating.lazy_summary import LazySummary

log = structlog.get_logger()


class Notifier:
    """One process's watch over the whole hub. Any number may watch: the store decides who notifies."""

    def __init__(self, store: Store, public_url: str) -> None:
        self._store = store
        self._page = public_url
        self._undeliverable: set[str] = set()
        self._removed: set[str] = set()

    def notify(self, rules: Rules) -> None:
        """Owe the messages that are due; called on a clock. Without a database the next call does."""
        try:
            with self._store.read() as snapshot:
                facts = notifier_facts(snapshot, rules.config, self._store.disk_space())
                self._log_removed(facts)
                if not rules.config.problems:
                    return
                decision = decide(facts, rules.config)
                facts = with_counts(facts, snapshot, _subjects(decision))
                particulars = _particulars(decision, snapshot)
            self._log_undeliverable(decision.undeliverable)
            if set(decision.alerts) != set(facts.alerts):
                self._owe(facts, decision, particulars, rules)
        except StoreError as error:
            log.warning("problems.not_looked_for", error=str(error))

    def _owe(self, facts: Facts, decision: Decision, particulars: Particulars, rules: Rules) -> None:
        """Keep the memory and owe the messages, unless another process changed the memory meanwhile."""
        owed = [
            _owed(
                notification, problem_data(notification.notices, facts, self._page, particulars), facts, rules
            )
            for notification in decision.notifications
        ]
        if not self._store.write(lambda transaction: _save(transaction, facts.alerts, decision, owed)):
            return
        for routed in owed:
            names, event = [sent.send.to for sent in routed.routing.sends], routed.event
            log.warning("problems.told", event_id=event.id, destinations=names, what=event.data["headline"])
        if owed:
            self._store.wake()

    def _log_undeliverable(self, notices: Sequence[Notice]) -> None:
        headlines = {headline(notice) for notice in notices}
        for line in sorted(headlines - self._undeliverable):
            log.error("problems.unsaid", what=line, why="what problems: names is itself in trouble")
        self._undeliverable = headlines

    def _log_removed(self, facts: Facts) -> None:
        removed = {finding.subject for finding in assess(facts) if finding.code is FindingCode.REMOVED}
        for name in sorted(removed - self._removed):
            log.warning(
                "destination.removed",
                destination=name,
                why="it is owed deliveries, but no longer in the configuration: they wait",
            )
        self._removed = removed


def _subjects(decision: Decision) -> set[str]:
    """The destinations that the notifications are about."""
    return {
        notice.alert.subject
        for notification in decision.notifications
        for notice in notification.notices
        if notice.alert.subject
    }


def _particulars(decision: Decision, snapshot: Transaction) -> Particulars:
    notices = [notice for notification in decision.notifications for notice in notification.notices]
    over = {
        notice.alert.subject: notice.began
        for notice in notices
        if notice.finding is None and notice.began is not None and notice.alert.subject
    }
    return Particulars(
        sent={name: snapshot.numbers.delivered_since(name, began) for name, began in over.items()},
    )


def _save(
    transaction: Transaction,
    known: Sequence[Alert],
    decision: Decision,
    owed: Sequence[RoutedEvent],
) -> bool:
    """Return False where others notified, or deliveries died, since the facts were looked up."""
    transaction.alerts.lock()
    if set(transaction.alerts.all()) != set(known):
        return False
    transaction.alerts.save(decision.alerts, decision.forgotten)
    for routed in owed:
        transaction.events.insert([routed])
    return True


def _owed(notification: Notification, data: Mapping[str, Any], facts: Facts, rules: Rules) -> RoutedEvent:
    event = hub_event(catalog.PROBLEM, data, facts.now)
    routed = [RoutedSend(route=PROBLEMS, send=send) for send in notification.sends]
    summary = LazySummary(lambda: condition_summary(event, rules.config))
    sends, unowed = holding(routed, event, rules, summary)
    verdicts = (Verdict(route=PROBLEMS, matched=True, sends=unowed),) if unowed else ()
    routing = Routing(sends=tuple(sends), verdicts=verdicts, version=rules.config.version)
    return RoutedEvent(event=event, routing=routing)
