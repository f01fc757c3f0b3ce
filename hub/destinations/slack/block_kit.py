"""Slack's Block Kit as data: each kind of block, element and object with its fields and their limits.

Limits and fields from the page of each kind below https://docs.slack.dev/reference/block-kit; where a page
says "less than", one less. slack-sdk has models of them, but it checks objects that are whole, not templates,
and does not say which field of a file is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

BLOCKS_LIMIT = 50
TEXT_LIMIT = 3000
ID_LIMIT = 255
URL_LIMIT = 3000


class Shape(Enum):
    """The shape of a field's value; ANY is not looked into."""

    ANY = "anything"
    STRING = "text for programs"
    WORDS = "text for people"
    LINK = "a URL"
    OBJECT = "an object"
    LIST = "a list"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field. `limit` counts characters of a text, or items of a list.

    `kinds` are those of an object, or of the items of a list; `text_limit` holds for text objects among them.
    `values` are all that a text can be, where Slack has a list of them.
    """

    shape: Shape
    required: bool = False
    limit: int | None = None
    kinds: tuple[str, ...] = ()
    text_limit: int = TEXT_LIMIT
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of block, element or object. Of the fields in `one_of`, it needs at least one."""

    fields: Mapping[str, Field]
    one_of: tuple[str, ...] = ()


def _any() -> Field:
    return Field(shape=Shape.ANY)


def _string(limit: int | None = None, *, required: bool = False, values: tuple[str, ...] = ()) -> Field:
    return Field(shape=Shape.STRING, limit=limit, required=required, values=values)


def _words(limit: int | None = None, *, required: bool = False) -> Field:
    return Field(shape=Shape.WORDS, limit=limit, required=required)


def _link(*, required: bool = False) -> Field:
    return Field(shape=Shape.LINK, limit=URL_LIMIT, required=required)


def _text(limit: int, *, required: bool = False) -> Field:
    return Field(shape=Shape.OBJECT, kinds=_TEXTS, text_limit=limit, required=required)


def _plain(limit: int, *, required: bool = False) -> Field:
    return Field(shape=Shape.OBJECT, kinds=("plain_text",), text_limit=limit, required=required)


def _object(*kinds: str, required: bool = False) -> Field:
    return Field(shape=Shape.OBJECT, kinds=kinds, required=required)


def _items(limit: int | None, *kinds: str, text_limit: int = TEXT_LIMIT, required: bool = True) -> Field:
    return Field(shape=Shape.LIST, limit=limit, kinds=kinds, text_limit=text_limit, required=required)


def _block(*, one_of: tuple[str, ...] = (), **fields: Field) -> Kind:
    return Kind(fields={"type": _any(), "block_id": _string(ID_LIMIT), **fields}, one_of=one_of)


def _element(*, one_of: tuple[str, ...] = (), **fields: Field) -> Kind:
    return Kind(fields={"type": _any(), **fields}, one_of=one_of)


def _control(*, one_of: tuple[str, ...] = (), **fields: Field) -> Kind:
    """Return an element that somebody can act on."""
    return _element(
        action_id=_string(ID_LIMIT), confirm=_object("confirm"), focus_on_load=_any(), one_of=one_of, **fields
    )


def _menu(*, one_of: tuple[str, ...] = (), **fields: Field) -> Kind:
    return _control(
        placeholder=_plain(150),
        response_url_enabled=_any(),
        max_selected_items=_any(),
        one_of=one_of,
        **fields,
    )


def _static_menu(**fields: Field) -> Kind:
    return _menu(
        one_of=("options", "option_groups"),
        options=_items(100, "option", required=False),
        option_groups=_items(100, "option_group", required=False),
        **fields,
    )


def _input(**fields: Field) -> Kind:
    return _control(
        one_of=(), placeholder=_plain(150), initial_value=_any(), dispatch_action_config=_any(), **fields
    )


_TEXTS = ("plain_text", "mrkdwn")
_STYLES = ("primary", "danger")
_SELECTS = ("static_select", "external_select", "users_select", "conversations_select", "channels_select")
_MENUS = (*_SELECTS, *(f"multi_{name}" for name in _SELECTS))
_PICKERS = ("datepicker", "timepicker", "datetimepicker")
_CHOICES = ("checkboxes", "radio_buttons")
_BUTTONS = ("button", "workflow_button", "overflow")
_INPUTS = (
    *("plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input"),
    "file_input",
)

BLOCKS: Mapping[str, Kind] = {
    "actions": _block(elements=_items(25, *_BUTTONS, *_MENUS, *_PICKERS, *_CHOICES, "rich_text_input")),
    "context": _block(elements=_items(10, "image", *_TEXTS)),
    "context_actions": _block(elements=_items(5, "feedback_buttons", "icon_button")),
    "divider": _block(),
    "file": _block(external_id=_string(required=True), source=_string(required=True)),
    "header": _block(text=_plain(150, required=True)),
    "image": _block(
        image_url=_link(),
        slack_file=_any(),
        alt_text=_words(2000, required=True),
        title=_plain(2000),
        one_of=("image_url", "slack_file"),
    ),
    "input": _block(
        label=_plain(2000, required=True),
        element=_object(*_INPUTS, *_MENUS, *_PICKERS, *_CHOICES, required=True),
        hint=_plain(2000),
        optional=_any(),
        dispatch_action=_any(),
    ),
    "markdown": _block(text=_words(12_000, required=True)),
    "rich_text": _block(
        elements=_items(None, *(f"rich_text_{name}" for name in ("section", "list", "preformatted", "quote")))
    ),
    "section": _block(
        text=_text(3000),
        fields=_items(10, *_TEXTS, text_limit=2000, required=False),
        accessory=_object(*_BUTTONS, *_MENUS, *_PICKERS, *_CHOICES, "image"),
        expand=_any(),
        one_of=("text", "fields"),
    ),
    "table": _block(rows=_items(100), column_settings=_items(20, required=False)),
    "video": _block(
        alt_text=_words(required=True),
        title=_plain(199, required=True),
        title_url=_string(),
        thumbnail_url=_link(required=True),
        video_url=_link(required=True),
        author_name=_words(49),
        provider_name=_words(),
        provider_icon_url=_string(),
        description=_plain(199),
    ),
}
"""The blocks whose fields are known here."""

