"""Findings about a destination: its own state, and its deliveries that go no further by themselves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial

from hub.health.facts import Facts
from hub.health.places import server_of
from hub.health.status import DestinationStatus, status_of
from hub.health.words import failure_words, key_cure, pause_words, quoted, short, unanswered
from hub.humanize import counted, in_days, not_set, period
from hub.model.alert import DEAD_LETTER_KINDS
from hub.model.delivery import State
from hub.model.destination import DestinationConfig
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.model.stats import Degradation, Stuck, StuckCause

CAUSES = 3
"""So many causes of what died stand in a finding."""

TIMES = "\u00d7"

_EPOCH = datetime.fromtimestamp(0, UTC)
_GIVEN_UP, _GAVE_UP = "given up", "gave up"
_TEMPLATE_FAILED = "template failed: "
_LOOK_FOR = {"http": "webhook-id", "email": "its Message-ID"}


def destination_finding(name: str, facts: Facts) -> Finding | None:
    """Return the finding about a destination's own state; None where it takes messages."""
    about = partial(
        Finding, severity=FindingSeverity.BAD, subject=name, count=facts.count(State.PENDING, name)
    )
    match status_of(name, facts):
        case DestinationStatus.NOT_CONFIGURED:
            return _not_configured(name, facts)
        case DestinationStatus.PAUSED:
            return _paused(name, facts)
        case DestinationStatus.FAILING:
            return _failing(name, facts)
        case DestinationStatus.REMOVED:
            return about(
                code=FindingCode.REMOVED,
                headline=f"{name} is no longer in the configuration",
                cure="put it back, or cancel them",
            )
        case DestinationStatus.DISABLED:
            return about(
                code=FindingCode.SWITCHED_OFF,
                severity=FindingSeverity.WATCH,
                headline=f"{name} is switched off",
                reason="routes.yaml says enabled: false",
                cure="switch it on, or cancel them",
            )
        case _:
            return None


def _not_configured(name: str, facts: Facts) -> Finding:
    """A value that is no good is a mistake, and one that is not set yet nothing but work to do."""
    config = facts.destination_config(name)
    fault, missing = (config.fault, config.missing) if config is not None else ("", ())
    unset = not_set(missing) if missing else ""
    is_wrong = fault not in ("", unset)
    return Finding(
        code=FindingCode.NOT_CONFIGURED,
        severity=FindingSeverity.WATCH if is_wrong else FindingSeverity.NOTE,
        subject=name,
        headline=f"{name} is not configured",
        reason=fault or unset or None,
        count=facts.count(State.PENDING, name),
        cure="mend it and restart; the value is not shown" if is_wrong else _set(missing),
    )


def _set(missing: tuple[str, ...]) -> str:
    return f"set {'it' if len(missing) == 1 else 'them'} and restart" if missing else "set its variables"


def _paused(name: str, facts: Facts) -> Finding:
    config, state = facts.destination_config(name), facts.state(name)
    words = pause_words(name, state.paused_reason, config.written if config is not None else {})
    return Finding(
        code=FindingCode.PAUSED,
        severity=FindingSeverity.BAD,
        subject=name,
        headline=words.headline,
        since=state.paused_at,
        count=facts.count(State.PENDING, name),
        cure=words.cure or "resume it once it may go on",
    )


def _failing(name: str, facts: Facts) -> Finding:
    config, state = facts.destination_config(name), facts.state(name)
    count = facts.count(State.PENDING, name)
    is_mail = config is not None and config.type == "email"
    server = server_of(config) if config is not None and is_mail else None
    words = failure_words(name, server, state.last_error, state.last_answer)
    cure = words.cure or (key_cure(state.last_error, config.written) if config is not None else "")
    return Finding(
        code=FindingCode.FAILING,
        severity=FindingSeverity.BAD,
        subject=name,
        headline=words.headline,
        reason=words.quote or None,
        since=state.failing_since,
        count=count,
        cure=cure or f"look at {name}; the rest is sent by itself",
        next_try=state.probe_at if count else None,
    )


def dead_finding(name: str, count: int, facts: Facts) -> Finding:
    """Return the finding about a destination's dead letters."""
    stuck = _stuck(name, State.DEAD, facts)
    alerts = [alert for alert in facts.alerts if alert.subject == name and alert.kind in DEAD_LETTER_KINDS]
    latest = max(alerts, key=lambda alert: alert.since or _EPOCH, default=None)
    reason = _causes(stuck, facts.destination_config(name)) or (latest.reason if latest else None)
    return Finding(
        code=FindingCode.DEAD,
        severity=FindingSeverity.WATCH,
        subject=name,
        headline=f"{counted(count, 'message')} to {name} will not be tried again",
        reason=reason,
        since=stuck.since or (latest.since if latest else None),
        count=count,
        cure=f"mend the cause, then retry {'it' if count == 1 else 'them'}",
    )


def _causes(stuck: Stuck, config: DestinationConfig | None) -> str:
    """Return the most frequent causes that deliveries died of, each with its number."""
    counts: Counter[str] = Counter()
    for cause in stuck.causes:
        counts[_cause(cause, config)] += cause.count
    parts = [f"{count:,} {TIMES} {cause}" for cause, count in counts.most_common(CAUSES)]
    others = len(counts) - len(parts)
    return ", ".join(parts) + (f", and {counted(others, 'other cause')}" if others > 0 else "")


def _cause(cause: StuckCause, config: DestinationConfig | None) -> str:
    if cause.reason.startswith(_GIVEN_UP):
        return f"{_GAVE_UP} after {in_days(period(config.give_up_after_seconds))}" if config else _GAVE_UP
    return " ".join(filter(None, (short(cause.reason) or "no reason was kept", quoted(cause.answer))))


def held_finding(name: str, count: int, facts: Facts) -> Finding:
    """Return the finding about what may have arrived, with what waits where the destination fails."""
    config, stuck = facts.destination_config(name), _stuck(name, State.HELD, facts)
    reason = unanswered(stuck.causes[0].reason) if stuck.causes and stuck.causes[0].reason else None
    look_for = _LOOK_FOR.get(config.type if config is not None else "", "the message")
    which = "it" if count == 1 else "each"
    return Finding(
        code=FindingCode.HELD,
        severity=FindingSeverity.WATCH,
        subject=name,
        headline=f"{counted(count, 'message')} to {name} may have arrived",
        reason=reason,
        since=stuck.since,
        count=count,
        cure=f"look there for {look_for}; then mark {which} as arrived or send it again",
    )


def _stuck(name: str, state: State, facts: Facts) -> Stuck:
    return facts.store.stuck.get((name, state), Stuck()) if facts.store is not None else Stuck()


def degraded_finding(degradation: Degradation) -> Finding:
    """Return the finding about messages that went out in another form than their send block has."""
    failed = degradation.reason.startswith(_TEMPLATE_FAILED)
    form = "without your template" if failed else "in another form"
    return Finding(
        code=FindingCode.DEGRADED,
        severity=FindingSeverity.WATCH,
        subject=degradation.destination,
        headline=f"{counted(degradation.count, 'message')} went out {form}",
        reason=_template_place(degradation.reason) or None,
        since=degradation.since,
        count=degradation.count,
        cure="readers got the built-in message" if failed else "mend what the reason names",
    )


def _template_place(reason: str) -> str:
    """Return why a message was degraded: its file, the line and the error where its template failed."""
    text = reason.removeprefix(_TEMPLATE_FAILED)
    file, _, rest = text.partition(":")
    line, _, message = rest.partition(": ")
    return f"`{file}`, line {line}: {message}" if text != reason and line.isdigit() else text
