"""Redaction of everything that is shown: an event's one-time secrets, and the environment's."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, quote_plus, unquote, urlsplit

from hub import catalog
from hub.catalog.masking import written_forms
from hub.model.event import shallow
from hub.strings import map_strings

SHORTEST_SECRET = 8
"""Values of the environment shorter than this are left alone: they would garble other text."""

_SHORTEST_PATH = 16
_SHORTEST_TOKEN = 20
_DIGIT = re.compile("[0-9]")

_CUT = "…"
_SHORTEST_CUT = 12


@dataclass(frozen=True, kw_only=True)
class Redaction:
    """The secrets that must not be shown: an event's own, and the environment's.

    `named` maps a form of a value of the environment to its `${NAME}`. Those are looked for in what others
    wrote alone, so that no value can change the hub's own words.
    """

    secrets: tuple[str, ...] = ()
    named: Mapping[str, str]

    def text(self, value: str) -> str:
        """Return a text that others wrote without any secret, whole or cut off at its end."""
        shown = self.own_text(value)
        wanted = [form for form in self.named if form in shown]
        if not wanted:
            return shown
        # One pass: a name is never searched for the next secret.
        return re.sub("|".join(map(re.escape, wanted)), lambda form: self.named[form[0]], shown)

    def own_text(self, value: str) -> str:
        """Return a text of the hub, which may quote an event, without the event's secrets."""
        shown = catalog.mask(value, self.secrets)
        for secret in self.secrets:
            shown = _without_cut(shown, secret)
        return shown

    def optional(self, value: str | None) -> str | None:
        """Return the hub's own text, if there is one, without the event's secrets."""
        return None if value is None else self.own_text(value)

    def anything(self, value: Any) -> Any:
        """Return a JSON value of others with every string of it masked."""
        if not self.secrets:
            # Most hold no secret, and a payload may have a hundred thousand strings.
            text = json.dumps(value, ensure_ascii=False)
            if not any(form in text for form in self.named):
                return value
        return map_strings(value, self.text)

    def joined(self, other: Redaction) -> Redaction:
        """Return a redaction of what either of two versions of the user's files takes as a secret."""
        return Redaction(secrets=self.secrets, named={**self.named, **other.named})

    def of_event(self, type_: str, payload: bytes | None) -> Redaction:
        """Return a redaction of these secrets and the one-time secrets of an event's payload."""
        if payload is None or not catalog.hides(type_):
            return self
        return self.of_body(type_, body_of(payload))

    def of_body(self, type_: str, body: Mapping[str, Any]) -> Redaction:
        """Return the same of a payload that was parsed."""
        forms = (written_forms(secret) for secret in catalog.hidden_values(type_, body))
        return Redaction(secrets=tuple(chain.from_iterable(forms)), named=self.named)


def redaction_of(environment: Mapping[str, str], names: Iterable[str]) -> Redaction:
    """Return a redaction of the values that variables of these names have."""
    named = {form: f"${{{name}}}" for name in names for form in _forms(environment.get(name) or "")}
    return Redaction(named=dict(sorted(named.items(), key=lambda item: -len(item[0]))))


def _forms(value: str) -> set[str]:
    """Return the forms of a value that others may repeat: itself, escaped, in base64, or a part of a URL."""
    parts = [value, *_parts_of_url(value)] if len(value) >= SHORTEST_SECRET else []
    escaped = {form for part in parts for form in written_forms(part)}
    escaped |= {quote_plus(part, errors="replace") for part in parts}
    # Header lines are bytes, which servers read as Latin-1; what was escaped may stand in JSON.
    escaped |= {part.encode("utf-8", "replace").decode("latin-1") for part in parts}
    in_json = {
        json.dumps(form, ensure_ascii=is_ascii)[1:-1] for form in escaped for is_ascii in (True, False)
    }
    encoded = {form for part in parts for form in _in_base64(part.encode("utf-8", "replace"))}
    return {form for form in escaped | in_json | encoded if len(form) >= SHORTEST_SECRET}


def _in_base64(value: bytes) -> Iterator[str]:
    """Yield a value as it stands in the base64 of any text around it, such as `user:password` (Basic)."""
    for before in range(3):
        encoded = b64encode(b"-" * before + value).decode()
        # Six bits make a character: those that it shares with what is around it are left out.
        yield encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]


def _parts_of_url(value: str) -> Iterator[str]:
    """Yield the password of a URL, and paths and parameters that may be a key."""
    try:
        url = urlsplit(value)
    except ValueError:
        return
    if not url.scheme or not url.netloc:
        return
    if url.password and len(url.password) >= SHORTEST_SECRET:
        yield from (url.password, unquote(url.password))
    path = url.path + (f"?{url.query}" if url.query else "")
    if len(path) >= _SHORTEST_PATH:
        yield path
    # Where a webhook's secret stands: Slack's and Discord's at the end of the path, others' in the query.
    tokens = [url.path.rpartition("/")[2], *(value for _, value in parse_qsl(url.query))]
    yield from (token for token in tokens if len(token) >= _SHORTEST_TOKEN and _DIGIT.search(token))


def body_of(payload: bytes) -> dict[str, Any]:
    """Return a payload as its object, empty where it is none."""
    body = json.loads(shallow(payload.decode()))
    return body if isinstance(body, dict) else {}


def _without_cut(text: str, secret: str) -> str:
    """Return the text without a secret that was cut short: `…` follows on its beginning."""
    cut = text.find(_CUT)
    while cut >= 0:
        start = text.rfind(secret[:_SHORTEST_CUT], 0, cut)
        if start >= 0 and len(secret) > _SHORTEST_CUT and secret.startswith(text[start:cut]):
            text = text[:start] + catalog.MASK + text[cut:]
            cut = text.find(_CUT, start)
        cut = text.find(_CUT, cut + 1)
    return text
