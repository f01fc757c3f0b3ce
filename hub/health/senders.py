"""Findings about sources: no secret, requests that are refused, and a silence that lasts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

from hub.health.facts import Facts
from hub.humanize import clock, counted, enumerated, in_days, span
from hub.model.config import SourceConfig
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.model.source import Refusals, SourceState

REFUSED_AT_LEAST = 5
"""Fewer refusals make no finding: any stranger may try a few times."""

_ANSWERS = "the sender's dashboard shows what the hub answers"
_RESENDS = "then let the sender send again what was refused"


def sources(facts: Facts) -> Iterator[Finding]:
    """Judge each source: can it verify, are its requests accepted, does it send?"""
    for source in facts.config.sources.values() if facts.config is not None else ():
        state = facts.source(source.name)
        if not source.signing.secrets:
            yield _not_configured(source, state, facts.now, facts.zone)
        if _is_refused(state) and state.refused is not None:
            yield _refused(source, state.refused, state.accepted_at, facts.now, facts.zone)
        elif source.signing.secrets:
            yield from _silent(source, state.accepted_at, facts.now)
    yield from _astray(facts)


def _astray(facts: Facts) -> Iterator[Finding]:
    """Judge the signed requests that no source took, for the path that they came to is none's."""
    count = facts.store.astray if facts.store is not None else 0
    if count >= REFUSED_AT_LEAST and facts.config is not None:
        paths = enumerated(sorted(source.path for source in facts.config.sources.values()))
        yield Finding(
            code=FindingCode.UNKNOWN_PATH,
            severity=FindingSeverity.WATCH,
            headline=f"{count:,} signed requests came to a path that no source has",
            reason="of this hour and the last",
            count=count,
            cure=f"see the URL of the endpoint in the sender's dashboard; requests are received at {paths}",
        )


def clocks(facts: Facts) -> Iterator[Finding]:
    """Judge this machine's clock by the times that senders signed and that were refused."""
    for name in facts.config.sources if facts.config is not None else ():
        refused = facts.source(name).refused
        late = refused.counts.get("invalid_timestamp", 0) if refused is not None else 0
        if refused is None or refused.clock_ahead_seconds is None or late < REFUSED_AT_LEAST:
            continue
        ahead = refused.clock_ahead_seconds
        yield Finding(
            code=FindingCode.CLOCK,
            severity=FindingSeverity.BAD,
            headline=f"This machine's clock is {span(abs(ahead))} {_ahead_of(ahead)} that of {name}",
            reason=f"{late:,} requests with another time than now were refused",
            since=refused.since,
            cure="set the clock (NTP): requests whose time stamp is five minutes away are refused",
        )


def _ahead_of(seconds: float) -> str:
    return "ahead of" if seconds > 0 else "behind"


def _is_refused(state: SourceState) -> bool:
    """Return True where requests are refused and none is accepted.

    A source that never accepted any is being set up while it has no secret: its sender sends them again.
    """
    if state.refused is None or state.refused.count < REFUSED_AT_LEAST:
        return False
    return state.accepted_at is not None or state.refused.code != "not_configured"


def _not_configured(source: SourceConfig, state: SourceState, now: datetime, zone: tzinfo) -> Finding:
    signing = source.signing
    reasons = [signing.fault]
    if state.refused is not None and not _is_refused(state):
        reasons.append(f"{state.refused.count} refused since {clock(state.refused.since, now, zone)}")
    return Finding(
        code=FindingCode.NOT_CONFIGURED,
        severity=FindingSeverity.NOTE,
        subject=source.name,
        headline=f"{source.name} has no signing secret, so {source.path} answers 503",
        reason="; ".join(reasons),
        cure=f"set {enumerated(signing.missing) or 'signing_secret'} where the hub runs",
    )


def _refused(
    source: SourceConfig, refused: Refusals, accepted_at: datetime | None, now: datetime, zone: tzinfo
) -> Finding:
    reason, cure = _why(source, refused)
    last = "none was ever genuine"
    if accepted_at is not None:
        last = f"the last genuine one came {clock(accepted_at, now, zone)}"
    since = clock(refused.since, now, zone)
    return Finding(
        code=FindingCode.REFUSED,
        severity=FindingSeverity.BAD,
        subject=source.name,
        headline=f"{source.name}: {counted(refused.count, 'request')} refused since {since}, none accepted",
        reason=f"{reason}; {last}.",
        since=refused.since,
        count=refused.count,
        cure=cure,
    )


def _why(source: SourceConfig, refused: Refusals) -> tuple[str, str]:
    """Return why most requests were refused, and the cure."""
    names = enumerated(source.signing.variables) or "signing_secret"
    match refused.code:
        case "invalid_signature":
            cure = f"{_sender(source)} tries again for 27 h: put the endpoint's secret in"
            return f"no signature fits {names}", cure
        case "invalid_timestamp":
            cure = f"set the clock of this machine (NTP); {_RESENDS}"
            return _lateness(refused.clock_ahead_seconds), cure
        case "invalid_payload":
            return "their bodies are no events", f"{_ANSWERS}: it says what is wrong with them"
        case "payload_too_large":
            return "they are too large", f"{_ANSWERS}; let it send less"
        case "method_not_allowed":
            return (
                "they do not come by POST",
                "see what stands between sender and hub: it must pass POST on",
            )
        case "not_configured":
            fault = source.signing.fault or f"{names} was not set where the hub runs"
            return fault, f"set {names} where the hub runs; {_RESENDS}"
        case _:
            return "the hub made a mistake", "see event.failed in the hub's log, and report it"


def _lateness(ahead: float | None) -> str:
    """Return what is wrong with the time stamps of refused requests."""
    if ahead is None:
        return "their time stamps are more than five minutes from this machine's clock"
    return f"their time stamps are {span(abs(ahead))} {_ahead_of(-ahead)} this machine's clock"


def _silent(source: SourceConfig, accepted_at: datetime | None, now: datetime) -> Iterator[Finding]:
    if source.max_silence_seconds is None or accepted_at is None:
        return
    silence = now - accepted_at
    if silence > timedelta(seconds=source.max_silence_seconds):
        lasted = in_days(span(silence.total_seconds()))
        yield Finding(
            code=FindingCode.SILENT,
            severity=FindingSeverity.WATCH,
            subject=source.name,
            headline=f"{source.name} sent nothing for {lasted} (`max_silence`)",
            since=accepted_at,
            cure=f"look in {_sender(source)} under Webhooks whether the endpoint is disabled",
        )


def _sender(source: SourceConfig) -> str:
    """Return the name of the service behind a source, as its dashboard has it."""
    return source.type.capitalize()
