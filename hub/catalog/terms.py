"""Terms of an event: the ids, addresses and names in it by which it is found, none of them secret."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from hub.catalog.masking import MASK, mask_body
from hub.model.event import Event

TERM_LIMIT = 80
"""Characters of a term; of a longer one its beginning is found."""

TERMS_LIMIT = 100
"""The most terms of one event: who may write into it could put any number of names there."""

VALUE_LIMIT, VALUES_LIMIT = 300, 2_000
"""So many characters of a value are read, and so many values of an event."""

WORDS_LIMIT = 8
"""The most words that are searched for at once."""

_NAMES = re.compile(
    r"(?:.*_)?(?:id|name|username|slug|identifier|email|email_address|phone|phone_number|domain|to)",
    re.DOTALL,
)
"""Keys of ids, names and addresses; an address is one under any other key, too."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_WORD = re.compile(r"\w+")
_ENDS = re.compile(r"^\W+|\W+$")


def terms_of(event: Event) -> frozenset[str]:
    """Return the terms of an event: each word of a value with all that follows, in small letters.

    `ada.lovelace@example.com` is found by the beginning of any of its words, so it has the terms
    `ada.lovelace@example.com`, `lovelace@example.com`, `example.com` and `com`.
    """
    terms = dict.fromkeys(_terms(event.message_id))
    for value in _values(mask_body(event.type, event.body).get("data")):
        for term in _terms(value):
            if len(terms) >= TERMS_LIMIT:
                return frozenset(terms)
            terms[term] = None
    return frozenset(terms)


def words_of(query: str) -> tuple[str, ...]:
    """Return the words of a search, as terms begin; without those that have no letter or digit."""
    words = (_ENDS.sub("", word)[:TERM_LIMIT] for word in _plain(query).split())
    return tuple(dict.fromkeys(word for word in words if word))


def _terms(value: str) -> Iterator[str]:
    for part in _plain(value[:VALUE_LIMIT]).split():
        whole = _ENDS.sub("", part)
        for word in _WORD.finditer(whole):
            yield whole[word.start() : word.start() + TERM_LIMIT]


def _plain(text: str) -> str:
    """Return a text in small letters, each character in one form, without what no database takes."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded.replace("\0", " ").encode("utf-8", "replace").decode()


def _values(data: Any) -> Iterator[str]:
    """Yield the texts that may be names, ids or addresses, those near the top first."""
    level: list[tuple[str, Any]] = [("", data)]
    count = 0
    while level and count < VALUES_LIMIT:
        below: list[tuple[str, Any]] = []
        for key, value in level:
            count += 1
            if isinstance(value, str):
                if value != MASK and (_NAMES.fullmatch(key) or _ADDRESS.fullmatch(value.strip())):
                    yield value
            elif isinstance(value, dict):
                below += value.items()
            elif isinstance(value, list):
                below += [(key, item) for item in value]
        level = below
