"""The names of emoji in Slack's texts, as `:tada:`, -> the emoji that its readers see.

https://docs.slack.dev/messaging/formatting-message-text has the form; the names that are not Unicode's own,
with `_` for a space, are in `emoji.txt`. A name that neither has, as that of a workspace's own emoji, stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_NAME = re.compile(r":(?P<name>[a-z0-9_+'-]{1,60}):(?::skin-tone-(?P<tone>[2-6]):)?")
_FLAG = re.compile(r"flag-([a-z])([a-z])")
_FIRST_FLAG_LETTER, _FIRST_TONE = 0x1F1E6, 0x1F3FB


def with_emoji(text: str) -> str:
    """Return a text with an emoji in the place of each name that is one."""
    return _NAME.sub(_drawn, text) if ":" in text else text


def _drawn(written: re.Match[str]) -> str:
    emoji = _emoji(written["name"])
    if not emoji:
        return written[0]
    return emoji + (chr(_FIRST_TONE + int(written["tone"]) - 2) if written["tone"] else "")


def _emoji(name: str) -> str:
    """Return the emoji of a name; empty for a name that is none."""
    listed = _listed().get(name)
    flag = _FLAG.fullmatch(name)
    if listed:
        return listed
    if flag:
        return "".join(chr(_FIRST_FLAG_LETTER + ord(letter) - ord("a")) for letter in flag.groups())
    try:
        character = unicodedata.lookup(re.sub("[_-]", " ", name))
    except KeyError:
        return ""
    return character if unicodedata.category(character) == "So" else ""


@cache
def _listed() -> Mapping[str, str]:
    lines = Path(__file__).with_name("emoji.txt").read_text(encoding="utf-8").splitlines()
    return {name: emoji for name, _, emoji in (line.partition(" ") for line in lines)}
