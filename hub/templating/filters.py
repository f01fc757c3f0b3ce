"""The filters that templates and conditions have beyond Jinja's own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jinja2
from markupsafe import Markup

from hub.humanize import wallet
from hub.strings import shortened
from hub.templating.times import to_datetime

_LINKING = re.compile("[.@/:#](?!\u2060)")
_LINK_LIKE = re.compile(r"://|^\W*www\.|[\w-]\.[^\W\d_]{2}", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@/:]+@[^\s@/:]+")
_HTML_IN_JSON = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&'"})


class JsonText(str):
    """The result of `tojson`, which JSON bodies do not encode a second time; elsewhere it is plain text."""

    __slots__ = ()


def full_name(person: Any) -> str:
    """Return first and last name of a user or of `public_user_data`, else identifier, username or nothing."""
    if not isinstance(person, Mapping):
        return ""
    names = [str(person[key]) for key in ("first_name", "last_name") if person.get(key)]
    return " ".join(names) or str(person.get("identifier") or person.get("username") or "")


def primary_email(user: Any) -> str:
    """Return the address whose id is the user's `primary_email_address_id`, or nothing.

    The list may be empty, and its first entry need not be the primary one.
    """
    return _primary(user, "email_addresses", "primary_email_address_id", "email_address")


def primary_phone(user: Any) -> str:
    """Return the number whose id is the user's `primary_phone_number_id`, or nothing."""
    return _primary(user, "phone_numbers", "primary_phone_number_id", "phone_number")


def primary_wallet(user: Any) -> str:
    """Return the wallet whose id is the user's `primary_web3_wallet_id`, as `0x71C7…976F`, or nothing."""
    return wallet(_primary(user, "web3_wallets", "primary_web3_wallet_id", "web3_wallet"))


def unlinked(value: Any, limit: int | None = None) -> str:
    """Return the text, cut to `limit` characters, with a word joiner behind each `.`, `@`, `/`, `:` and `#`.

    No place makes a link or a mention of it then, and it looks the same.
    """
    if value is None or isinstance(value, jinja2.Undefined):
        return ""
    text = str(value) if limit is None else shortened(str(value), limit)
    return _LINKING.sub("\\g<0>\u2060", text)


def no_links(value: Any) -> str:
    """Return the text in which mail programs, which make links of `evil.example`, make none.

    An address stays as it is, to be copied.
    """
    if value is None or isinstance(value, jinja2.Undefined):
        return ""
    return " ".join(
        unlinked(word) if _LINK_LIKE.search(word) and not _ADDRESS.fullmatch(word) else word
        for word in str(value).split(" ")
    )


def to_json(value: Any, indent: int | None = None) -> JsonText:
    """Return the value as JSON, as people read it."""
    return JsonText(json.dumps(value, indent=indent, ensure_ascii=False, default=as_jsonable))


def to_json_in_html(value: Any, indent: int | None = None) -> Markup:
    """Return the value as JSON that is safe inside HTML, in a script or an attribute."""
    return Markup(to_json(value, indent).translate(_HTML_IN_JSON))  # noqa: S704 - without any markup


def as_jsonable(value: Any) -> Any:
    """Return a JSON value for one that JSON does not know: null, an object, a list, or text."""
    if isinstance(value, jinja2.Undefined):
        return None
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return list(value)
    return str(value)


def _primary(user: Any, entries_key: str, id_key: str, value_key: str) -> str:
    """Return a value of the entry that a user names as the primary one, or nothing."""
    if not isinstance(user, Mapping):
        return ""
    wanted, entries = user.get(id_key), user.get(entries_key)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and wanted and entry.get("id") == wanted:
            return str(entry.get(value_key) or "")
    return ""


FILTERS: Mapping[str, Callable[..., Any]] = {
    "datetime": to_datetime,
    "full_name": full_name,
    "no_links": no_links,
    "plain": unlinked,
    "primary_email": primary_email,
    "primary_phone": primary_phone,
    "primary_wallet": primary_wallet,
    "tojson": to_json,
}
"""By name; `tojson` takes the place of Jinja's."""
