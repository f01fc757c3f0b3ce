"""Discord's embeds: as users write them, made to fit, and that of the built-in message.

https://docs.discord.com/developers/resources/message#embed-object has keys and limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from hub.destinations.discord.markdown import escape, unpinged
from hub.model.summary import COLOURS, Summary
from hub.strings import one_line
from hub.templating.escapes import Escape, plain
from hub.templating.flaws import Flaw, Path, is_dynamic, key_flaws, list_flaws
from hub.templating.markdown import cut
from hub.templating.structures import Keys

EMBEDS_LIMIT = 10
FIELDS_LIMIT = 25
TOTAL_LIMIT = 6000
"""Over all titles, descriptions, fields, footers and authors of a message."""
URL_LIMIT = 2048
WARNING_LIMIT = 300

_PARTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "embed": (
        (),
        (
            *("title", "type", "description", "url", "timestamp", "color"),
            *("author", "fields", "footer", "image", "thumbnail"),
        ),
    ),
    "author": (("name",), ("url", "icon_url")),
    "fields": (("name", "value"), ("inline",)),
    "footer": (("text",), ("icon_url",)),
    "image": (("url",), ()),
    "thumbnail": (("url",), ()),
}
"""An embed and what stands in it: the keys that each needs, and those that it may have beside them."""

_LIMITS: Mapping[tuple[str, str], int] = {
    ("embed", "title"): 256,
    ("embed", "description"): 4096,
    ("author", "name"): 256,
    ("fields", "name"): 256,
    ("fields", "value"): 1024,
    ("footer", "text"): 2048,
}
_UNMARKED = (("author", "name"), ("footer", "text"))
"""Texts in which no Markdown is read: a backslash would be seen there."""

_URLS = ("url", "icon_url")
_SEEN = ("title", "description", "author", "fields", "footer", "image", "thumbnail")
"""Keys of which an embed needs one to be seen."""

_BLANK = "\u200b"


def escape_at(keys: Keys) -> Escape:
    """Return the escape for the string at these keys of an embed."""
    place = (keys[-2] if len(keys) > 1 else "embed", keys[-1] if keys else "")
    if place in _UNMARKED:
        return unpinged
    return escape if place in _LIMITS else plain


def check_embeds(value: Any) -> Iterator[Flaw]:
    """Yield what Discord would refuse in a list of embeds, or in a mapping that holds one under `embeds`."""
    path: Path = ()
    if isinstance(value, Mapping) and "embeds" in value:
        path, value = ("embeds",), value["embeds"]
    yield from list_flaws(value, "Discord", "embeds", EMBEDS_LIMIT, path)
    for index, embed in enumerate(value if isinstance(value, list) else ()):
        yield from _check_part(embed, "embed", (*path, index))


def _check_part(value: Any, part: str, path: Path) -> Iterator[Flaw]:
    needed, others = _PARTS[part]
    noun = {"embed": "an embed", "author": "an author", "fields": "a field", "image": "an image"}
    yield from key_flaws(value, "Discord", noun.get(part, f"a {part}"), (*needed, *others), needed, path)
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if key == "fields" and part == "embed":
            yield from list_flaws(item, "Discord", "fields", FIELDS_LIMIT, (*path, key))
            for index, field in enumerate(item if isinstance(item, list) else ()):
                yield from _check_part(field, key, (*path, key, index))
        elif key in _PARTS and part == "embed":
            yield from _check_part(item, key, (*path, key))
        elif isinstance(item, str) and not is_dynamic(item):
            yield from _check_text(item, part, str(key), (*path, key))


def _check_text(text: str, part: str, key: str, path: Path) -> Iterator[Flaw]:
    limit = _LIMITS.get((part, key))
    if key in ("name", "value") and not text.strip():
        yield Flaw(path=path, message=f'"{key}" of a field is empty, which Discord refuses')
    elif limit and len(text) > limit:
        yield Flaw(path=path, message=f'"{key}" has {len(text)} characters; Discord takes at most {limit}')
    elif key in _URLS and not is_url(text):
        yield Flaw(path=path, message=f'"{key}" must be a URL that begins with https:// or http://')
    elif key == "color" and _color(text) is None:
        yield Flaw(path=path, message='"color" must be like "#2e8b57", or a number')


def fit(embeds: list[Any]) -> list[dict[str, Any]]:
    """Return the embeds within Discord's limits.

    What is too long is cut; what is empty, or no URL where one must stand, is left out with all that needs
    it.
    """
    fitted = [part for embed in embeds[:EMBEDS_LIMIT] if (part := _fit_part(embed, "embed"))]
    budget = TOTAL_LIMIT
    for index, embed in enumerate(fitted):
        _shrink(embed, budget)
        budget -= _size(embed)
        if budget < 0:
            return fitted[:index]
    return fitted


def _fit_part(value: Any, part: str) -> dict[str, Any] | None:
    """Return an embed or a part of one; None where it lacks what it needs."""
    if not isinstance(value, Mapping):
        return None
    items = {key: _fit_value(item, part, str(key)) for key, item in value.items()}
    fitted = {str(key): item for key, item in items.items() if item is not None}
    needed = _PARTS[part][0]
    is_whole = all(key in fitted for key in needed) if needed else any(key in fitted for key in _SEEN)
    return fitted if is_whole else None


def _fit_value(value: Any, part: str, key: str) -> Any:
    """Return a value within its limit; None for an empty one, and for one of a kind that Discord refuses."""
    if part == "embed" and key == "fields":
        items = value if isinstance(value, list) else []
        return [field for item in items if (field := _fit_part(item, key))][:FIELDS_LIMIT] or None
    if part == "embed" and key in _PARTS:
        return _fit_part(value, key)
    if key == "color":
        return _color(value)
    if key == "timestamp":
        return value if _is_moment(str(value)) else None
    if not isinstance(value, str):
        return value
    if key in _URLS:
        return value if is_url(value) else None
    return cut(value.strip(), _LIMITS.get((part, key), URL_LIMIT)) or None


def _shrink(embed: dict[str, Any], budget: int) -> None:
    """Take fields from the end, then cut the description, until the embed has that size, if it can."""
    fields = embed.pop("fields", [])
    while fields and _size({**embed, "fields": fields}) > budget:
        fields.pop()
    if fields:
        embed["fields"] = fields
    excess = _size(embed) - budget
    if 0 < excess < len(embed.get("description", "")):
        embed["description"] = cut(embed["description"], len(embed["description"]) - excess)


def _size(embed: Mapping[str, Any]) -> int:
    """Return the size of an embed as Discord counts it: the characters of its texts."""
    parts = [("embed", embed), *((part, embed.get(part)) for part in ("author", "footer"))]
    parts += [("fields", field) for field in embed.get("fields", ())]
    return sum(len(value.get(key, "")) for part, value in parts if value for of, key in _LIMITS if of == part)


def _color(value: Any) -> int | None:
    """Return a colour as Discord counts it, of `#2e8b57` or a number; None of anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= 0xFFFFFF else None
    text = str(value).strip()
    if re.fullmatch("#[0-9A-Fa-f]{6}", text):
        return int(text[1:], 16)
    return _color(int(text)) if re.fullmatch(r"\d{1,8}", text, re.ASCII) else None


