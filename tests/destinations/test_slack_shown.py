"""A message in Slack as its reader meets it: bold, links, colour and all."""

from __future__ import annotations

from typing import Any

import pytest

from hub.destinations.base import ShownContext
from hub.destinations.slack.destination import SlackDestination
from hub.destinations.slack.spans import spans_of
from hub.model.parts import Part, PartKind, Role, Span
from hub.model.summary import Summary, Tone

CONTEXT = ShownContext(destination="team", written={}, event_id="e", event_type="t", payload="{}")


def shown(message: dict[str, Any]) -> list[Part]:
    """Return all parts that are not empty."""
    return [part for part in SlackDestination.shown(message, CONTEXT) if part.words]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("plain &amp; &lt;b&gt;", [Span(text="plain & <b>")]),
        ("*bold*, _it_ and ~gone~", "*bold*|, |_it_| and |~gone~"),
        ("*a _b ~c~_ d*", "*a |*_b |*_~c|* d"),
        ("2*3*4 snake_case_name *not closed", [Span(text="2*3*4 snake_case_name *not closed")]),
        ("* a * and ** and *a\nb*", [Span(text="* a * and ** and *a\nb*")]),
        ("*no **in* bold*", [Span(text="no **in", bold=True), Span(text=" bold*")]),
        ("`a *b* &lt;`", [Span(text="a *b* <", code=True)]),
        ("```x\n_y_```z", [Span(text="x\n_y_", code=True), Span(text="z")]),
        (
            "<https://x.test/?a=1&amp;b=2>",
            [Span(text="https://x.test/?a=1&b=2", url="https://x.test/?a=1&b=2")],
        ),
        ("*<https://x.test|Open &amp; see>*", [Span(text="Open & see", url="https://x.test", bold=True)]),
        ("<mailto:a@b.test|a@b.test>", [Span(text="a@b.test", url="mailto:a@b.test")]),
        ("<!here> <@U1> <#C1|sales>", "@here| |@U1| |#sales"),
        ("<!date^1777896000^{date_short}, {time}|4 May>", [Span(text="4 May")]),
        (":tada: *:wave::skin-tone-2: hi*", [Span(text="🎉 "), Span(text="👋🏻 hi", bold=True)]),
        (":white_check_mark: :rocket: :flag-de: :de:", [Span(text="✅ 🚀 🇩🇪 🇩🇪")]),
        (
            "`:tada:` :our-own: :space: 10:30:45",
            [Span(text=":tada:", code=True), Span(text=" :our-own: :space: 10:30:45")],
        ),
        ("", []),
    ],
)
def test_mrkdwn_is_read_as_spans(text: str, spans: Any) -> None:
    expected = [_span(part) for part in spans.split("|")] if isinstance(spans, str) else spans

    assert list(spans_of(text)) == expected


def _span(written: str) -> Span:
    """Return the span that stands here with the signs of its styles before it."""
    text = written.lstrip("*_~") if written[:1] in "*_~" else written
    signs = written[: len(written) - len(text)]
    return Span(text=text.rstrip("*_~"), bold="*" in signs, italic="_" in signs, strike="~" in signs)


@pytest.mark.parametrize("sign", ["*", "*a ", "_*~", "<", "`", "```", "<!", "*_~ "])
def test_hostile_text_is_read_to_its_end(sign: str) -> None:
    """What tried every way to pair the signs would not come back."""
    text = sign * (4000 // len(sign))

    assert set("".join(span.text for span in spans_of(text))) <= set(text)


def test_the_built_in_message_is_a_heading_fields_and_small_print_in_its_tone() -> None:
    summary = Summary(
        headline="Payment of 49.00 USD failed",
        tone=Tone.BAD,
        fields=(("Card", "Visa ending 4242"), ("Plan", "Team & more")),
        details="Recurring",
    )
    message = SlackDestination.compose_builtin(None, summary, "template failed", "https://hub.test/e/1")
    link = Span(text="Open in the hub", url="https://hub.test/e/1")

    assert shown(message) == [
        Part(
            kind=PartKind.RICH,
            text="Payment of 49.00 USD failed",
            spans=(Span(text="Payment of 49.00 USD failed"),),
            role=Role.HEADING,
        ),
        Part(
            kind=PartKind.FIELDS,
            pairs=(("Card", "Visa ending 4242"), ("Plan", "Team & more")),
            tone=Tone.BAD,
        ),
        Part(
            kind=PartKind.RICH,
            spans=(Span(text="Recurring · "), link, Span(text=" "), Span(text="⚠️ template failed")),
            role=Role.NOTE,
            tone=Tone.BAD,
        ),
    ]


def test_blocks_of_ones_own_are_read_too() -> None:
    elements = [
        {"type": "rich_text_section", "elements": [
            {"type": "text", "text": "Hi ", "style": {"bold": True}},
            {"type": "link", "url": "https://x.test"},
            {"type": "emoji", "name": "tada"},
            {"type": "user", "user_id": "U1"},
        ]},
        {"type": "rich_text_list", "elements": [
            {"type": "rich_text_section", "elements": [
                {"type": "text", "text": "one", "style": {"code": True}},
            ]},
        ]},
    ]  # fmt: skip
    blocks = [
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*Ada*"},
            "fields": [{"type": "mrkdwn", "text": "*Plan:*\nTeam"}, {"type": "plain_text", "text": "alone"}],
            "accessory": {"type": "image", "image_url": "https://x.test/a.png", "alt_text": "her face"},
        },
        {"type": "actions", "elements": [{"type": "button", "text": {"text": "Open"}, "url": "https://x.test"}]},
        {"type": "image", "title": {"text": "A chart"}, "alt_text": "chart", "image_url": "https://x.test/b"},
        {"type": "rich_text", "elements": elements},
        {"type": "markdown", "text": "# as it is"},
        {"type": "divider"},
        {"type": ["odd"]},
        "nonsense",
    ]  # fmt: skip
    parts = shown({"text": "hi", "blocks": blocks, "attachments": ["odd", {"blocks": {}}, {"color": []}]})

    assert [part.words for part in parts] == [
        "Ada",
        "alone",
        "Plan: Team",
        "her face",
        "Open <https://x.test>",
        "A chart",
        "Hi https://x.test🎉@U1\n• one",
        "# as it is",
        "hi",
    ]
    assert parts[0].spans == (Span(text="Ada", bold=True),)


def test_the_name_it_is_posted_under_and_its_thread_stand_beside_it() -> None:
    message = {
        "text": "hi",
        "username": "Clerk",
        "icon": ":x:",
        "thread": "i" * 200,
        "thread_mode": ["update"],
    }

    assert [(part.label, part.words, part.role) for part in shown(message)] == [
        ("", "hi", Role.BODY),
        ("posted as", "❌ Clerk", Role.NOTE),
        ("thread", f"{'i' * 119}… (update)", Role.NOTE),
    ]
