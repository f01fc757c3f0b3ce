"""The words of a `hub.problem` event: a headline, its lines, and the same for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

from hub.health.alerts import Notice
from hub.health.facts import Facts
from hub.humanize import capitalised, counted
from hub.model.alert import AlertKind
from hub.model.delivery import State

SHOWN, REASON_LIMIT = 6, 160

_OVER = {
    AlertKind.DIED: "{name} accepts again",
    AlertKind.REFUSED: "No delivery to {name} is dead any more",
    AlertKind.PAUSED: "{name} goes on",
    AlertKind.FAILING: "{name} accepts again",
    AlertKind.RELOAD: "The configuration is as its files have it again",
    AlertKind.DISK: "The disk has room again",
    AlertKind.QUIET: "{name} sends again",
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
        if dead := facts.count(State.DEAD, name):
            remaining = counted(dead, "dead letter is left", "dead letters are left")
            yield _line("To do", f"{remaining}: hub retry --state dead --destination {name}")
        return
    waiting = counted(facts.count(State.PENDING, name), "delivery waits", "deliveries wait")
    waits = f"; {waiting}" if facts.count(State.PENDING, name) else ""
    since = f"{alert.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    yield _line("Problem", f"{finding.headline}, since {since}{waits}")
    if finding.reason:
        yield _line("Reason", finding.reason[:REASON_LIMIT])
    yield _line("To do", capitalised(finding.cure))


def _line(label: str, text: str) -> dict[str, str]:
    return {"label": label, "text": text}