def is_url(text: str) -> bool:
    """Return True for a URL that Discord takes in a message."""
    return re.fullmatch(r"https?://[^\s/?#]+\S*", text.strip()) is not None and len(text) <= URL_LIMIT


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def words(embeds: list[dict[str, Any]]) -> str:
    """Return the texts of embeds as content, a line each."""
    lines: list[str] = []
    for embed in embeds:
        lines += [embed.get("title", ""), embed.get("description", "")]
        lines += [f"{field['name']}: {field['value']}" for field in embed.get("fields", ())]
    return "\n".join(line for line in lines if line)


def builtin(summary: Summary, warning: str | None, link: str) -> tuple[str, list[dict[str, Any]]]:
    """Return content and embeds of the built-in message: the headline, and beside the bar all else.

    The headline stands outside of the embed: notifications show the content.
    """
    fields = [
        {"name": escape(one_line(label)), "value": escape(one_line(value)), "inline": True}
        for label, value in summary.fields
    ]
    time = f"<t:{int(summary.at.timestamp())}:f>" if summary.at else escape(one_line(summary.time))
    open_link = f"[Open in the hub]({link.replace('(', '%28').replace(')', '%29')})" if link else ""
    note = " · ".join(part for part in (escape(one_line(summary.details)), time, open_link) if part)
    if warning:
        note = "\n".join(filter(None, (f"⚠ {escape(one_line(warning, WARNING_LIMIT))}", note)))
    embed: dict[str, Any] = {"color": int(COLOURS[summary.tone][1:], 16)}
    if fields and note:
        embed["fields"] = [*fields, {"name": _BLANK, "value": note, "inline": False}]
    elif fields:
        embed["fields"] = fields
    elif note:
        embed["description"] = note
    content = f"**{escape(one_line(summary.headline) or 'An event')}**"
    return content, [embed] if len(embed) > 1 else []
