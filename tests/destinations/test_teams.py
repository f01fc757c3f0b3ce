"""Teams: cards by a Workflow, within its size, in which no stranger's text means anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from hostile import HOSTILE
from pydantic import ValidationError
from sending import Answer, HttpContract, attempt, failure
from servers.workflow_server import WorkflowServer

from hub.destinations.base import ShownContext
from hub.destinations.teams.card import LIMIT_BYTES, escape, size
from hub.destinations.teams.destination import TeamsDestination, TeamsOptions, TeamsSend
from hub.destinations.teams.shapes import check_card
from hub.errors import Pause, Reject, Retry, TemplateError, Unknown
from hub.model.parts import PartKind, Role
from hub.model.summary import Summary, Tone
from hub.templating.markdown import seen, spans

FRAME = {
    "type": "AdaptiveCard",
    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
    "version": "1.4",
    "msteams": {"width": "Full"},
}
FAILED = Summary(
    headline="Payment of 49.00 USD by Harbor & Pine failed",
    tone=Tone.BAD,
    fields=(("Plan", "Team"), ("Card", "Visa *4242")),
    details="Recurring",
    at=datetime(2026, 6, 12, 17, 12, tzinfo=UTC),
    time="12 Jun 2026, 19:12 CEST",
)


def refused(status, code, error, **expected):
    body = json.dumps({"error": {"code": code, "message": "as it says"}}).encode()
    return Answer(status=status, body=body, error=error, **expected)


def text_block(text, **more):
    return {"type": "TextBlock", "text": text, "wrap": True, **more}


def place(url, **more):
    return TeamsDestination(TeamsOptions(webhook_url=url), "team", **more)


class TestTeams(HttpContract):
    SECRETS = ("hush-hush",)
    DELIVERED = (200, 202)
    UNASKED_REST = 60
    REFUSED: ClassVar = {401: Pause, 403: Pause, 410: Reject, 413: Reject}
    ANSWERS: ClassVar = (
        refused(400, "InvalidRequestContent", Reject, words="does not take this card", form=True),
        refused(400, "TriggerInputSchemaMismatch", Reject, words="does not take this card", form=True),
        refused(400, "WorkflowTriggerIsNotEnabled", Pause, words="a new flow has a new URL"),
        refused(400, "Whatever", Retry, words="400 Bad Request"),
        refused(401, "DirectApiAuthorizationRequired", Pause, words="a new flow has a new URL"),
        refused(404, "WorkflowNotFound", Pause, words="a new flow has a new URL"),
        refused(413, "RequestEntityTooLarge", Reject, words="the card is too large", form=True),
        refused(502, "NoResponse", Retry, words="502 Bad Gateway"),
        Answer(status=429, body=b"", error=Retry, words="too many", throttled=True, after_seconds=60),
        Answer(status=404, body=b"<html>", error=Retry, words="404 Not Found"),
        Answer(status=400, body=b'{"error": "no"}', error=Retry, words="400 Bad Request"),
        Answer(status=400, body=b'{"error": {"code": []}}', error=Retry, words="400 Bad Request"),
        Answer(status=200, body=b"<html>Sign in to the hotel", error=Unknown, words="not the flow's"),
    )

    def make(self, port, *, host="127.0.0.1", tls=False, **more):
        return place(f"{'https' if tls else 'http'}://{host}:{port}/invoke?sig=hush-hush", **more)


def test_the_built_in_card_shows_its_tone_and_the_readers_own_time():
    with WorkflowServer() as server:
        destination = place(server.webhook_url)
        message = destination.compose_builtin(None, FAILED, "t.j2:1: no", "https://hub.test/e")
        receipt = destination.send(message, attempt())

    assert (receipt.status, receipt.detail, server.failed_runs) == (202, "taken by Teams", [])
    assert server.cards == [
        {
            **FRAME,
            "fallbackText": "Payment of 49.00 USD by Harbor & Pine failed",
            "body": [
                {
                    "type": "Container",
                    "style": "attention",
                    "bleed": True,
                    "items": [text_block(FAILED.headline, weight="Bolder", size="Medium")],
                },
                {
                    "type": "FactSet",
                    "facts": [
                        {"title": "Plan", "value": "Team"},
                        {"title": "Card", "value": "Visa \\*4242"},
                    ],
                },
                text_block(
                    "Recurring · {{DATE(2026-06-12T17:12:00Z,SHORT)}} {{TIME(2026-06-12T17:12:00Z)}}",
                    isSubtle=True,
                    size="Small",
                ),
                text_block("⚠ t.j2:1: no", isSubtle=True, size="Small"),
            ],
            "actions": [{"type": "Action.OpenUrl", "title": "Open in the hub", "url": "https://hub.test/e"}],
        }
    ]


@pytest.mark.parametrize(
    ("tone", "style"), [(Tone.GOOD, "good"), (Tone.WATCH, "warning"), (Tone.PLAIN, "default")]
)
def test_each_tone_has_its_style(tone, style):
    message = TeamsDestination.compose_builtin(None, Summary(headline="x", tone=tone), None, "")

    assert message["card"]["body"][0]["style"] == style
    assert "actions" not in message["card"]


def test_each_line_of_a_text_is_a_block_of_its_own(renderer):
    fields = {"text": "**{{ data.id }}** joined\n\n- [open]({{ link }})\n"}
    with WorkflowServer() as server:
        destination = place(server.webhook_url)
        destination.send(destination.compose(None, fields, renderer(data={"id": "a_b*c"})), attempt())

    assert server.failed_runs == []
    assert server.cards[0]["body"] == [
        text_block(r"**a\_b\*c** joined"),
        text_block("- [open](https://hub.test/events/evt_1)"),
    ]


def test_a_card_of_ones_own_is_rendered_string_by_string(renderer):
    fields = {
        "text": "{{ data.x }} in short",
        "card": {
            "body": [
                {"type": "TextBlock", "text": "*{{ data.x }}*"},
                {"type": "FactSet", "facts": [{"title": "{{ data.x }}", "value": "{{ data.x }}"}]},
                {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "{{ data.x }}"}]},
            ],
            "actions": [
                {"type": "Action.OpenUrl", "title": "{{ data.x }}", "url": "https://x.test/{{ data.x }}"}
            ],
        },
    }
    message = TeamsDestination.compose(None, fields, renderer(data={"x": "a_b"}))

    assert message["text"] == r"a\_b in short"
    assert message["card"] == {
        "fallbackText": r"a\_b in short",
        **FRAME,
        "body": [
            {"type": "TextBlock", "text": r"*a\_b*"},
            {"type": "FactSet", "facts": [{"title": r"a\_b", "value": r"a\_b"}]},
            {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "a_b"}]},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "a_b", "url": "https://x.test/a_b"}],
    }


def test_a_file_has_a_card_with_its_text_beside_it(renderer):
    templates = {
        "teams/x.card.yaml": b"- {type: TextBlock, text: '{{ data.x }}'}",
        "teams/x.j2": b"short {{ data.x }}",
    }
    templates = {name: text.decode() for name, text in templates.items()}
    context = renderer(data={"x": "1. a"}, templates=templates)
    message = TeamsDestination.compose(None, {"template": "teams/x"}, context)

    assert message["card"]["body"] == [{"type": "TextBlock", "text": r"1\. a"}]
    assert message["text"] == r"short 1\. a"


def test_without_words_of_its_own_a_block_sends_the_built_in_card(renderer):
    message = TeamsDestination.compose(None, {}, renderer())

    assert message["card"]["body"][0]["type"] == "Container"


@pytest.mark.parametrize("fields", [{"text": "{{ data.no }}"}, {"card": {"body": []}, "text": ""}])
def test_what_renders_to_nothing_is_seen_by_nobody(renderer, fields):
    with WorkflowServer() as server:
        try:
            message = TeamsDestination.compose(None, fields, renderer(data={}))
        except TemplateError:
            return
        place(server.webhook_url).send(message, attempt())

    assert server.cards == []


# -- strangers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_of_a_stranger_means_anything(renderer, name):
    hostile = HOSTILE[name]
    fields = {"text": "{{ data.x }}"}
    own = {"card": [{"type": "TextBlock", "text": "{{ data.x }}"}]}
    context = renderer(data={"x": hostile})
    with WorkflowServer() as server:
        destination = place(server.webhook_url)
        summary = Summary(headline=hostile[:120], fields=((hostile[:20], hostile),), details=hostile)
        for message in (
            destination.compose_builtin(None, summary, hostile, ""),
            destination.compose(None, fields, context),
            destination.compose(None, own, context),
        ):
            destination.send(message, attempt())

    assert (len(server.cards), server.failed_runs) == (3, [])
    shown = [span for card in server.cards for text in texts(card) for span in spans(text)]
    assert not any(span.bold or span.italic or span.strike or span.code or span.url for span in shown)
    assert all(card.keys() <= {*FRAME, "body", "fallbackText"} for card in server.cards)


def texts(value):
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("text", "title", "value", "fallbackText"):
                yield item
            else:
                yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1. a\n12) b", "1\\. a\n12\\) b"),
        ("+ a\n> b\n - c", "\\+ a\n\\> b\n \\- c"),
        (". a", r"\. a"),
        ("a 1. b - c 1-2", "a 1. b - c 1-2"),
        ("2026-06-12T17:12:00Z", "2026-06-12T17:12:00Z"),
        ("[x](https://e.example)", r"\[x\]\(https://e.example\)"),
        ("{{DATE(2026-06-12T17:12:00Z,SHORT)}}", r"{{DATE\(2026-06-12T17:12:00Z,SHORT\)}}"),
    ],
)
def test_what_begins_something_is_escaped_where_it_stands(value, expected):
    assert escape(value) == expected
    assert seen(escape(value)) == value


# -- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "{{ data.x }}"},
        {"text": "{{ data.x[:600] }}\n" * 200},
        {"card": [{"type": "TextBlock", "text": "{{ data.x }}"}] * 3},
        {"card": [{"type": "FactSet", "facts": [{"title": "t", "value": "{{ data.x }}"}] * 9}]},
        {"card": [{"type": "TextBlock", "text": "{{ data.x[:30] }}"}] * 700},
        {"text": "{{ data.x }}", "card": {"body": [{"type": "TextBlock", "text": "x"}]}},
    ],
)
@pytest.mark.parametrize("text", ["a" * 30_000, "中_" * 9000, '"\\' * 12_000])
def test_what_is_too_large_is_cut(renderer, fields, text):
    message = TeamsDestination.compose(None, fields, renderer(data={"x": text}))
    with WorkflowServer() as server:
        place(server.webhook_url).send(message, attempt())

    assert (len(server.cards), server.failed_runs) == (1, [])
    assert size(server.cards[0]) <= LIMIT_BYTES
    # What is cut of an escape would let the next sign mean something.
    assert not any(text.rstrip("…").endswith("\\") for text in texts(server.cards[0]) if "中" in text)


def test_a_card_that_no_cut_makes_small_enough_fails(renderer):
    fields = {"card": {"body": [{"type": "TextBlock", "text": "x"}], "metadata": {"x": "{{ data.x }}"}}}
    with pytest.raises(TemplateError, match="more than 20 KB"):
        TeamsDestination.compose(None, fields, renderer(data={"x": "a" * 30_000}))


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"is_enabled": False}, {"is_there": False}])
def test_a_flow_that_is_switched_off_or_gone_pauses(change):
    with WorkflowServer() as server:
        for name, value in change.items():
            setattr(server, name, value)
        destination = place(server.webhook_url)
        error, _ = failure(destination, {"text": "x"})

    assert (type(error), "a new flow has a new URL" in error.reason) == (Pause, True)


def test_where_a_card_is_refused_its_text_goes_alone():
    message = TeamsDestination.compose_builtin(None, FAILED, None, "https://hub.test/e")
    alone = TeamsDestination.text_alone(message)

    assert alone["text"].startswith("Payment of 49.00 USD by Harbor & Pine failed\nPlan: Team\nCard: Visa ")
    assert TeamsDestination.text_alone({**message, "text": "short"}) == {"text": "short"}
    assert TeamsDestination.text_alone(alone) is None


# -- as it is shown, and as it is written -----------------------------------------------------------


def test_a_message_is_shown_as_its_readers_see_it():
    message = TeamsDestination.compose_builtin(None, FAILED, None, "https://hub.test/e")
    parts = [part for part in TeamsDestination.shown(message, ShownContext()) if part.words]

    assert [(part.kind, part.role, part.tone, part.words) for part in parts] == [
        (PartKind.RICH, Role.HEADING, Tone.BAD, FAILED.headline),
        (PartKind.FIELDS, Role.BODY, None, "Plan: Team\nCard: Visa *4242"),
        (PartKind.RICH, Role.NOTE, None, "Recurring · 12 Jun 2026, 17:12 UTC"),
        (PartKind.RICH, Role.NOTE, None, "Open in the hub <https://hub.test/e>"),
    ]


def test_a_text_is_shown_with_its_looks():
    (part,) = TeamsDestination.shown({"text": r"**a\_b** [x](https://e.example)"}, ShownContext())

    assert [(span.text, span.bold, span.url) for span in part.spans] == [
        ("a", True, ""),
        ("_", True, ""),
        ("b", True, ""),
        (" ", False, ""),
        ("x", False, "https://e.example"),
    ]


@pytest.mark.parametrize(
    ("card", "messages"),
    [
        ([{"type": "TextBlock", "text": "x"}], []),
        ({"card": {"body": [{"type": "TextBlock", "text": "x"}]}}, []),
        ("x", ["must be a card, a mapping with a body, not text"]),
        ({"version": "1.4"}, ["a card needs a body; add it"]),
        ({"body": {}}, ["body must be a list of elements, not a mapping"]),
        ({"attachments": []}, ["write the card alone: what stands under content of the attachment"]),
        (
            [{"type": "TextBlok", "text": "x"}],
            ['a card has no element "TextBlok"; did you mean "TextBlock"?'],
        ),
        ([{"type": "TextBlock", "txt": "x"}], ["a TextBlock needs text; add it"]),
        ([{"text": "x"}], ["needs a type, such as TextBlock; add it"]),
        ([{"type": "{{ data.x }}"}], []),
        ([{"type": "Container", "items": ["x"]}], ["must be a mapping, not text"]),
        ([{"type": "FactSet", "facts": [{"title": "x"}]}], ["a fact needs value; add it"]),
        (
            [{"type": "ColumnSet", "columns": [{"items": [{"type": "Image"}]}]}],
            ["an Image needs url; add it"],
        ),
        (
            {"actions": [{"type": "Action.OpenUrl", "title": "x"}]},
            ["an Action.OpenUrl needs url; add it"],
        ),
        (
            [{"type": "Input.Text", "id": "x"}],
            ["Input.Text does nothing here: nobody takes the answers to a card of a Workflow"],
        ),
    ],
)
def test_a_card_that_would_not_be_shown_is_a_problem(card, messages):
    assert [flaw.message for flaw in check_card(card)] == messages


def test_a_template_is_the_whole_message():
    problems = list(TeamsDestination.check(None, TeamsSend(template="teams/x", text="y")))

    assert problems == ["template excludes text and card: it is the whole message"]


@pytest.mark.parametrize("url", ["", "workflow", "https://", "ftp://x.test"])
def test_a_url_that_is_none_is_a_problem(url):
    with pytest.raises(ValidationError):
        TeamsOptions.model_validate({"webhook_url": url})
