"""Redaction of everything that is shown: an event's one-time secrets, and the environment's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from hub import catalog
from hub.catalog.masking import written_forms
from hub.strings import map_strings

_SECRET_NAME = re.compile(r"SECRET|TOKEN|PASSWORD|KEY|CREDENTIAL|DSN|URL", re.IGNORECASE)
_SHORTEST = 6
"""Values of the environment shorter than this are left alone: they would garble other text."""

_CUT = "…"
_SHORTEST_CUT = 12


@dataclass(frozen=True, kw_only=True)
class Redaction:
    """The secrets that must not be shown. `named` maps a value of the environment to its `${NAME}`."""

    secrets: tuple[str, ...] = ()
    named: Mapping[str, str]

    def text(self, value: str) -> str:
        """Return the text without any secret, whole or cut off at its end."""
        shown = catalog.mask(value, self.secrets)
        for secret in self.secrets:
            shown = _without_cut(shown, secret)
        for secret, name in self.named.items():
            shown = shown.replace(secret, name)
        return shown

    def optional(self, value: str | None) -> str | None:
        """Return the same for a text that may be missing."""
        return None if value is None else self.text(value)

    def anything(self, value: Any) -> Any:
        """Return a JSON value with every string of it masked."""
        return map_strings(value, self.text)

    def of_event(self, type_: str, payload: bytes | None) -> Redaction:
        """Return a redaction of these secrets and the one-time secrets of an event's payload."""
        if payload is None:
            return self
        forms = (written_forms(secret) for secret in catalog.secret_values(type_, body_of(payload)))
        return Redaction(secrets=tuple(chain.from_iterable(forms)), named=self.named)


def redaction_of(environment: Mapping[str, str]) -> Redaction:
    """Return a redaction of the secrets that routes.yaml may have taken from the environment."""
    named = {
        form: f"${{{name}}}"
        for name, value in environment.items()
        if len(value) >= _SHORTEST and _SECRET_NAME.search(name) and name != "HUB_PUBLIC_URL"
        for form in written_forms(value)
    }
    return Redaction(named=dict(sorted(named.items(), key=lambda item: -len(item[0]))))


def body_of(payload: bytes) -> dict[str, Any]:
    """Return a payload as its object, empty where it is none."""
    body = json.loads(payload)
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
