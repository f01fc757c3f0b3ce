"""The hub's own events: a test message, and problems with their ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from hub.catalog.event_types import Wording
from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Data, Facts, Occurrence
from hub.humanize import counted, day, moment, span
from hub.model.finding import HUB, WAITING_CODES, FindingCode
from hub.model.summary import Tone

TEST = "hub.test"
PROBLEM = "hub.problem"

_TONES = {"bad": Tone.BAD, "watch": Tone.WATCH}

_LASTING = (FindingCode.FAILING, FindingCode.PAUSED)
"""Findings whose headline goes on with since when."""

_DATED = (FindingCode.REFUSED, FindingCode.UNKNOWN_PATH, FindingCode.SILENT)
"""Findings whose headline says that by itself."""

_TROUBLE = "{headline|The hub has a problem}[ since {since}]"
_END = "{headline|A problem is over}[ after {after}]"

_FIELDS = {
    "Since": "{began}",
    "Waiting": "{waiting}",
    "Last error": "{error}",
    "Last answer": "{answer}",
    "Reason": "{reason}",
    "Next try": "{next_try}",
    "Sent since": "{sent}",
}


def test(occurrence: Occurrence) -> tuple[Facts, Wording]:
    """Return the facts of a `hub.test` and its message."""
    destination = reading.text(occurrence.data, "destination")
    headline = "Test message from your hub[ to {destination}]"
    return (
        Facts(texts={"destination": destination}, details=("[TEST] It works; nothing to do",)),
        Wording(tone=Tone.PLAIN, headline=headline, about="{destination|Test}"),
    )


def problem(occurrence: Occurrence) -> tuple[Facts, Wording]:
    """Return the facts of a `hub.problem` and its message: of one finding, of several, or of their end.

    Its data has `findings` as the API answers them; what more they have is in `problem_event.py`.
    """
    findings = reading.items(occurrence.data, "findings")
    if len(findings) == 1:
        return _of_one(findings[0], occurrence)
    if findings:
        return _of_several(findings)
    texts = {"headline": reading.text(occurrence.data, "headline")}
    headline = "{headline|The hub has a problem}"
    return Facts(texts=texts), Wording(tone=Tone.BAD, headline=headline, about="{headline|The hub}")


MESSAGES: Mapping[str, Callable[[Occurrence], tuple[Facts, Wording]]] = {TEST: test, PROBLEM: problem}


def _of_one(finding: Data, occurrence: Occurrence) -> tuple[Facts, Wording]:
    texts = {"headline": reading.text(finding, "headline"), "about": _subject(finding)}
    cure = ": ".join(filter(None, (reading.text(finding, "cure"), reading.text(finding, "command"))))
    more, headline = (_end(finding), _END) if _is_over(finding) else (_trouble(finding, occurrence), _TROUBLE)
    wording = Wording(tone=_tone(finding), headline=headline, about="{about}", fields=_FIELDS)
    return Facts(texts={**texts, **more}, details=(cure and f"What to do: {cure}",)), wording


def _trouble(finding: Data, occurrence: Occurrence) -> dict[str, str]:
    error, subject = reading.text(finding, "last_error"), _subject(finding)
    answered = error.removeprefix("answered ")
    code, since = reading.text(finding, "code"), _clock(finding, "since", occurrence)
    return {
        **({"headline": f"{subject} answers {answered}"} if answered != error else {}),
        "since": since if code in _LASTING else "",
        "began": "" if code in (*_LASTING, *_DATED) else since,
        "waiting": _waiting(finding),
        "error": "" if answered != error else error,
        "answer": reading.text(finding, "last_answer"),
        "reason": "" if error else reading.text(finding, "reason"),
        "next_try": _clock(finding, "next_try", occurrence),
    }


def _end(finding: Data) -> dict[str, str]:
    lasted = reading.value(finding, "lasted_seconds")
    after = span(lasted) if isinstance(lasted, int) and lasted > 0 else ""
    return {"after": after, "sent": _deliveries(finding, "sent")}


def _of_several(findings: list[Data]) -> tuple[Facts, Wording]:
    """Tell those that are open first; those that are over alone where nothing else is."""
    open_ones = sorted((finding for finding in findings if not _is_over(finding)), key=_rank)
    subjects = ", ".join(dict.fromkeys(map(_subject, open_ones or findings)))
    by_subject: dict[str, list[str]] = {}
    for finding in [*open_ones, *filter(_is_over, findings)]:
        by_subject.setdefault(_subject(finding), []).append(_predicate(finding))
    texts = {f"finding_{number}": "; ".join(lines) for number, lines in enumerate(by_subject.values())}
    things = counted(len(open_ones or findings), "thing")
    verbs = ("needs you" if len(open_ones) == 1 else "need you") if open_ones else "are all right again"
    wording = Wording(
        tone=_tone(open_ones[0]) if open_ones else Tone.GOOD,
        headline="{things} {verbs}: {subjects}",
        about="{subjects}",
        fields={subject: f"{{finding_{number}}}" for number, subject in enumerate(by_subject)},
    )
    return Facts(texts={**texts, "things": things, "verbs": verbs, "subjects": subjects}), wording


def _subject(finding: Data) -> str:
    subject = reading.text(finding, "subject")
    return "the hub" if subject in ("", HUB) else subject


def _predicate(finding: Data) -> str:
    """Return a headline without its subject, which stands beside it."""
    headline, subject = reading.text(finding, "headline"), re.escape(_subject(finding))
    return re.sub(rf"^{subject}(: | )", "", headline)


def _is_over(finding: Data) -> bool:
    return reading.value(finding, "over") is True


def _tone(finding: Data) -> Tone:
    if _is_over(finding):
        return Tone.GOOD
    return _TONES.get(reading.text(finding, "severity"), Tone.PLAIN)


def _rank(finding: Data) -> int:
    return [Tone.BAD, Tone.WATCH, Tone.PLAIN].index(_tone(finding))


def _waiting(finding: Data) -> str:
    codes = [code.value for code in WAITING_CODES]
    return _deliveries(finding, "count") if reading.text(finding, "code") in codes else ""


def _deliveries(finding: Data, key: str) -> str:
    count = reading.value(finding, key)
    is_count = isinstance(count, int) and not isinstance(count, bool) and count > 0
    return counted(count, "delivery", "deliveries") if is_count else ""


def _clock(finding: Data, key: str, occurrence: Occurrence) -> str:
    """Return the time of day of a moment, with its date where that is another day than the event's."""
    try:
        at = datetime.fromisoformat(reading.text(finding, key))
        is_today = day(at, occurrence.zone) == day(occurrence.at, occurrence.zone)
    except (ValueError, OverflowError):
        return ""
    return f"{at.astimezone(occurrence.zone):%H:%M}" if is_today else moment(at, occurrence.zone)
