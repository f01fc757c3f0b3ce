"""The words of a finding for people: a failure's own, then what they mean, since when and what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from hub.humanize import capitalised, enumerated, sentence, span
from hub.model.finding import Finding, FindingCode
from hub.strings import one_line, shortened

QUOTE_LIMIT, SHORT_LIMIT = 80, 60
"""So many characters of others' words are quoted in a finding; so many of a reason stand in a row."""

_SINCE = (
    FindingCode.FAILING,
    FindingCode.PAUSED,
    FindingCode.MIGRATION,
    FindingCode.HELD,
)
_WITHIN = (FindingCode.DEAD, FindingCode.DEGRADED)
"""Findings that say since when, and those that say within which time: others do so in their own words."""

_ANSWERED = re.compile(r"(?:(?P<who>\S.*?) )?answered (?P<what>[^:;]+)(?:: (?P<rest>.+))?", re.DOTALL)
_DEFERRED = re.compile(r"(?:answered |\()(?P<code>4\d\d) (?P<reply>.*?)\)?$", re.DOTALL)
_LAST_TRY = re.compile(r" \(attempt \d+ of \d+, the last\)$")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_WHOLE_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-[^}]*)?\}")


@dataclass(frozen=True, kw_only=True)
class FailureWords:
    """A failure as the title of a finding, with the other side's words in quotes, and a cure."""

    headline: str
    quote: str = ""
    cure: str = ""


def failure_words(name: str, server: str | None, error: str | None, answer: str | None) -> FailureWords:
    """Return the words for a destination that fails: of its last error, and of what came back with it."""
    if not error:
        return FailureWords(headline=f"{name} takes no messages")
    deferred = _DEFERRED.search(error) if error.startswith(("refused for now", "the mail server")) else None
    if deferred is not None:
        where = f"{name}: {server}" if server else name
        return FailureWords(
            headline=f"{where} does not take mail now ({deferred['code']})",
            quote=quoted(deferred["reply"]),
            cure="usually over in an hour",
        )
    reason, _, advice = error.partition("; ")
    return FailureWords(headline=_failure(name, reason), quote=quoted(answer), cure=advice)


def key_cure(error: str | None, written: Mapping[str, Any]) -> str:
    """Return the cure where an endpoint refuses the hub's key (401, 403); empty where none is in a variable.

    `written` is its block in routes.yaml.
    """
    if not re.match(r"answered 40[13]\b", error or ""):
        return ""
    names = sorted(set(_VARIABLE.findall(str([written.get("headers"), written.get("sign_with")]))))
    put = "put in what it takes, restart, and the rest is sent by itself"
    return f"{enumerated(names)} may be wrong by now: {put}" if names else ""


def _failure(name: str, reason: str) -> str:
    for past, present in _PRESENT.items():
        if reason.startswith(past):
            return f"{name} {present}{reason.removeprefix(past)}"
    answered = _ANSWERED.fullmatch(reason)
    if answered is not None and answered["who"]:
        return f"{name}: {answered['who']} answers {reason.partition(' answered ')[2]}"
    return f"{name}: {reason}"


_PRESENT = {
    "answered ": "answers ",
    "did not answer ": "does not answer ",
    "could not connect to ": "cannot reach ",
    "could not connect": "cannot be reached",
    "the connection broke ": "breaks the connection ",
}


def pause_words(name: str, reason: str | None, written: Mapping[str, Any]) -> FailureWords:
    """Return the words for a destination that is paused: why, in its own word, and what to do.

    `written` is its block in routes.yaml: where a variable sets a key that the cure names, it has its name.
    """
    answered = _ANSWERED.fullmatch(reason or "")
    if answered is None:
        meaning, _, cure = (reason or "").partition("; ")
        headline = f"{name} is paused{_own_pause(meaning)}"
        return FailureWords(headline=headline, cure=_with_variables(cure, written))
    meaning, _, cure = (answered["rest"] or "").partition("; ")
    says = f"{answered['who']} says" if answered["who"] else "it answers"
    headline = ", ".join(filter(None, (f"{name} is paused: {says} {answered['what']}", meaning)))
    return FailureWords(
        headline=headline, cure=_with_variables(cure, written) or "put that right, then resume"
    )


def _own_pause(meaning: str) -> str:
    return f" {meaning.removeprefix('paused ')}" if meaning.startswith("paused by") else f": {meaning}"


def _with_variables(cure: str, written: Mapping[str, Any]) -> str:
    """Return a cure with the variables in the place of the keys that they set, and the channel's name."""
    is_set_anew = False
    for key, value in written.items():
        variable = _WHOLE_VARIABLE.fullmatch(value) if isinstance(value, str) else None
        if variable is not None and re.search(rf"\b{key}\b", cure):
            cure, is_set_anew = re.sub(rf"\b{key}\b", variable[1], cure), True
    channel = written.get("channel")
    if isinstance(channel, str) and "$" not in channel:
        cure = cure.replace("the channel", f"#{channel.removeprefix('#')}")
    return f"{cure}, restart, then resume" if is_set_anew else cure


