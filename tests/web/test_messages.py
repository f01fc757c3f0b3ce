"""A message of each destination type, as a person reads it."""

from __future__ import annotations

from hub.web.messages import Part, parts


def test_slacks_blocks_are_read_as_their_words() -> None:
    message = {
        "text": "New user: A &amp; B",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": "New user"}},
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Name*\nA &amp; B &lt;x&gt;"}]},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "today"}]},
            {"type": "actions", "elements": [{"text": {"text": "Open"}, "url": "https://hub.example/e"}]},
            {"type": "divider"},
            "nonsense",
        ],
    }

    assert parts(message, "slack") == [
        Part(
            label="Message",
            text="New user\n\n*Name*\nA & B <x>\n\ntoday\n\nOpen <https://hub.example/e>",
        ),
        Part(label="In notifications", text="New user: A & B"),
    ]


def test_a_mail_is_read_as_its_head_and_text() -> None:
    message = {
        "from": "Hub <hub@a.example>",
        "to": ["x@a.example", "y@a.example"],
        "subject": "Hi",
        "text": "There",
    }

    assert [(part.label, part.text) for part in parts({**message, "html": "<p>There"}, "email")] == [
        ("From", "Hub <hub@a.example>"),
        ("To", "x@a.example, y@a.example"),
        ("Subject", "Hi"),
        ("Text", "There"),
    ]


def test_a_request_is_read_as_its_line_and_body() -> None:
    message = {"method": "PUT", "path": "/c/1", "content_type": "application/json", "body": '{"a":1}'}

    assert parts(message, "http") == [
        Part(label="Request", text="PUT /c/1 application/json"),
        Part(label="Body", text='{\n  "a": 1\n}', is_code=True),
    ]


def test_the_event_itself_is_said_to_be_so() -> None:
    message = {"method": "POST", "content_type": "application/json", "raw": True}

    assert parts(message, "http")[1] == Part(label="Body", text="the event itself, byte for byte as it came")


def test_only_slacks_text_is_read_without_its_escapes() -> None:
    assert parts({"text": "&amp;lt; &lt;b&gt;"}, "slack") == [Part(label="Text", text="&lt; <b>")]
    assert parts({"text": "&lt;b&gt;"}, "console") == [Part(label="Text", text="&lt;b&gt;")]
    assert parts({"text": "&lt;b&gt;"}, None) == [Part(label="Text", text="&lt;b&gt;")]


def test_a_request_is_read_with_its_query_headers_and_form() -> None:
    message = {
        "method": "POST",
        "content_type": "application/x-www-form-urlencoded",
        "query": [["source", "clerk"]],
        "headers": [["X-Tag", "a"], ["X-Tag", "b"]],
        "form": [["To", "+4930"], ["Body", "Ada & Bob"]],
    }

    assert [(part.label, part.text) for part in parts(message, "http")] == [
        ("Request", "POST application/x-www-form-urlencoded"),
        ("Query", "source: clerk"),
        ("Headers", "X-Tag: a\nX-Tag: b"),
        ("Form", "To: +4930\nBody: Ada & Bob"),
    ]
