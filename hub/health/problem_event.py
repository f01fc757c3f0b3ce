"""The data of a `hub.problem` event: a headline, its lines, and the findings that these tell of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from hub.health.alerts import KINDS, Notice
from hub.health.facts import Facts
from hub.humanize import capitalised, counted
from hub.model.alert import DEAD_LETTER_KINDS, Alert, AlertKind
from hub.model.delivery import State
from hub.model.finding import HUB, WAITING_CODES, FindingCode, FindingSeverity

SHOWN, REASON_LIMIT = 6, 160

_OF_SOURCES = (AlertKind.TURNED_AWAY, AlertKind.SILENT)

_DATED = (AlertKind.TURNED_AWAY, AlertKind.SILENT, AlertKind.RELOAD)

_CODES = {kind: code for code, kind in KINDS.items()} | dict.fromkeys(DEAD_LETTER_KINDS, FindingCode.DEAD)

_OVER = {
    AlertKind.DIED: "{name} works again",
    AlertKind.REFUSED: "No delivery to {name} is dead any more",
    AlertKind.PAUSED: "{name} goes on",
    AlertKind.FAILING: "{name} works again",
    AlertKind.MIGRATION: "{name} has the tables that it waited for",
    AlertKind.RELOAD: "The configuration is as its files have it again",
    AlertKind.DISK: "The disk has room again",
    AlertKind.TURNED_AWAY: "{name} is accepted again",
    AlertKind.UNKNOWN_PATH: "Signed requests no longer come to a path that no source has",
    AlertKind.SILENT: "{name} sends again",
    AlertKind.DEGRADED: "No more messages to {name} go out in another form",
}


@dataclass(frozen=True, kw_only=True)
class Particulars:
    """Facts that are looked up for a notification alone, by destination.

    `sent` are the deliveries that arrived since what is over began.
    """

    sent: Mapping[str, int] = field(default_factory=dict)


def problem_data(
    notices: Sequence[Notice], facts: Facts, page: str, particulars: Particulars
) -> dict[str, Any]:
    """Return the data of a `hub.problem`. `page` is the status page's address; empty where it is not known.

    `facts` have counted the deliveries to each destination that a notice is about. Each of `findings` has the
    fields that the API answers and `command`; beside them `last_error`, `last_answer` and `next_try` while a
    destination fails, and where it is over `over`, `lasted_seconds` and `sent`.
    """
    findings = [
        _finding(notice, facts) if _is_open(notice) else _over(notice, facts, particulars)
        for notice in notices
    ]
    lines = [line for notice in notices[:SHOWN] for line in _lines(notice, facts)]
    if len(notices) > SHOWN:
        lines.append(_line("And", f"{len(notices) - SHOWN} more, on the status page"))
    if page:
        lines.append(_line("Page", page))
    return {
        "headline": "; ".join(dict.fromkeys(map(headline, notices))),
        "lines": lines,
        # A destination may both have failed and have let deliveries die: its end is one.
        "findings": list(
            {(finding["subject"], finding["headline"]): finding for finding in findings}.values()
        ),
    }


def headline(notice: Notice) -> str:
    """Return an alert, or its end, in a few words."""
    if notice.finding is None:
        return _OVER[notice.alert.kind].format(name=notice.alert.subject)
    return notice.finding.headline


def _is_open(notice: Notice) -> bool:
    return notice.finding is not None and notice.alert.since is not None


def _finding(notice: Notice, facts: Facts) -> dict[str, Any]:
    alert, finding = notice.alert, notice.finding
    assert finding is not None
    since = alert.since.isoformat() if alert.since else None
    fields = {**finding.fields, "since": since, "command": finding.command}
    if finding.code in WAITING_CODES:
        fields["count"] = facts.count(State.PENDING, alert.subject)
    if finding.code is FindingCode.FAILING:
        state = facts.state(alert.subject)
        fields["last_error"], fields["last_answer"] = state.last_error, state.last_answer
        fields["next_try"] = state.probe_at.isoformat() if state.probe_at else None
    return fields


def _over(notice: Notice, facts: Facts, particulars: Particulars) -> dict[str, Any]:
    """Return the end of a finding in the form of one."""
    alert = notice.alert
    return {
        "code": _CODES[alert.kind],
        "severity": FindingSeverity.NOTE,
        "subject": alert.subject or HUB,
        "headline": headline(notice),
        "reason": alert.reason,
        "since": None,
        "count": None,
        "cure": _remaining(notice, facts),
        "over": True,
        "lasted_seconds": int((facts.now - notice.began).total_seconds()) if notice.began else None,
        "sent": particulars.sent.get(alert.subject, 0),
    }


def _remaining(notice: Notice, facts: Facts) -> str:
    """Return what to do about the dead letters that an end leaves; empty where there are none."""
    alert, name = notice.alert, notice.alert.subject
    if alert.kind in _OF_SOURCES or not (dead := facts.count(State.DEAD, name)):
        return ""
    remaining = counted(dead, "dead letter is left", "dead letters are left")
    return f"{remaining}: hub retry --state dead --destination {name}"


def _lines(notice: Notice, facts: Facts) -> Iterator[dict[str, str]]:
    """All that a person needs to act: the problem and since when, the last reason, and the command to run."""
    alert, finding = notice.alert, notice.finding
    if finding is None or alert.since is None:
        yield _line("Over", headline(notice))
        if remaining := _remaining(notice, facts):
            yield _line("To do", remaining)
        return
    yield _line("Problem", f"{finding.headline}{_since(alert)}{_waits(alert, facts)}")
    if finding.reason:
        yield _line("Reason", finding.reason[:REASON_LIMIT])
    yield _line("To do", capitalised(": ".join(filter(None, (finding.cure, finding.command)))))


def _since(alert: Alert) -> str:
    if alert.since is None or alert.kind in _DATED:  # whose headline has its own
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
