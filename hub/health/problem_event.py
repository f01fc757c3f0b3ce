"""The words of a `hub.problem` event: a headline, its lines, and the same for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

from hub.health.alerts import Notice
from hub.health.facts import Facts
from hub.humanize import capitalised, counted
from hub.model.alert import Alert, AlertKind
from hub.model.delivery import State

SHOWN, REASON_LIMIT = 6, 160

_OF_SOURCES = (AlertKind.TURNED_AWAY, AlertKind.SILENT)

_OVER = {
    AlertKind.DIED: "{name} accepts again",
    AlertKind.REFUSED: "No delivery to {name} is dead any more",
    AlertKind.PAUSED: "{name} goes on",
    AlertKind.FAILING: "{name} accepts again",
    AlertKind.RELOAD: "The configuration is as its files have it again",
    AlertKind.DISK: "The disk has room again",
    AlertKind.TURNED_AWAY: "{name} is accepted again",
    AlertKind.UNKNOWN_PATH: "Signed requests no longer come to a path that no source has",
    AlertKind.SILENT: "{name} sends again",
}


def problem_data(notices: Sequence[Notice], facts: Facts, page: str) -> dict[str, Any]:
    """Return the data of a `hub.problem`. `page` is the status page's address; empty where it is not known.

    `facts` have counted the deliveries to each destination that a notice is about.
    """
    lines = [line for notice in notices[:SHOWN] for line in _lines(notice, facts)]
    if len(notices) > SHOWN:
        lines.append(_line("And", f"{len(notices) - SHOWN} more, on the status page"))
    if page:
        lines.append(_line("Page", page))
    return {
        "headline": "; ".join(map(headline, notices)),
        "lines": lines,
        "troubles": [_for_machines(notice) for notice in notices],
    }


def headline(notice: Notice) -> str:
    """Return an alert, or its end, in a few words."""
    if notice.finding is None:
        return _OVER[notice.alert.kind].format(name=notice.alert.subject)
    return notice.finding.headline


def _for_machines(notice: Notice) -> dict[str, Any]:
    alert = notice.alert
    return {
        "kind": alert.kind.value,
        "subject": alert.subject,
        "over": alert.since is None,
        "since": alert.since.isoformat() if alert.since else None,
        "count": alert.count,
        "reason": notice.finding.reason if notice.finding else alert.reason,
    }


def _lines(notice: Notice, facts: Facts) -> Iterator[dict[str, str]]:
    """All that a person needs to act: the problem and since when, the last reason, and the command to run."""
    alert, finding, name = notice.alert, notice.finding, notice.alert.subject
    if finding is None or alert.since is None:
        yield _line("Over", headline(notice))
        if alert.kind not in _OF_SOURCES and (dead := facts.count(State.DEAD, name)):
            remaining = counted(dead, "dead letter is left", "dead letters are left")
            yield _line("To do", f"{remaining}: hub retry --state dead --destination {name}")
        return
    yield _line("Problem", f"{finding.headline}{_since(alert)}{_waits(alert, facts)}")
    if finding.reason:
        yield _line("Reason", finding.reason[:REASON_LIMIT])
    yield _line("To do", capitalised(finding.cure))


def _since(alert: Alert) -> str:
    if alert.since is None or alert.kind is AlertKind.TURNED_AWAY:  # whose headline has its own
        return ""
    return f", since {alert.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _waits(alert: Alert, facts: Facts) -> str:
    """Return how many deliveries wait; a source may have the name of a destination."""
    pending = facts.count(State.PENDING, alert.subject)
    if not pending or alert.kind in _OF_SOURCES:
        return ""
    return f"; {counted(pending, 'delivery waits', 'deliveries wait')}"


def _line(label: str, text: str) -> dict[str, str]:
    return {"label": label, "text": text}
