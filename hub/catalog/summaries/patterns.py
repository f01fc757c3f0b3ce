"""Patterns of built-in messages: `{name}` is a text, `{name|else}` has words for none, `[…]` goes with it.

A part in brackets is left out where a text in it is empty. What is filled in is never read as a pattern.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hub.strings import shortened

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_NAME = re.compile(r"\{(\w+)(?:\|([^{}]*))?\}")

Texts = Mapping[str, str]


def is_whole(pattern: str, texts: Texts) -> bool:
    """Return True where every text is there that a pattern has no other words for."""
    return all(texts.get(match[1]) or match[2] for match in _NAME.finditer(_OPTIONAL.sub("", pattern)))


def filled(pattern: str, texts: Texts, limit: int, *, name_limit: int | None = None) -> str:
    """Return a pattern with its texts, at most `limit` characters long, none of them over `name_limit`.

    Where it would be longer the longest texts are cut, each with an ellipsis of its own, not the end.
    """
    wanted = _OPTIONAL.sub(lambda part: part[1] if is_whole(part[1], texts) else "", pattern)
    used = used_texts(wanted, texts)
    longest = max(map(len, used), default=0)
    size = min(longest, name_limit or limit, limit)
    while (whole := _with_texts(wanted, texts, size)) and len(whole) > limit and size > 1:
        size -= 1
    return shortened(whole, limit)


def used_texts(pattern: str, texts: Texts) -> list[str]:
    """Return the texts, uncut, that a pattern tells."""
    return [text for match in _NAME.finditer(pattern) if (text := texts.get(match[1]))]


def _with_texts(pattern: str, texts: Texts, size: int) -> str:
    def shown(match: re.Match[str]) -> str:
        text = texts.get(match[1])
        return shortened(text, size) if text else match[2] or ""

    return _NAME.sub(shown, pattern)
