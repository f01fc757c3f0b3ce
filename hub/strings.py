"""Text written by strangers, made fit to be shown, and a change to every string in a JSON value."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

_JOINERS = "\u200c\u200d"
_WORD_JOINER = "\u2060"
_VARIATIONS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
"""Letters and marks that show as nothing: a name of nothing else looks like none."""

_BRAILLE_BLANK = "\u2800"
_HIDDEN_LETTER = re.compile(f"[{_VARIATIONS}{_FILLERS}{_BRAILLE_BLANK}]")
_VARIATION = re.compile(f"[{_VARIATIONS}]")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")
_NEWER_EMOJI = re.compile("[\U0001f300-\U0001faff]")
"""Emoji, whether this Python's table of characters has them yet or not."""

_TURNING = frozenset(("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"))
_VIRAMA = 9
"""The combining class of the sign behind which Indic scripts put a joiner, also at the end of a word."""

_PLAIN = (int, float, type(None))
"""Most of a dense payload; to ask of one whether it is a mapping takes long."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def one_line(text: str, limit: int | None = None, *, instead: str = " ") -> str:
    """Return the text without control characters, its white space collapsed, cut to `limit` characters.

    Line separators and the marks that turn the writing direction count as control characters: with them a
    name could forge a line. `instead` stands for each of them.
    """
    line = " ".join(printable(text, instead=instead).split())
    return line if limit is None else shortened(line, limit)


def printable(text: str, *, instead: str = " ") -> str:
    """Return the text with `instead` for every character that is not printed, line breaks included.

    Where that is a space, what has no width of its own (a soft hyphen, a filler) goes without a gap. Signs
    that words and emoji are written with stay in their places: joiners inside a word or an emoji, one
    variation selector behind a character, the tags of a flag, a word joiner behind the signs of a link.
    """
    if text.isprintable() and not _HIDDEN_LETTER.search(text):
        return text
    flags = {index for flag in _FLAG.finditer(text) for index in range(*flag.span())}
    return "".join(
        char if index in flags else _shown(text, index, instead) for index, char in enumerate(text)
    )


def printable_lines(text: str) -> str:
    """Return the text with its line breaks, and in its lines nothing that is not printed."""
    if text.isprintable() and not _HIDDEN_LETTER.search(text):
        return text
    return "\n".join(printable(line) for line in text.splitlines())


def _shown(text: str, index: int, instead: str) -> str:
    char, before, after = text[index], text[index - 1 : index], text[index + 1 : index + 2]
    is_kept = _prints(char) and char not in _FILLERS + _BRAILLE_BLANK
    if char in _JOINERS:
        is_inside = _is_letter(before) and (_is_letter(after) or unicodedata.combining(before) == _VIRAMA)
        is_kept = is_inside and not (before + after).isascii()
    elif char == _WORD_JOINER:
        is_kept = before != "" and before in ".@/:#"
    elif _VARIATION.match(char):
        is_kept = _is_letter(before) and not _VARIATION.match(before)
    if is_kept:
        return char
    return "" if instead == " " and _has_no_width(char) else instead


def _prints(char: str) -> bool:
    return char.isprintable() or _NEWER_EMOJI.match(char) is not None


def _is_letter(char: str) -> bool:
    """Return whether a character, or none, is one that a joiner can join."""
    return bool(char) and _prints(char) and not char.isspace() and char not in _FILLERS


def _has_no_width(char: str) -> bool:
    is_mark = unicodedata.category(char) == "Cf" and unicodedata.bidirectional(char) not in _TURNING
    return is_mark or char in _FILLERS or _VARIATION.match(char) is not None


def visible(text: str) -> str:
    """Return the text with `\\u202e` for what is not seen and could forge what is: controls, but for line
    breaks and tabs, marks that turn the writing direction, and halves of a surrogate pair.
    """
    return _UNSEEN.sub(lambda char: f"\\u{ord(char[0]):04x}", text)


def shortened(text: str, limit: int) -> str:
    """Return the text, cut with an ellipsis so that it has at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip().rstrip(_JOINERS) + "…"


def shortened_bytes(text: str, limit: int) -> str:
    """Return the text, cut with an ellipsis so that it has at most `limit` bytes in UTF-8."""
    octets = text.encode("utf-8", "replace")
    if len(octets) <= limit:
        return text
    kept = octets[: max(limit - len("…".encode()), 0)].decode("utf-8", "ignore")
    return kept.rstrip().rstrip(_JOINERS) + "…"


def utf16_length(text: str) -> int:
    """Return how many units UTF-16 has for a text: two for an emoji, by which some places count."""
    return len(text) + sum(char > "\uffff" for char in text)


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Return a copy of a JSON value with `change` applied to every string in it, keys not included."""
    # Without recursion: a payload may be nested a thousand deep.
    top: list[Any] = [value]
    open_containers: list[Any] = [top]
    while open_containers:
        container = open_containers.pop()
        for key, item in list(container.items() if isinstance(container, dict) else enumerate(container)):
            if isinstance(item, str):
                container[key] = change(item)
            elif not isinstance(item, _PLAIN) and isinstance(item, Mapping | list | tuple):
                container[key] = dict(item) if isinstance(item, Mapping) else list(item)
                open_containers.append(container[key])
    return top[0]


def is_loopback(host: str) -> bool:
    """Return True for a host that is this machine, by its address or its name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
