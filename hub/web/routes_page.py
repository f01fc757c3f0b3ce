"""The page of the routes: those that take an event, and the places that each sends to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hub.catalog.redaction import Redaction
from hub.errors import NotFound
from hub.humanize import counted
from hub.ingest.route import Rules, is_ignored, match
from hub.model.config import Config
from hub.model.event import Event
from hub.model.routing import PROBLEMS, UNMATCHED, Route, Send, Verdict, event_matches
from hub.preview.drawing import pretty
from hub.store.store import Transaction

_TYPE = re.compile(r"[A-Za-z]\w*(\.\w+)+")
_EVENT_ID = re.compile(r"evt_[0-9a-f]{1,29}")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A destination that a route sends to; `type` is empty where it is gone."""

    name: str
    type: str
    is_off: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """A route as a row. `sign` is its verdict on what is asked for, `taken`, `open` or `not`; else empty."""

    name: str
    events: tuple[str, ...]
    sends: tuple[Send, ...]
    targets: tuple[Target, ...]
    when: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sign: str = ""
    words: str = ""

    def holds(self, text: str) -> bool:
        """Return True where the text stands in the name, an event, a condition or a destination."""
        texts = (self.name, *self.events, *self.when, *(target.name for target in self.targets))
        is_in = any(text.casefold() in held.casefold() for held in texts)
        return is_in or any(event_matches(text, event) for event in self.events)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The rows that are asked for, in `words`; `ignored_by` are sources that do not keep such events."""

    lines: Sequence[Line]
    words: str = ""
    ignored_by: Sequence[str] = ()
    is_judged: bool = False


def lines_of(config: Config) -> list[Line]:
    """Return the routes as rows, and behind them the blocks that stand for routes."""
    lines = [_line(route, config) for route in config.routes]
    if config.unmatched:
        lines.append(_block(UNMATCHED, "what no route takes", config.unmatched, config))
    if config.problems:
        lines.append(_block(PROBLEMS, "what the hub itself has to say", config.problems, config))
    return lines


def chosen(asked: str, name: str, event: Event | None, rules: Rules) -> Chosen:
    """Return the routes that somebody asks for: by an event, a type, any words, or the name of one."""
    config = rules.config
    lines = lines_of(config)
    if event is not None:
        judged = of_event(event, rules)
        words = f"{counted(len(judged), 'route is', 'routes are')} for {event.type}, by today's rules"
        return Chosen(lines=judged, words=words, ignored_by=ignoring(event.type, config), is_judged=True)
    if asked and is_type(asked, config):
        fitting = of_type(asked, config)
        words = f"{len(fitting)} of {counted(len(config.routes), 'route is', 'routes are')} for {asked}"
        return Chosen(lines=fitting, words=words, ignored_by=ignoring(asked, config), is_judged=True)
    if asked:
        lines = [line for line in lines if line.holds(asked)]
        return Chosen(lines=lines, words=f"{counted(len(lines), 'route')} with {asked}")
    if name:
        lines = [line for line in lines if line.name == name]
    return Chosen(lines=lines)


def asked_event(asked: str, snapshot: Transaction) -> tuple[Event | None, str]:
    """Return the event whose id is asked for, and the reason where there is none; neither for other texts."""
    if not _EVENT_ID.fullmatch(asked):
        return None, ""
    try:
        record = snapshot.event_list.record(asked)
    except NotFound:
        return None, "There is no event of that id; what is older than HUB_RETENTION was pruned."
    if record.payload is None:
        return None, "The payload of that event was pruned, so conditions cannot be tried on it."
    return record.event, ""


def fields_of(send: Send, redaction: Redaction) -> list[tuple[str, str]]:
    """Return a send block's fields as the user wrote them: texts as they are, structures as JSON."""
    redacted = redaction.anything(dict(send.fields))
    return [(name, value if isinstance(value, str) else pretty(value)) for name, value in redacted.items()]


def is_type(text: str, config: Config) -> bool:
    """Return True where a text that somebody searches for is a type of event, or could be one."""
    written = {event for route in config.routes for event in route.events if "*" not in event}
    return _TYPE.fullmatch(text) is not None or text in written


def of_type(type_: str, config: Config) -> list[Line]:
    """Return the routes that take events of a type, each with what it depends on."""
    chosen: list[Line] = []
    stopped_by = ""
    for line, route in zip(lines_of(config), config.routes, strict=False):
        if not any(event_matches(pattern, type_) for pattern in route.events):
            continue
        if not route.enabled:
            chosen.append(replace(line, sign="not", words="is switched off"))
        elif stopped_by:
            chosen.append(replace(line, sign="not", words=f"is not reached: {stopped_by} stops"))
        elif route.when:
            chosen.append(replace(line, sign="open", words="takes those for which its condition holds"))
        else:
            chosen.append(replace(line, sign="taken", words="takes every one"))
            stopped_by = route.name if route.stop and not route.sources else ""
    return chosen


def of_event(event: Event, rules: Rules) -> list[Line]:
    """Return the routes whose events fit a stored event, each with what it would do with it today."""
    verdicts = {verdict.route: verdict for verdict in match(rules, event).verdicts}
    fitting = {route.name for route in rules.fitting(event)}
    stops = [verdict.route for verdict in verdicts.values() if verdict.matched]
    judged = []
    for line in lines_of(rules.config):
        verdict = verdicts.get(line.name)
        if verdict is not None:
            judged.append(_judged(line, verdict, rules.redaction.of_event(event.type, event.payload)))
        elif line.name in fitting:
            judged.append(replace(line, sign="not", words=f"is not reached: {stops[-1]} stops"))
        elif line.name == UNMATCHED and not stops:
            judged.append(replace(line, sign="taken", words="takes it, as no route does"))
    return judged


def ignoring(type_: str, config: Config) -> list[str]:
    """Return the names of the sources that ignore a type: such an event is neither kept nor routed."""
    return [source.name for source in config.sources.values() if is_ignored(source, type_)]


def _line(route: Route, config: Config) -> Line:
    notes = [] if route.enabled else ["switched off"]
    notes += [f"only from {', '.join(route.sources)}"] if route.sources else []
    notes += ["stops here"] if route.stop else []
    return Line(
        name=route.name,
        events=route.events,
        sends=route.sends,
        targets=_targets(route.sends, config),
        when=route.when,
        notes=tuple(notes),
    )


def _block(name: str, words: str, sends: Sequence[Send], config: Config) -> Line:
    return Line(name=name, events=(), sends=tuple(sends), targets=_targets(sends, config), notes=(words,))


def _targets(sends: Iterable[Send], config: Config) -> tuple[Target, ...]:
    names = dict.fromkeys(send.to for send in sends)
    known = ((name, config.destinations.get(name)) for name in names)
    return tuple(
        Target(name=name, type=one.type if one else "", is_off=one is not None and not one.enabled)
        for name, one in known
    )


def _judged(line: Line, verdict: Verdict, redaction: Redaction) -> Line:
    if not verdict.matched:
        value = redaction.optional(verdict.value) or ""
        return replace(line, sign="not", words=f"does not take it: {verdict.condition}: {value}")
    skipped = [f"{one.to}: {one.condition}: {redaction.text(one.value)}" for one in verdict.sends]
    rest = "; ".join(filter(None, (verdict.unowed, *(f"not to {words}" for words in skipped))))
    return replace(line, sign="taken", words=f"takes it; {rest}" if rest else "takes it")
