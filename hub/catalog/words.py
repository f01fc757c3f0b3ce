"""Machine words in words for people: codes, slugs and names of fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "tables"

_MACHINE_WORD = re.compile("[a-z0-9]+(?:[_:][a-z0-9]+)+")

_SECRET_PARTS = ("code", "otp", "passphrase", "passwd", "password", "secret", "token", "url")
_SECRET_WORDS = frozenset({"credential", "credentials", "key", "link", "nonce", "pin", "signature", "ticket"})


def word(table: str, code: str) -> str:
    """Return a code in the words of a table, the file `tables/NAME.json`; else in the words it is made of."""
    return _table(table).get(code) or spoken(code)


def sign_in_method(strategy: str) -> str:
    """Return `oauth_google` as "Google", and any SAML or web3 strategy by its kind."""
    if strategy.startswith("saml_"):
        return "single sign-on"
    if strategy.startswith("web3_"):
        return "wallet"
    return _table("sign_in").get(strategy) or words_of(strategy.removeprefix("oauth_"))


def role_name(key: str) -> str:
    """Return `org:billing_manager` as "Billing manager"."""
    return words_of(key.removeprefix("org:").replace(":", " "))


def spoken(value: str) -> str:
    """Return a value that is a machine word, such as `past_due`, as the words it is made of."""
    return " ".join(_words(value.replace(":", " "))) if _MACHINE_WORD.fullmatch(value) else value


def with_article(noun: str) -> str:
    """Return a noun with its "a" or "an"; nothing for none."""
    return noun and f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def words_of(name: str) -> str:
    """Return `card_type` and `cardType` as "Card type"."""
    text = " ".join(_words(name))
    return text[:1].upper() + text[1:]


def sentence_of(event_type: str) -> str:
    """Return `thing.happened` as "Thing happened"."""
    return words_of(event_type.replace(".", " "))


def is_time_name(name: str) -> bool:
    """Return whether a number under that name is a time in milliseconds."""
    return name.endswith(("_at", "_at_ms", "_date")) or name in ("period_start", "period_end")


def is_secret_name(name: str) -> bool:
    """Return whether an unknown field may hold a secret, by its name."""
    low = name.lower()
    return any(part in low for part in _SECRET_PARTS) or not _SECRET_WORDS.isdisjoint(_words(name))


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[\s_\-]+", spaced) if word]


@cache
def _table(name: str) -> Mapping[str, str]:
    table: dict[str, str] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return table
