"""Blocks: checked at the desk, escaped for each place in them, and made to fit what Slack takes."""

from __future__ import annotations

from typing import Any

import given
import pytest
import yaml
from servers.slack_receiver import error_of

from hub.delivery.render import RenderContext, render
from hub.destinations.slack.block_kit import BLOCKS, ELEMENTS, UNTYPED
from hub.destinations.slack.blocks import fit
from hub.destinations.slack.destination import SlackDestination
from hub.destinations.slack.mrkdwn import cut
from hub.destinations.slack.shapes import check_blocks
from hub.model.routing import Send
from hub.templating.escapes import BY_NAME
from hub.templating.placeholders import filled
from hub.templating.sandbox import Sandbox

LONG = "x" * 4000
HOSTILE = "<!channel> a&b [x](https://evil.test) `y`"
PICTURE = "https://img.test/a.png?w=1&h=2"


def plain_text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain_text("Open"), **fields}


# -- at the desk ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "messages"),
    [
        ("{type: section}", ["a section block needs text or fields; add it"]),
        ("{type: header}", ["a header block needs text; add it"]),
        (
            "{type: header, text: hello}",
            [
                '"text" of a header block must be a mapping, such as {type: plain_text, text: …}, not text',
            ],
        ),
        (
            "{type: header, text: {type: mrkdwn, text: x}}",
            ['"text" of a header block can be plain_text, not mrkdwn'],
        ),
        (
            "{type: section, text: {type: text, text: x}}",
            ['"text" of a section block can be plain_text, mrkdwn, not text'],
        ),
        ("{type: section, text: {text: x}}", ['"text" of a section block needs a type: plain_text, mrkdwn']),
        (
            "{type: section, txt: {type: mrkdwn, text: x}}",
            ['Slack has no key of a section block called "txt"; did you mean "text"?'],
        ),
        ("{type: sektion, text: x}", ['Slack has no block "sektion"; did you mean "section"?']),
        ("{type: actions, elements: []}", ['"elements" of an actions block is empty, which Slack refuses']),
        (
            "{type: actions, elements: [{type: buton}]}",
            ['Slack has no element "buton"; did you mean "button"?'],
        ),
        (
            "{type: context, elements: [{type: button, text: {type: plain_text, text: x}}]}",
            ['an entry in "elements" of a context block can be image, plain_text, mrkdwn, not button'],
        ),
        (
            '{type: image, image_url: "", alt_text: x}',
            ['"image_url" of an image block is empty, which Slack refuses'],
        ),
        ("{type: image, image_url: https://x.test}", ["an image block needs alt_text; add it"]),
        ("{type: image, alt_text: x}", ["an image block needs image_url or slack_file; add it"]),
        (
            f"{{type: header, text: {{type: plain_text, text: {'x' * 151}}}}}",
            ['"text" of a header block has 151 characters; Slack takes at most 150'],
        ),
        (
            f"{{type: section, fields: [{{type: mrkdwn, text: {'x' * 2001}}}]}}",
            ['an entry in "fields" of a section block has 2001 characters; Slack takes at most 2000'],
        ),
        (
            f"{{type: section, fields: [{', '.join(['{type: mrkdwn, text: x}'] * 11)}]}}",
            ['"fields" of a section block has 11 entries; Slack takes at most 10'],
        ),
        (
            "{type: actions, elements: [{type: button, text: {type: plain_text, text: x}, style: primry}]}",
            ['"style" of a button cannot be "primry"; did you mean "primary"?'],
        ),
        (
            "{type: actions, elements: [{type: overflow, options: [{text: {type: plain_text, text: x}}]}]}",
            ["an option needs value; add it"],
        ),
        ("{type: divider, block_id: 7}", ['"block_id" of a divider block must be text, not a number']),
        ("text", ["a block must be a mapping with a type, such as section"]),
    ],
)
def test_a_block_that_slack_refuses_is_explained(block: str, messages: list[str]) -> None:
    flaws = list(check_blocks([yaml.safe_load(block)]))

    assert [flaw.message for flaw in flaws] == messages
    assert all(flaw.is_sure for flaw in flaws)