OTHER_BLOCKS = frozenset(
    ("alert", "auth_provider", "call", "card", "carousel", "container", "data_table", "plan", "task_card")
)
"""Blocks that Slack has, and whose fields go out as they are."""

ELEMENTS: Mapping[str, Kind] = {
    "button": _control(
        text=_plain(75, required=True),
        url=_link(),
        value=_string(2000),
        style=_string(values=_STYLES),
        accessibility_label=_words(75),
    ),
    "channels_select": _menu(initial_channel=_any()),
    "checkboxes": _control(options=_items(10, "option"), initial_options=_any()),
    "conversations_select": _menu(
        initial_conversation=_any(), default_to_current_conversation=_any(), filter=_any()
    ),
    "datepicker": _control(initial_date=_any(), placeholder=_plain(150)),
    "datetimepicker": _control(initial_date_time=_any()),
    "email_text_input": _input(),
    "external_select": _menu(initial_option=_any(), min_query_length=_any()),
    "feedback_buttons": _element(
        action_id=_string(ID_LIMIT),
        positive_button=_object("feedback_button", required=True),
        negative_button=_object("feedback_button", required=True),
    ),
    "file_input": _element(action_id=_string(ID_LIMIT), filetypes=_any(), max_files=_any()),
    "icon_button": _control(
        icon=_string(required=True),
        text=_plain(75, required=True),
        value=_string(2000),
        accessibility_label=_words(75),
        visible_to_user_ids=_any(),
    ),
    "image": _element(
        image_url=_link(),
        slack_file=_any(),
        alt_text=_words(2000, required=True),
        one_of=("image_url", "slack_file"),
    ),
    "multi_channels_select": _menu(initial_channels=_any()),
    "multi_conversations_select": _menu(
        initial_conversations=_any(), default_to_current_conversation=_any(), filter=_any()
    ),
    "multi_external_select": _menu(initial_options=_any(), min_query_length=_any()),
    "multi_static_select": _static_menu(initial_options=_any()),
    "multi_users_select": _menu(initial_users=_any()),
    "number_input": _input(
        is_decimal_allowed=Field(shape=Shape.ANY, required=True), min_value=_any(), max_value=_any()
    ),
    "overflow": _control(options=_items(5, "option")),
    "plain_text_input": _input(multiline=_any(), min_length=_any(), max_length=_any()),
    "radio_buttons": _control(options=_items(10, "option"), initial_option=_any()),
    "rich_text_input": _input(),
    "rich_text_list": _element(
        elements=_items(None, "rich_text_section"),
        style=_string(required=True, values=("bullet", "ordered")),
        indent=_any(),
        offset=_any(),
        border=_any(),
    ),
    "rich_text_preformatted": _element(elements=_items(None), border=_any(), language=_any()),
    "rich_text_quote": _element(elements=_items(None), border=_any()),
    "rich_text_section": _element(elements=_items(None)),
    "static_select": _static_menu(initial_option=_any()),
    "timepicker": _control(initial_time=_any(), placeholder=_plain(150), timezone=_any()),
    "url_text_input": _input(),
    "users_select": _menu(initial_user=_any()),
    "workflow_button": _element(
        text=_plain(75, required=True),
        workflow=Field(shape=Shape.ANY, required=True),
        action_id=_string(ID_LIMIT),
        style=_string(values=_STYLES),
        accessibility_label=_words(75),
    ),
    # Parts of rich text that hold words; others name people and channels.
    "link": _element(url=_link(required=True), text=_words(), style=_any(), unsafe=_any()),
    "text": _element(text=_words(required=True), style=_any()),
    # Text objects.
    "mrkdwn": _element(text=_words(required=True), verbatim=_any()),
    "plain_text": _element(text=_words(required=True), emoji=_any()),
}
"""The elements of blocks, and text objects."""

UNTYPED: Mapping[str, Kind] = {
    "confirm": Kind(
        fields={
            "title": _plain(100),
            "text": _text(300, required=True),
            "confirm": _plain(30),
            "deny": _plain(30),
            "style": _string(values=_STYLES),
        }
    ),
    "feedback_button": Kind(
        fields={
            "text": _plain(75, required=True),
            "value": _string(2000, required=True),
            "accessibility_label": _words(75),
        }
    ),
    "option": Kind(
        fields={
            "text": _text(75, required=True),
            "value": _string(150, required=True),
            "description": _text(75),
            "url": _link(),
        }
    ),
    "option_group": Kind(fields={"label": _plain(75, required=True), "options": _items(100, "option")}),
}
"""Objects that have no type of their own: the field that holds one says its kind."""
