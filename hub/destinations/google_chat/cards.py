"""Google Chat's cards: as users write them, made to fit, and that of the built-in message.

https://developers.google.com/workspace/chat/api/reference/rest/v1/cards has their fields; a field that Google
does not know makes it refuse the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hub.destinations.google_chat.markup import escape, escape_card
from hub.model.summary import COLOURS, Summary, Tone
from hub.strings import one_line, shortened_bytes
from hub.templating import small_html
from hub.templating.escapes import Escape, plain
from hub.templating.flaws import Flaw, Path, is_dynamic, key_flaws, list_flaws, unknown_name
from hub.templating.structures import Keys

CARDS_LIMIT = 100
WIDGETS_LIMIT = 100
"""In a card; Google leaves out the section that goes beyond it, and those behind it."""
WARNING_LIMIT = 300

_CARD_KEYS = (
    "header",
    "sections",
    "fixedFooter",
    "cardActions",
    "name",
    "displayStyle",
    "sectionDividerStyle",
)
_HEADER_KEYS = ("title", "subtitle", "imageUrl", "imageType", "imageAltText")
_SECTION_KEYS = ("header", "widgets", "collapsible", "uncollapsibleWidgetsCount", "collapseControl", "id")
_WIDGETS = (
    *("textParagraph", "decoratedText", "image", "buttonList", "chipList", "columns", "grid", "divider"),
    *("carousel", "selectionInput", "textInput", "dateTimePicker"),
)
_BESIDE_WIDGETS = ("horizontalAlignment", "id", "visibility", "eventActions")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "header": ("title",),
    "sections": ("widgets",),
    "textParagraph": ("text",),
    "decoratedText": ("text",),
    "image": ("imageUrl",),
    "buttonList": ("buttons",),
    "buttons": ("onClick",),
    "openLink": ("url",),
    "columns": ("columnItems",),
    "columnItems": ("widgets",),
}
"""What something under a key of a card needs: without it, it is left out."""

_PARAGRAPHS = ("textParagraph", "topLabelText", "bottomLabelText", "contentText")
_LABELS = frozenset(
    (
        *("title", "subtitle", "topLabel", "bottomLabel", "label", "text", "altText", "imageAltText"),
        *("hintText", "placeholderText", "actionLabel", "bottomText"),
    )
)
_URLS = ("url", "imageUrl", "iconUrl", "imageUri", "startIconUri")


def is_html(keys: Keys) -> bool:
    """Return True where Google reads the text at these keys of a card as HTML."""
    return keys[-1:] == ("header",) or (
        keys[-1:] == ("text",) and keys[-2:-1] in [(key,) for key in (*_PARAGRAPHS, "decoratedText")]
    )


def escape_at(keys: Keys) -> Escape:
    """Return the escape for the string at these keys of a card."""
    if is_html(keys):
        return escape_card
    return escape if keys and keys[-1] in _LABELS else plain


def check_cards(value: Any) -> Iterator[Flaw]:
    """Yield what Google Chat would refuse in a list of cards, which may stand in a mapping under `cards`."""
    path: Path = ()
    if isinstance(value, Mapping) and "cards" in value:
        path, value = ("cards",), value["cards"]
    yield from list_flaws(value, "Google Chat", "cards", CARDS_LIMIT, path)
    for index, item in enumerate(value if isinstance(value, list) else ()):
        below: Path = (*path, index)
        if isinstance(item, Mapping) and "card" in item:
            yield from key_flaws(item, "Google Chat", "an entry of cards", ("card", "cardId"), (), below)
            item, below = item["card"], (*below, "card")
        yield from _check_card(item, below)


def _check_card(card: Any, path: Path) -> Iterator[Flaw]:
    yield from key_flaws(card, "Google Chat", "a card", _CARD_KEYS, ("sections",), path)
    if not isinstance(card, Mapping):
        return
    if "header" in card:
        header = card["header"]
        yield from key_flaws(header, "Google Chat", "a header", _HEADER_KEYS, ("title",), (*path, "header"))
    sections = card.get("sections", [])
    if not isinstance(sections, list):
        yield from list_flaws(sections, "Google Chat", "sections", CARDS_LIMIT, (*path, "sections"))
        return
    for index, section in enumerate(sections):
        below = (*path, "sections", index)
        yield from key_flaws(section, "Google Chat", "a section", _SECTION_KEYS, ("widgets",), below)
        widgets = section.get("widgets") if isinstance(section, Mapping) else None
        if widgets is not None:
            yield from list_flaws(widgets, "Google Chat", "widgets", WIDGETS_LIMIT, (*below, "widgets"))
        for number, widget in enumerate(widgets if isinstance(widgets, list) else ()):
            yield from _check_widget(widget, (*below, "widgets", number))


def _check_widget(widget: Any, path: Path) -> Iterator[Flaw]:
    if not isinstance(widget, Mapping):
        yield Flaw(path=path, message="a widget must be a mapping, such as textParagraph: {text: …}")
        return
    kinds = [key for key in widget if key not in _BESIDE_WIDGETS]
    if len(kinds) != 1:
        yield Flaw(
            path=path, message=f"a widget is of one kind, not of {len(kinds)}; make it several widgets"
        )
    for kind in kinds:
        if kind not in _WIDGETS:
            flaw = unknown_name((*path, kind), "Google Chat", "widget", str(kind), _WIDGETS)
            yield Flaw(path=flaw.path, message=flaw.message, is_sure=flaw.is_sure, is_about_key=True)
            continue
        value, needed = widget[kind], _NEEDED.get(kind, ())
        if isinstance(value, Mapping):
            missing = [key for key in needed if key not in value]
            yield from (Flaw(path=(*path, kind), message=f"{kind} needs {key}; add it") for key in missing)
            yield from _check_values(value, (*path, kind))


def _check_values(value: Mapping[str, Any], path: Path) -> Iterator[Flaw]:
    if str(value.get("textSyntax", "HTML")) != "HTML":
        message = "textSyntax is always HTML here: no value is escaped for another one; take it out"
        yield Flaw(path=(*path, "textSyntax"), message=message)
    for key in _URLS:
        url = value.get(key)
        if isinstance(url, str) and not is_dynamic(url) and not _is_url(url):
            yield Flaw(path=(*path, key), message=f"{key} must be a URL that begins with https://")


def fit(cards: list[Any], limit: int) -> list[dict[str, Any]]:
    """Return the cards with their ids, as Google takes them, each text cut to `limit` bytes.

    What is empty, or no URL where one must stand, is left out with all that needs it.
    """
    fitted: list[dict[str, Any]] = []
    for index, item in enumerate(cards[:CARDS_LIMIT], 1):
        is_wrapped = isinstance(item, Mapping) and "card" in item
        card = _fit(item["card"] if is_wrapped else item, (), limit)
        if isinstance(card, dict) and ("sections" in card or "header" in card):
            card_id = item.get("cardId") if is_wrapped else None
            fitted.append({"cardId": str(card_id or f"card-{index}"), "card": card})
    return fitted


def _fit(value: Any, keys: Keys, limit: int) -> Any:
    """Return a value of a card within Google's bounds; None for one that is to be left out."""
    if isinstance(value, Mapping):
        return _fit_mapping(value, keys, limit)
    if isinstance(value, list):
        items = [item for item in (_fit(item, keys, limit) for item in value) if item is not None]
        return items or None
    if not isinstance(value, str):
        return value
    if keys and keys[-1] in _URLS:
        return value if _is_url(value) else None
    if not value.strip():
        return None
    if is_html(keys):
        return small_html.cut(value, limit, lambda text: len(text.encode()))
    return shortened_bytes(value, limit)