@pytest.mark.parametrize(
    "block",
    [
        '{type: header, text: {type: plain_text, text: "{{ data.name }}"}}',
        '{type: image, image_url: "{{ data.image_url }}", alt_text: "${ALT}"}',
        '{type: "{{ kind }}", anything: 1}',
        '{type: section, text: {type: "{% if a %}mrkdwn{% endif %}", text: x}}',
        "{type: card, title: {type: mrkdwn, text: x}}",
        "{type: rich_text, elements: [{type: rich_text_section, elements: [{type: text, text: x}]}]}",
        "{type: actions, elements: [{type: channels_select, placeholder: {type: plain_text, text: x}}]}",
    ],
)
def test_what_a_template_decides_and_what_slack_takes_is_right(block: str) -> None:
    assert list(check_blocks([yaml.safe_load(block)])) == []
    assert list(check_blocks({"blocks": [yaml.safe_load(block)]})) == []


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("{type: hologram}", 'Slack has no block "hologram"; it may be newer'),
        (
            "{type: divider, sparkle: 1}",
            'Slack has no key of a divider block called "sparkle"; it may be newer',
        ),
        ("{type: actions, elements: [{type: zzz}]}", 'Slack has no element "zzz"; it may be newer'),
    ],
)
def test_what_is_like_nothing_that_is_known_may_be_newer(block: str, message: str) -> None:
    (flaw,) = check_blocks([yaml.safe_load(block)])

    assert flaw.message.startswith(message)
    assert not flaw.is_sure


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", "must be a list of blocks, not text"),
        ({"block": []}, "must be a list of blocks, not a mapping"),
        ([], "has 0 blocks; Slack takes 1 to 50"),
        ([{"type": "divider"}] * 51, "has 51 blocks; Slack takes 1 to 50"),
    ],
)
def test_a_list_of_blocks_is_one(value: Any, message: str) -> None:
    assert [flaw.message for flaw in check_blocks(value)] == [message]


def test_every_kind_that_a_field_takes_is_known() -> None:
    kinds = (kind for table in (BLOCKS, ELEMENTS, UNTYPED) for kind in table.values())
    taken = {name for kind in kinds for field in kind.fields.values() for name in field.kinds}

    assert taken - ELEMENTS.keys() - UNTYPED.keys() == set()


# -- escaped for its place --------------------------------------------------------------------------


def composed(renderer: Any, blocks: Any, **data: Any) -> list[dict[str, Any]]:
    message = SlackDestination.compose(None, {"blocks": blocks}, renderer(data=data))
    assert isinstance(message["blocks"], list)
    return message["blocks"]


def test_only_texts_are_escaped(renderer: Any) -> None:
    blocks = [
        {
            "type": "actions",
            "block_id": "{{ data.x }}",
            "elements": [
                button(
                    url="https://x.test/?a=1&b={{ data.x }}", value="{{ data.x }}", action_id="{{ data.x }}"
                ),
            ],
        },
        {"type": "image", "image_url": "{{ data.picture }}", "alt_text": "{{ data.x }}"},
        {"type": "header", "text": plain_text("{{ data.x }}")},
        {"type": "section", "text": {"type": "mrkdwn", "text": "{{ data.x }}"}},
    ]
    actions, image, header, section = composed(renderer, blocks, x="<a>&b", picture=PICTURE)

    assert actions["block_id"] == "<a>&b"
    assert actions["elements"][0] == button(
        url="https://x.test/?a=1&b=<a>&b", value="<a>&b", action_id="<a>&b"
    )
    assert (image["image_url"], image["alt_text"]) == (PICTURE, "<a>&b")
    assert header["text"]["text"] == section["text"]["text"] == "&lt;a&gt;&amp;b"


def test_the_value_of_a_variable_is_escaped_for_its_place_too() -> None:
    blocks = [
        {"type": "actions", "elements": [button(url="https://x.test/?a=${TEAM}")]},
        {"type": "section", "text": {"type": "mrkdwn", "text": "${TEAM}"}},
    ]
    send = Send(to="team", fields={"text": "hi", "blocks": blocks})
    rendered = render(
        send, RenderContext(event=given.event(), route="all"), SlackDestination, None, Sandbox({})
    )
    escapes = {**BY_NAME, **{escape.__name__: escape for escape in SlackDestination.escapes}}
    actions, section = filled(rendered.message, {"TEAM": "a&b"}, escapes)["blocks"]

    assert actions["elements"][0]["url"] == "https://x.test/?a=a&b"
    assert section["text"]["text"] == "a&amp;b"


def test_a_file_of_blocks_has_no_variables() -> None:
    source = "blocks:\n- {type: header, text: {type: plain_text, text: '${TEAM}'}}\n"
    send = Send(to="team", fields={"template": "a"})
    sandbox = Sandbox({"a.blocks.yaml": source})
    rendered = render(send, RenderContext(event=given.event(), route="all"), SlackDestination, None, sandbox)

    assert rendered.message["blocks"][0]["text"]["text"] == "${TEAM}"


def test_rich_text_is_words_and_a_markdown_block_has_escapes_of_its_own(renderer: Any) -> None:
    rich = {"type": "rich_text_section", "elements": [{"type": "text", "text": "{{ data.x }}"}]}
    blocks = [
        {"type": "rich_text", "elements": [rich]},
        {"type": "markdown", "text": "**{{ data.x }}**"},
    ]
    rich_text, markdown = composed(renderer, blocks, x=HOSTILE)

    assert rich_text["elements"][0]["elements"][0]["text"] == HOSTILE
    assert markdown["text"] == r"**&lt;!channel&gt; a&amp;b \[x\](https://evil.test) \`y\`**"


def test_the_escape_follows_the_type_that_was_rendered(renderer: Any) -> None:
    blocks = [{"type": "section", "text": {"type": "{{ data.type }}", "text": "{{ data.x }}"}}]
    (section,) = composed(renderer, blocks, type="mrkdwn", x=HOSTILE)

    assert section["text"]["text"].startswith("&lt;!channel&gt;")


