"""Times, spans, counts, sizes, lists and names as people read them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def utc(moment: datetime) -> str:
    """Return a moment to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def moment(at: datetime, zone: tzinfo) -> str:
    """Return a moment to the minute in a time zone, for people: `12 Jun 2026, 19:12 CEST`."""
    local = at.astimezone(zone)
    name = local.strftime("%Z")
    if not name.isalpha():  # Many zones have no letters of their own: `-03` or `+0545`.
        name = ":".join(filter(None, (f"UTC{name[:3]}", name[3:])))
    return f"{day(at, zone)}, {local:%H:%M} {name}"


def day(at: datetime, zone: tzinfo) -> str:
    """Return the day of a moment in a time zone: `12 Jun 2026`."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %Y}"


def clock(at: datetime, now: datetime, zone: tzinfo) -> str:
    """Return a moment that something began at, in a time zone: `10:21`, and from a day on `12 Jun 10:21`."""
    local = at.astimezone(zone)
    is_recent = abs((now - at).total_seconds()) < 86400
    return f"{local:%H:%M}" if is_recent else f"{local.day} {local:%b %H:%M}"


def stamp(at: datetime, zone: tzinfo) -> str:
    """Return a moment to the second, in a time zone: `12 Jun 19:12:41`."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %H:%M:%S}"


def exact(at: datetime, zone: tzinfo | None = None) -> str:
    """Return a moment in UTC, and in another time zone: `2026-06-12 17:12:41 UTC, 19:12:41 CEST`."""
    local = at.astimezone(zone or UTC)
    return f"{utc(at)} UTC" + (f", {local:%H:%M:%S %Z}" if local.utcoffset() else "")


def span(seconds: float) -> str:
    """Return a span in the largest unit that it has at least two of: `40 ms`, `1.2 s`, `97 s`, `34 min`."""
    if 0 < seconds < 1:
        return f"{max(round(seconds * 1000), 1)} ms"
    for unit, size in _UNITS:
        if seconds >= 2 * size > 2:
            return f"{int(seconds // size)} {unit}"
    return f"{int(seconds) if seconds >= 10 else round(seconds, 1):g} s"


def period(seconds: float) -> str:
    """Return a span that somebody set, in the largest unit that has it whole: `1 h`, `90 min`, `36 h`."""
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return span(seconds)


def in_days(span_in_words: str) -> str:
    """Return a span as it stands in a sentence: days in full, `3 days`."""
    number, _, unit = span_in_words.partition(" ")
    return counted(int(number), "day") if unit == "d" else span_in_words


def ago(moment: datetime, now: datetime) -> str:
    """Return the distance of a moment from now: `3 min ago`, `in 5 s`, `just now`."""
    seconds = int((now - moment).total_seconds())
    if not seconds:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def wallet(address: str) -> str:
    """Return the address of a wallet by its beginning and its end: `0x71C7…976F`."""
    return f"{address[:6]}…{address[-4:]}" if len(address) > 12 else address


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 delivery`, `3 deliveries`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def byte_size(count: int) -> str:
    """Return a number of bytes in its largest unit: `51 MiB`, `1.0 GiB`."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def enumerated(names: Sequence[str]) -> str:
    """Return all of the names as part of a sentence: `A`, `A and B`, `A, B and C`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def not_set(names: Sequence[str]) -> str:
    """Return `A is not set`, or `A, B and C are not set`."""
    return f"{enumerated(names)} {'is' if len(names) == 1 else 'are'} not set"


def capitalised(text: str) -> str:
    """Return the text with a capital first letter; one that begins with a code or a path stays as it is."""
    first_word, *_ = text.split(maxsplit=1) or [""]
    return text[:1].upper() + text[1:] if first_word.strip(",;:").isalpha() else text


def sentence(text: str | None) -> str:
    """Return a part of a sentence as one of its own; empty where there is none."""
    if not text:
        return ""
    return capitalised(text) + ("" if text.endswith((".", "!", "?")) else ".")


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is written most like this one; None where none is close."""
    folded = {candidate.lower(): candidate for candidate in sorted(set(known))}
    close = difflib.get_close_matches(name.lower()[:200], folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return `; did you mean "growth"?` where a known name is close, else another ending of the sentence."""
    close = closest(name, known)
    return f'; did you mean "{close}"?' if close else otherwise


def there_are(names: Iterable[str], otherwise: str) -> str:
    """Return `; there are crm and growth`, or another ending of the sentence where there are no names."""
    known = sorted(set(names))
    if not known:
        return otherwise
    return f"; there {'is only' if len(known) == 1 else 'are'} {listed(known)}"


def listed(names: Iterable[str]) -> str:
    """Return the names as part of a sentence, at most twelve of them."""
    all_names = list(names)
    beginning = ", ".join(all_names[:12])
    return f"{beginning} and {len(all_names) - 12} more" if len(all_names) > 12 else beginning


def kind_of(value: Any) -> str:
    """Return the type of a YAML value in words, without showing the value."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"