def _fit_mapping(value: Mapping[str, Any], keys: Keys, limit: int) -> dict[str, Any] | None:
    items = {str(key): _fit(item, (*keys, str(key)), limit) for key, item in value.items()}
    # Values are escaped for HTML: in another syntax they could begin a link.
    fitted = {key: item for key, item in items.items() if item is not None and key != "textSyntax"}
    last = keys[-1] if keys else ""
    if (value and not fitted) or any(key not in fitted for key in _NEEDED.get(last, ())):
        return None
    return fitted if last != "widgets" or any(key not in _BESIDE_WIDGETS for key in fitted) else None


def _is_url(text: str) -> bool:
    return re.fullmatch(r"https?://[^\s/?#]+\S*", text.strip()) is not None


def builtin(summary: Summary, warning: str | None, link: str) -> list[dict[str, Any]]:
    """Return the card of the built-in message: headline, fields, small print and a button."""
    colour = COLOURS[summary.tone]
    sign = f'<font color="{colour}">⚠</font> ' if summary.tone in (Tone.BAD, Tone.WATCH) else ""
    headline = f"{sign}<b>{escape_card(one_line(summary.headline) or 'An event')}</b>"
    widgets: list[dict[str, Any]] = [{"textParagraph": {"text": headline}}]
    for label, value in summary.fields:
        text = {"topLabel": escape(one_line(label)), "text": escape_card(one_line(value)), "wrapText": True}
        widgets.append({"decoratedText": text})
    small_print = [f"⚠ {one_line(warning, WARNING_LIMIT)}" if warning else "", one_line(summary.note)]
    widgets += [_soft(text) for text in small_print if text]
    if link:
        button = {"text": "Open in the hub", "onClick": {"openLink": {"url": link}}}
        widgets.append({"buttonList": {"buttons": [button]}})
    return [{"sections": [{"widgets": widgets}]}]


def _soft(text: str) -> dict[str, Any]:
    colour = COLOURS[Tone.PLAIN]
    return {"textParagraph": {"text": f'<font color="{colour}">{escape_card(text)}</font>'}}
