"""The words of acts: those of a dialog say before it what an act will do, those of an answer what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hub.humanize import counted, enumerated, sentence
from hub.operator import LARGEST, LEFT_OUT, Forecast, Refused, Share, Target

REFUSALS_SHOWN = 6
"""So many reasons of what an act is not done to are told; the rest are counted."""


class Verb(StrEnum):
    """An act as a dialog has it; of `resolve` there are two."""

    RETRY = "retry"
    REPLAY = "replay"
    CANCEL = "cancel"
    ARRIVED = "delivered"
    RESEND = "resend"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A target for people: `label` is its name, `detail` where it sends to, or who is outside.

    `waits` says why it sends nothing until somebody acts; empty where it does.
    """

    label: str
    detail: str = ""
    waits: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A row of a dialog, to tick: what an act does to one target."""

    target: Target
    place: Place
    count: int
    is_ticked: bool


@dataclass(frozen=True, kw_only=True)
class Dialog:
    """A dialog in words. Without choices nothing can be done, and `refusals` say why."""

    title: str
    will: str
    hint: str
    choices: tuple[Choice, ...]
    refusals: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Button:
    """A button that does it: its words around the number, which changes with the ticks."""

    before: str
    after: str = ""
    verb: Verb
    is_primary: bool = False


@dataclass(frozen=True, kw_only=True)
class Tally:
    """An act that was done: to how many things and, for each destination, to how many deliveries.

    `examples` has a delivery of each destination; `skipped` counts by reason what it was not done to.
    """

    changed: int = 0
    deliveries: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def handled(self) -> int:
        """The number of things that it was done to, or that it was not."""
        return self.changed + sum(self.skipped.values())

    def plus(self, other: Tally) -> Tally:
        """Return both as one."""
        return Tally(
            changed=self.changed + other.changed,
            deliveries=Counter(self.deliveries) + Counter(other.deliveries),
            examples={**self.examples, **other.examples},
            skipped=Counter(self.skipped) + Counter(other.skipped),
        )


BUTTONS = {
    "retry": (Button(before="Send ", verb=Verb.RETRY, is_primary=True),),
    "replay": (Button(before="Send ", verb=Verb.REPLAY),),
    "cancel": (Button(before="Cancel ", verb=Verb.CANCEL),),
    "resolve": (
        Button(before="Mark ", after=" as arrived", verb=Verb.ARRIVED),
        Button(before="Send ", after=" again", verb=Verb.RESEND),
    ),
}

_HINTS = {
    "retry": "Each is rendered anew from today's routes and keeps its id.",
    "replay": "By today's routes, as new messages: who has one already gets another.",
    "cancel": "What is canceled is not sent; Retry owes it again.",
    "resolve": "Sent again are the same bytes: what has arrived after all arrives twice.",
}


def dialog_of(act: str, forecast: Forecast, places: Mapping[Target, Place], asked: int) -> Dialog:
    """Return the dialog of an act on so many things."""
    can = forecast.count
    thing = "event" if act == "replay" else "message"
    choices = tuple(
        Choice(
            target=share.target,
            place=places[share.target],
            count=share.count,
            is_ticked=not (share.target.is_outside and act in ("retry", "replay")),
        )
        for share in forecast.shares
    )
    will = _will(act, forecast, choices) if choices else "Nothing of it can be done."
    if can and asked > can:
        will += f" {counted(asked - can, thing)} of the {asked:,} cannot be: see below."
    return Dialog(
        title=_title(act, asked, can),
        will=will,
        hint=_HINTS[act] if choices else "",
        choices=choices,
        refusals=tuple(_refusals(forecast.refused)),
    )


def _title(act: str, asked: int, can: int) -> str:
    if act == "resolve" and can:
        return f"{counted(can, 'message')} may have arrived"
    return f"{act.capitalize()} {counted(asked, 'event' if act == 'replay' else 'message')}"


def _will(act: str, forecast: Forecast, choices: Sequence[Choice]) -> str:
    """Return what an act does, with whom it reaches."""
    total = sum(choice.count for choice in choices)
    messages = counted(total, "message")
    if act == "resolve":
        names = enumerated([choice.place.label for choice in choices])
        it, them = ("It", "it") if total == 1 else ("They", "them")
        return f"{it} went out to {names} and no answer came. Look for {them} there, then say which it is."
    whom = _whom(choices)
    match act:
        case "retry":
            return f"Sends {messages} again{whom}."
        case "cancel":
            return f"Cancels {messages}{whom}."
    events = "" if forecast.count == 1 else f" of {forecast.count:,} events"
    return f"Sends {counted(total, 'new message')}{events}{whom}."


def _whom(choices: Sequence[Choice]) -> str:
    """Return whom messages are for, as the end of a sentence that says how many there are."""
    if len(choices) == 1:
        return f" to {_name(choices[0])}"
    return f": {_and([_part(choice) for choice in choices])}"


def _part(choice: Choice) -> str:
    name = _name(choice)
    if choice.target.is_outside:
        return f"{'one' if choice.count == 1 else f'{choice.count:,}'} to {name}"
    return name if choice.count == 1 else f"{choice.count:,} to {name}"


def _name(choice: Choice) -> str:
    if choice.target.is_outside:
        return choice.place.detail or "people outside"
    return choice.place.label


def _and(parts: Sequence[str]) -> str:
    """Return all parts in a sentence; of three the last has a comma before it: parts may have an `and`."""
    if len(parts) < 3:
        return " and ".join(parts)
    return f"{', '.join(parts[:-1])}, and {parts[-1]}"


def outsiders(addresses: Sequence[str], share: Share) -> str:
    """Return the people outside that a share reaches, as far as they are known."""
    shown = list(dict.fromkeys(addresses))[: len(share.examples)]
    if not shown:
        return ""
    rest = share.count - len(share.examples)
    return f"{', '.join(shown)} and {rest:,} more" if rest > 0 else enumerated(shown)


def _refusals(refused: Sequence[Refused]) -> Iterator[str]:
    for one in refused[:REFUSALS_SHOWN]:
        to = f" to {one.destination}" if one.destination else ""
        yield sentence(f"{one.count:,}{to}: {reason_of(one.why)}")
    rest = sum(one.count for one in refused[REFUSALS_SHOWN:])
    if rest:
        yield f"{rest:,} more, for other reasons."


def reason_of(why: str) -> str:
    """Return the reason alone of `it cannot be retried: …`."""
    beginning, colon, reason = why.partition(": ")
    return reason if colon and beginning.startswith("it cannot be ") else why


def answer_of(verb: Verb, tally: Tally, waits: Mapping[str, tuple[int, str]], is_cut: bool = False) -> str:
    """Return what an act did, what waits all the same, and what it was not done to, with why.

    `waits` has by destination how many wait, and why.
    """
    return " ".join([*_done(verb, tally, waits), *_not_done(tally), *_more(is_cut)])


def _done(verb: Verb, tally: Tally, waits: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    total = sum(tally.deliveries.values())
    if not tally.changed:
        yield "Nothing was done."
    elif verb is Verb.CANCEL:
        yield f"{_are(total)} canceled and will not be sent."
    elif verb is Verb.ARRIVED:
        yield f"{_are(total)} marked as arrived."
    else:
        waiting = sum(count for count, _ in waits.values())
        if total > waiting:
            new = f" new {'message' if total == 1 else 'messages'}" if verb is Verb.REPLAY else ""
            yield f"{total - waiting:,}{new} will be sent now."
        for count, why in waits.values():
            yield f"{count:,} {'waits' if count == 1 else 'wait'}: {why.rstrip('.')}."


def _not_done(tally: Tally) -> Iterator[str]:
    reasons = Counter(tally.skipped)
    chosen = reasons.pop(LEFT_OUT, 0)
    for why, count in reasons.most_common(REFUSALS_SHOWN):
        yield f"{count:,} {'was' if count == 1 else 'were'} not: {reason_of(why).rstrip('.')}."
    rest = sum(count for _, count in reasons.most_common()[REFUSALS_SHOWN:])
    if rest:
        yield f"{rest:,} more were not, for other reasons."
    if chosen:
        yield f"{chosen:,} {'was' if chosen == 1 else 'were'} left out, as you chose."


def _more(is_cut: bool) -> Iterator[str]:
    if is_cut:
        yield f"More are found: one act takes {LARGEST:,}, so do it again for the rest."


def _are(count: int) -> str:
    return f"{count:,} {'is' if count == 1 else 'are'}"
