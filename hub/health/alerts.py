"""Alerts as a pure decision: the findings that `problems:` is notified of now, given the alerts before.

An alert is sent once its finding has lasted for a moment, together with others; again an hour later at the
earliest, if more deliveries died, or a day later if it lasts; and once more when it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub import catalog
from hub.health.assess import assess
from hub.health.facts import Facts
from hub.model.alert import DEAD_LETTER_KINDS, Alert, AlertKey, AlertKind, DeadLetters
from hub.model.config import Config
from hub.model.delivery import Settlement, State
from hub.model.finding import HUB, Finding, FindingCode, FindingSeverity
from hub.model.routing import Send

AT_MOST_EVERY = timedelta(hours=1)
AGAIN_AFTER = timedelta(days=1)

PATIENCE = {
    AlertKind.DIED: timedelta(seconds=5),
    AlertKind.REFUSED: timedelta(seconds=5),
    AlertKind.PAUSED: timedelta(seconds=5),
    AlertKind.FAILING: timedelta(seconds=60),
    AlertKind.MIGRATION: timedelta(seconds=60),
    AlertKind.RELOAD: timedelta(seconds=5),
    AlertKind.DISK: timedelta(0),
    # What another process accepted meanwhile may be told up to 10 s late.
    AlertKind.TURNED_AWAY: timedelta(seconds=20),
    AlertKind.UNKNOWN_PATH: timedelta(seconds=20),
    AlertKind.SILENT: timedelta(0),
    AlertKind.DEGRADED: timedelta(seconds=5),
}
"""So long each must have lasted: what belongs together is told together, and a hiccup is no alert."""

KINDS = {
    FindingCode.PAUSED: AlertKind.PAUSED,
    FindingCode.FAILING: AlertKind.FAILING,
    FindingCode.MIGRATION: AlertKind.MIGRATION,
    FindingCode.RELOAD_REFUSED: AlertKind.RELOAD,
    FindingCode.DISK: AlertKind.DISK,
    FindingCode.REFUSED: AlertKind.TURNED_AWAY,
    FindingCode.UNKNOWN_PATH: AlertKind.UNKNOWN_PATH,
    FindingCode.SILENT: AlertKind.SILENT,
    FindingCode.DEGRADED: AlertKind.DEGRADED,
}
_OF_BROKEN_DESTINATIONS = (AlertKind.DIED, AlertKind.PAUSED, AlertKind.FAILING)
"""Alerts of a destination itself, through which nothing is told meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """An alert as it is told; `finding` is None once it is over, which had begun at `began`."""

    alert: Alert
    finding: Finding | None
    began: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Notices that go out together, and the send blocks that they go by."""

    sends: tuple[Send, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`alerts` are the memory once all `notifications` are owed; `undeliverable` nobody can be told now."""

    notifications: tuple[Notification, ...]
    undeliverable: tuple[Notice, ...]
    alerts: tuple[Alert, ...]
    forgotten: tuple[Alert, ...]


def dead_letters(settlements: Sequence[Settlement], gave_up: Mapping[str, int]) -> list[DeadLetters]:
    """Return the deliveries that died, by destination; those of `hub.problem` events do not count."""
    died: dict[str, DeadLetters] = {}
    for settlement in settlements:
        event, name = settlement.claim.event, settlement.claim.destination
        if settlement.state is State.DEAD and event.type != catalog.PROBLEM:
            secrets = catalog.secret_values(event.type, event.body)
            _add(died, name, 1, catalog.mask(settlement.reason or "", secrets))
    for name, count in gave_up.items():
        if count:
            _add(died, name, count, "they waited longer than give_up_after")
    return list(died.values())


def _add(died: dict[str, DeadLetters], name: str, count: int, reason: str) -> None:
    before = died[name].count if name in died else 0
    died[name] = DeadLetters(destination=name, count=before + count, reason=reason)


