"""A message of each destination type, as its reader meets it."""

from __future__ import annotations

from hub import __version__
from hub.destinations.base import ShownContext, parts_of
from hub.model.parts import Part, PartKind, Role, Span

FORM_TYPE = "application/x-www-form-urlencoded"
CONTEXT = ShownContext(
    destination="it",
    written={"url": "${CRM_URL}", "headers": {"X-Team": "growth"}, "sign_with": "${KEY}"},
    event_id="evt_1",
    event_type="user.created",
    payload='{"type":"user.created"}',
)


def words(message, type_):
    return [(part.label, part.words) for part in parts_of(message, type_, CONTEXT)]


def test_slacks_blocks_are_read_as_their_words() -> None:
    message = {
        "text": "New user: A &amp; B",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "New user"}},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "Name: A &amp; B &lt;x&gt;"}]},
            {"type": "actions", "elements": [{"text": {"text": "Open"}, "url": "https://hub.example/e"}]},
            {"type": "divider"},
            "nonsense",
        ],
    }

    assert [text for _, text in words(message, "slack")] == [
        "New user",
        "Name: A & B <x>",
        "Open <https://hub.example/e>",
        "New user: A & B",
    ]


def test_a_mail_is_read_as_its_head_and_both_bodies() -> None:
    message = {"from": "Hub <hub@a.example>", "to": ["x@a.example", "y@a.example"], "subject": "Hi"}
    head, text, html = parts_of({**message, "text": "There", "html": "<p>There &amp;"}, "email", CONTEXT)

    assert head.pairs[:3] == (
        ("From", "Hub <hub@a.example>"),
        ("To", "x@a.example, y@a.example"),
        ("Subject", "Hi"),
    )
    assert (text.words, html.kind, html.words) == ("There", PartKind.HTML, "There &")


def test_a_request_is_read_as_its_line_its_headers_and_its_body() -> None:
    message = {
        "method": "PUT",
        "path": "/c/1",
        "query": [["source", "${WHO}"]],
        "content_type": "application/json",
        "headers": [["X-Tag", "a"], ["X-Tag", "b"]],
        "body": '{"a":1}',
    }
    head, body = parts_of(message, "http", CONTEXT)

    assert head.text == "PUT ${CRM_URL}/c/1?source=${WHO}"
    assert head.pairs == (
        ("Content-Type", "application/json"),
        ("User-Agent", f"fanout-hub/{__version__}"),
        ("X-Team", "••••••"),
        ("X-Tag", "a"),
        ("X-Tag", "b"),
        ("webhook-id", "(the delivery's id)"),
        ("webhook-timestamp", "(when it is sent)"),
        ("webhook-signature", "(over id, timestamp and body)"),
        ("hub-event-id", "evt_1"),
        ("hub-event-type", "user.created"),
        ("hub-attempt", "1"),
    )
    assert body == Part(kind=PartKind.JSON, label="body", text='{"a":1}')


def test_a_form_is_read_as_its_fields_and_the_event_itself_as_its_payload() -> None:
    form = {"method": "POST", "content_type": FORM_TYPE, "form": [["Body", "A & B"]]}
    raw = {"method": "POST", "content_type": "application/json", "raw": True}

    assert words(form, "http")[1] == ("form", "Body: A & B")
    assert words(raw, "http")[1] == ("body: the event itself, byte for byte", CONTEXT.payload)


def test_only_slacks_text_is_read_without_its_escapes() -> None:
    assert words({"text": "&amp;lt; &lt;b&gt;"}, "slack") == [("", "&lt; <b>")]
    assert words({"text": "&lt;b&gt;"}, "console") == [("", "&lt;b&gt;")]


def test_every_text_of_a_type_that_is_gone_is_shown() -> None:
    message = {"text": "hi", "to_people": ["ada", "bob"], "card": {"body": [1]}, "silent": True, "none": ""}

    assert words(message, "fax") == [("Text", "hi"), ("To people", "ada, bob"), ("Card", '{"body": [1]}')]


def test_the_words_of_a_part_are_all_that_is_read_in_it() -> None:
    spans = (Span(text="Open "), Span(text="it", url="https://a.test"), Span(text="b", url="b"))
    fields = Part(kind=PartKind.FIELDS, pairs=(("Email", "a@b.example"), ("Plan", "Team")), role=Role.BODY)

    assert Part(kind=PartKind.RICH, spans=spans).words == "Open it <https://a.test>b"
    assert fields.words == "Email: a@b.example\nPlan: Team"