def test_a_text_that_is_called_as_its_type_is_rendered_too(renderer: Any) -> None:
    (block,) = composed(renderer, [{"type": "section", "text": {"type": "plain_text", "text": "plain_text"}}])

    assert block["text"] == plain_text("plain_text")


def test_words_of_rich_text_are_escaped_where_they_stand_in_for_the_text(renderer: Any) -> None:
    rich = {"type": "rich_text_section", "elements": [{"type": "text", "text": "{{ data.x }}"}]}
    fields = {"blocks": [{"type": "rich_text", "elements": [rich]}]}
    message = SlackDestination.compose(None, fields, renderer(data={"x": "<!channel>"}))

    assert message["text"] == "&lt;!channel&gt;"


# -- made to fit ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "fitted"),
    [
        ({"type": "image", "image_url": " ", "alt_text": "x"}, None),
        ({"type": "image", "image_url": PICTURE, "alt_text": ""}, None),
        ({"type": "image", "image_url": PICTURE + LONG, "alt_text": "x"}, None),
        ({"type": "actions", "elements": []}, None),
        ({"type": "actions", "elements": [button(url="")]}, None),
        ({"type": "context", "elements": [mrkdwn("")]}, None),
        ({"type": "header", "text": plain_text(" ")}, None),
        ({"type": "section", "fields": [mrkdwn("")]}, None),
        ({"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}, None),
        (
            {
                "type": "section",
                "text": mrkdwn("x"),
                "accessory": {"type": "image", "image_url": "", "alt_text": ""},
            },
            {"type": "section", "text": mrkdwn("x")},
        ),
        (
            {"type": "actions", "elements": [button(url=""), button(value="", action_id="")]},
            {"type": "actions", "elements": [button()]},
        ),
        (
            {"type": "actions", "elements": [button(value="v" * 2001, action_id="a" * 256, url=PICTURE)]},
            {"type": "actions", "elements": [button(value="v" * 2000, action_id="a" * 255, url=PICTURE)]},
        ),
        (
            {"type": "actions", "elements": [{"type": "button", "text": plain_text("x" * 76)}]},
            {"type": "actions", "elements": [{"type": "button", "text": plain_text("x" * 74 + "…")}]},
        ),
        (
            {"type": "context", "elements": [mrkdwn("x")] * 11},
            {"type": "context", "elements": [mrkdwn("x")] * 10},
        ),
        (
            {"type": "section", "fields": [mrkdwn("x" * 2001)] + [mrkdwn("y")] * 11},
            {"type": "section", "fields": [mrkdwn("x" * 1999 + "…")] + [mrkdwn("y")] * 9},
        ),
        (
            {"type": "image", "image_url": PICTURE, "alt_text": "a" * 2001, "title": plain_text("")},
            {"type": "image", "image_url": PICTURE, "alt_text": "a" * 1999 + "…"},
        ),
        ({"type": "hologram", "beam": "", "rays": 3}, {"type": "hologram", "beam": "", "rays": 3}),
    ],
)
def test_a_block_is_made_to_fit(block: dict[str, Any], fitted: dict[str, Any] | None) -> None:
    blocks = fit([block], "text")

    assert blocks == ([fitted] if fitted else [])
    assert error_of({"text": "text", "blocks": blocks}) == ""


def test_the_options_of_a_menu_are_made_to_fit() -> None:
    option = {"text": plain_text("x" * 80), "value": "v" * 160, "url": PICTURE}
    dead = {**option, "url": ""}
    menu = {"type": "overflow", "options": [dead, *[option] * 7]}
    (block,) = fit([{"type": "actions", "elements": [menu]}], "text")

    assert (
        block["elements"][0]["options"]
        == [{"text": plain_text("x" * 74 + "…"), "value": "v" * 150, "url": PICTURE}] * 5
    )
    assert error_of({"blocks": [block]}) == ""


def test_more_blocks_than_slack_takes_are_cut_off() -> None:
    assert len(fit([{"type": "divider"}] * 60, "text")) == 50


# -- a cut --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("a\n```\n" + "c" * 50 + "\n```\nend", 30, "a\n```\n" + "c" * 19 + "…\n```"),
        ("```one``` and " + "x" * 30, 20, "```one``` and xxxxx…"),
        ("abc```code", 7, "ab…"),
        ("abc `code`", 7, "abc `c…"),
        ("ab&amp;cd", 6, "ab…"),
        ("ab&lt;cd", 7, "ab&lt;…"),
        ("ab <https://x.test|y> c", 15, "ab…"),
        ("ab <!date^1^{date}|then> c", 12, "ab…"),
        ("```" + "x" * 9, 4, "…"),
        ("short", 5, "short"),
    ],
)
def test_a_cut_leaves_nothing_half(text: str, limit: int, expected: str) -> None:
    shown = cut(text, limit)

    assert shown == expected
    assert len(shown) <= limit


def test_backticks_in_plain_text_are_no_fence() -> None:
    assert cut("```" + "x" * 20, 10, has_code=False) == "```xxxxxx…"