def decide(facts: Facts, config: Config) -> Decision:
    """Return the notifications that are due now, and the memory that is to be kept once they are owed."""
    known = {alert.key: alert for alert in facts.alerts}
    findings = dict(_alerting(facts))
    notices = [
        Notice(
            alert=_as_of_now(key, known.get(key), findings.get(key), facts.now),
            finding=findings.get(key),
            began=known[key].since if key in known else None,
        )
        for key in sorted(known | findings)
    ]
    broken = {subject for kind, subject in findings if kind in _OF_BROKEN_DESTINATIONS}
    batches: dict[tuple[int, ...], list[Notice]] = {}
    for notice in notices:
        if _is_due(notice.alert, facts.now):
            batches.setdefault(_sends_for(notice, config, broken), []).append(notice)
    undeliverable = batches.pop((), [])
    notified = {notice.alert.key for batch in batches.values() for notice in batch}
    alerts = [
        _notified(notice.alert, facts.now) if notice.alert.key in notified else notice.alert
        for notice in notices
    ]
    return Decision(
        notifications=tuple(
            Notification(sends=tuple(config.problems[index] for index in sends), notices=tuple(batch))
            for sends, batch in batches.items()
        ),
        undeliverable=tuple(undeliverable),
        alerts=tuple(alert for alert in alerts if not _is_forgotten(alert, facts.now)),
        forgotten=tuple(alert for alert in alerts if _is_forgotten(alert, facts.now)),
    )


def _alerting(facts: Facts) -> Iterator[tuple[AlertKey, Finding]]:
    """The findings that `problems:` hears of, by the alert that each is told as."""
    for finding in assess(facts):
        if finding.code is FindingCode.DEAD:
            yield from ((alert.key, finding) for alert in _lasting_dead_letters(finding.subject, facts))
        elif finding.code in KINDS and finding.severity is not FindingSeverity.NOTE:
            subject = "" if finding.subject == HUB else finding.subject
            yield (KINDS[finding.code], subject), finding


def _lasting_dead_letters(destination: str, facts: Facts) -> Iterable[Alert]:
    """Yield the alerts about dead letters that last.

    They are over once their destination accepts again, or nothing that it refused is dead any more.
    """
    for alert in facts.alerts:
        if alert.kind in DEAD_LETTER_KINDS and alert.subject == destination and alert.since is not None:
            is_known = facts.store is not None and destination in facts.store.states
            if alert.kind is AlertKind.REFUSED or not is_known or facts.state(destination).failures > 0:
                yield alert


def _as_of_now(key: AlertKey, known: Alert | None, finding: Finding | None, now: datetime) -> Alert:
    """Return an alert as its finding stands; those of dead letters keep their reason and count."""
    kind, subject = key
    alert = known or Alert(kind=kind, subject=subject)
    if finding is None:
        return replace(alert, since=None)
    if kind in DEAD_LETTER_KINDS:
        return alert
    if alert.since is not None:
        return alert
    # Only as it began: a reason that counts changes all the time, and with each change the row.
    return replace(alert, since=finding.since or now, reason=finding.reason, count=0, notified_count=0)


def _is_due(alert: Alert, now: datetime) -> bool:
    if alert.since is None:
        return alert.is_notified
    rested = _is_past(alert, AT_MOST_EVERY, now)
    if not alert.is_notified:
        return rested and now - alert.since >= PATIENCE[alert.kind]
    if alert.kind in DEAD_LETTER_KINDS:
        return rested and alert.count > alert.notified_count
    return _is_past(alert, AGAIN_AFTER, now)


def _sends_for(notice: Notice, config: Config, broken: set[str]) -> tuple[int, ...]:
    """Return positions in `problems:`, but for broken destinations and that of the dead letters itself."""
    is_of_dead_letters = notice.alert.kind in DEAD_LETTER_KINDS and notice.finding is not None
    avoided = broken | ({notice.alert.subject} if is_of_dead_letters else set())
    return tuple(
        index
        for index, send in enumerate(config.problems)
        if send.to not in avoided and config.destinations[send.to].enabled
    )


def _notified(alert: Alert, now: datetime) -> Alert:
    if alert.since is None:
        return replace(alert, is_notified=False)
    return replace(alert, notified_at=now, notified_count=alert.count, is_notified=True)


def _is_forgotten(alert: Alert, now: datetime) -> bool:
    """An alert that is over, and told so, is remembered for an hour, in case it begins anew."""
    if alert.since is not None or alert.is_notified:
        return False
    return _is_past(alert, AT_MOST_EVERY, now)


def _is_past(alert: Alert, wait: timedelta, now: datetime) -> bool:
    """Return True where it was told so long ago; what lies as far ahead was told by a clock that was."""
    return alert.notified_at is None or abs(now - alert.notified_at) >= wait