def short(reason: str | None) -> str:
    """Return a reason in a word or two, for a row: `500`, `invalid_auth`, `no answer in 3 s`."""
    text = _LAST_TRY.sub("", reason or "")
    answered = _ANSWERED.fullmatch(text)
    deferred = re.search(r"\(([45]\d\d) ", text) if text.startswith("refused for") else None
    if deferred is not None:
        return deferred[1]
    if answered is not None:
        words = answered["what"].split()
        return words[-1] if re.fullmatch("[a-z]+(_[a-z]+)+", words[-1]) else _status_in(words)
    for began, instead in (("did not answer within", "no answer in"), ("no answer within", "no answer in")):
        if text.startswith(began):
            return shortened(f"{instead}{text.removeprefix(began)}", SHORT_LIMIT)
    return shortened(text.removeprefix("could not connect: ").partition("; ")[0], SHORT_LIMIT)


def _status_in(words: list[str]) -> str:
    return words[0] if words[0].isdigit() else shortened(" ".join(words), SHORT_LIMIT)


def unanswered(reason: str) -> str:
    """Return the reason for an unknown outcome as a part of a sentence that says what went out."""
    text = _LAST_TRY.sub("", reason)
    if text.startswith("did not answer"):
        return f"the request went out, no answer came{text.removeprefix('did not answer')}"
    if text.startswith("the connection broke"):
        return f"the request went out, then {text}"
    return text


def quoted(text: str | None) -> str:
    """Return others' words in quotes, on one line and cut; empty where there are none."""
    line = one_line(text or "", QUOTE_LIMIT)
    return f'"{line}"' if line else ""


def first_line(finding: Finding, now: datetime, zone: tzinfo = UTC) -> str:
    """Return what is wrong and since when: `crm answers 500 Internal Server Error · since 02:40, 34 min`."""
    reason = finding.reason if finding.code is FindingCode.NOT_CONFIGURED else ""
    return " · ".join(filter(None, (finding.headline, reason, since(finding, now, zone))))


def second_line(finding: Finding, now: datetime) -> str:
    """Return the reason, how many wait, when the hub tries next by itself, and what to do."""
    parts = [*parts_before(finding), next_try(finding, now), sentence(finding.cure)]
    return joined(parts)


def parts_before(finding: Finding) -> Iterator[str]:
    """Yield the parts of the second line that stand before the next try."""
    if finding.reason and finding.code is not FindingCode.NOT_CONFIGURED:
        yield capitalised(finding.reason)
    if finding.waiting:
        yield finding.waiting


def joined(parts: list[str]) -> str:
    """Return parts of a line with a point between them, after a whole sentence none."""
    line = ""
    for part in filter(None, parts):
        between = "" if not line else " " if line.endswith(".") else " · "
        line += between + part
    return line


def next_try(finding: Finding, now: datetime) -> str:
    """Return when the hub tries next by itself: `next try in 44 s`; empty where it does not."""
    if finding.next_try is None:
        return ""
    ahead = int((finding.next_try - now).total_seconds())
    return f"next try in {span(ahead)}" if ahead > 0 else "next try now"


def since(finding: Finding, now: datetime, zone: tzinfo = UTC) -> str:
    """Return since when, or within which time: `since 02:40, 34 min`, `last 2 h`; empty for most codes."""
    if finding.since is None or finding.code not in (*_SINCE, *_WITHIN):
        return ""
    lasted = max(int((now - finding.since).total_seconds()), 1)
    if finding.code is FindingCode.DEGRADED:
        return "last 24 h"
    return f"last {span(lasted)}" if finding.code in _WITHIN else since_moment(finding.since, now, zone)


def since_moment(moment: datetime, now: datetime, zone: tzinfo = UTC) -> str:
    """Return `since 02:40, 34 min`; of another day its name, of another week its date."""
    local, lasted = moment.astimezone(zone), now - moment
    if lasted < timedelta(days=1):
        return f"since {local:%H:%M}, {span(max(int(lasted.total_seconds()), 1))}"
    day = f"{local:%a}" if lasted < timedelta(days=7) else f"{local.day} {local:%b}"
    return f"since {day} {local:%H:%M}"


def statement(finding: Finding, now: datetime, zone: tzinfo = UTC) -> str:
    """Return a finding on one line without its cure, for a terminal and a log."""
    beginning = ", ".join(filter(None, (finding.headline, since(finding, now, zone))))
    rest = (finding.reason, finding.waiting, next_try(finding, now))
    parts = "; ".join(part.rstrip(".") for part in rest if part)
    return f"{beginning}: {parts}" if parts else beginning
