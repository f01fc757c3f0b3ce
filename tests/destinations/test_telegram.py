"""Telegram: HTML that it takes, texts in which nothing of a stranger's works, the meaning of its answers."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hostile import HOSTILE
from pydantic import ValidationError
from sending import Answer, HttpContract, attempt, failure
from servers.http_receiver import CannedResponse
from servers.telegram_receiver import TelegramReceiver, error_of, read

from hub import catalog
from hub.destinations.base import ShownContext, parts_of
from hub.destinations.telegram import TelegramDestination, TelegramOptions, TelegramSend, check_tags, escape
from hub.errors import Pause, Reject, Retry, TemplateError, Unknown
from hub.model.event import Event
from hub.model.summary import Summary, Tone
from hub.strings import printable_lines
from hub.transport import deadline

AT = datetime(2026, 6, 12, 17, 12, tzinfo=UTC)
LINK = "https://hub.test/events/evt_1?a=1&b=2"
UNKNOWN_TAG = "Telegram knows no <br>, and would refuse the message"
FAILED = Summary(
    headline="Payment of 49.00 USD by Harbor & Pine failed",
    tone=Tone.BAD,
    fields=(("Card", "Visa ending 4242"), ("Email", "tomas@example.com")),
    details="Recurring",
    at=AT,
    time="12 Jun 2026, 19:12 CEST",
)


def place(telegram, **options):
    given = {"bot_token": telegram.token, "chat_id": -42, "api_url": telegram.api_url, **options}
    return TelegramDestination(TelegramOptions.model_validate(given), "ops")


def refused(status, description, error, **expected):
    parameters = expected.pop("parameters", {})
    body = {"ok": False, "error_code": status, "description": description, "parameters": parameters}
    return Answer(status=status, body=json.dumps(body).encode(), error=error, **expected)


def bad(description, error, words="", **expected):
    return refused(400, f"Bad Request: {description}", error, words=words, **expected)


def forbidden(description, words):
    return refused(403, f"Forbidden: {description}", Pause, words=words)


class TestTelegram(HttpContract):
    SECRETS = ("123456:token-of-ours",)
    SUCCESS = b'{"ok": true, "result": {"message_id": 1, "chat": {"id": -42}}}'
    DELIVERED = (200,)
    ANSWERS: ClassVar = (
        bad("can't parse entities: Unsupported start tag", Reject, "HTML", form=True),
        bad("message is too long", Reject, "too long", form=True),
        bad("message text is empty", Reject, "empty", form=True),
        bad("text must be non-empty", Reject, "empty", form=True),
        bad("chat not found", Pause, "check chat_id"),
        bad("PEER_ID_INVALID", Pause, "check chat_id"),
        bad("CHAT_WRITE_FORBIDDEN", Pause, "may not write there"),
        bad("not enough rights to send text messages to the chat", Pause, "give it the right"),
        bad("have no rights to send a message", Pause, "give it the right"),
        bad("need administrator rights in the channel chat", Pause, "administrator"),
        bad("message thread not found", Pause, "message_thread_id"),
        bad("TOPIC_CLOSED", Pause, "message_thread_id"),
        bad("something new", Retry, "400 Bad Request"),
        forbidden("bot was blocked by the user", "unblock"),
        forbidden("bot was kicked from the supergroup chat", "add it"),
        forbidden("bot is not a member of the channel chat", "add it"),
        forbidden("bot can't initiate conversation with a user", "write to the bot first"),
        forbidden("user is deactivated", "gone"),
        forbidden("the group chat was deleted", "gone"),
        forbidden("something new", "may not write to that chat"),
        refused(401, "Unauthorized", Pause, words="@BotFather"),
        refused(404, "Not Found", Pause, words="@BotFather"),
        refused(
            429,
            "Too Many Requests",
            Retry,
            throttled=True,
            parameters={"retry_after": 35},
            after_seconds=35.0,
        ),
        refused(429, "Too Many Requests", Retry, throttled=True, parameters={"retry_after": "x"}),
        refused(500, "Internal Server Error", Retry, words="500"),
        Answer(status=200, body=b"<html>Sign in to the hotel", error=Unknown, words="not Telegram's"),
        Answer(status=200, body=b'{"ok": false}', error=Unknown, words="not Telegram's"),
    )

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        options = {
            "bot_token": "123456:token-of-ours",
            "chat_id": "-42",
            "api_url": f"{'https' if tls else 'http'}://{host}:{port}",
        }
        made = TelegramOptions.model_validate(options)
        return TelegramDestination(made, "ops", **({"resolver": resolver} if resolver else {}))


# -- a message that Telegram takes ----------------------------------------------------------------


def test_the_built_in_message_begins_with_a_sign_where_it_is_bad():
    assert TelegramDestination.compose_builtin(None, FAILED, "t.j2: no", LINK) == {
        "text": (
            "<b>⚠ Payment of 49.00 USD by Harbor &amp; Pine failed</b>\n\n"
            "Card: Visa ending 4242\nEmail: tomas@\u2060example.com\n\n"
            "⚠ t.j2: no\n"
            "Recurring · 12 Jun 2026, 19:12 CEST · "
            '<a href="https://hub.test/events/evt_1?a=1&amp;b=2">Open in the hub</a>'
        ),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }


def test_telegram_keeps_a_message_in_its_chat_and_topic():
    with TelegramReceiver() as telegram:
        destination = place(telegram, message_thread_id=7, silent=True)
        receipt = destination.send(TelegramDestination.compose_builtin(None, FAILED, None, LINK), attempt())
        (message,) = telegram.messages

    assert (receipt.status, receipt.detail) == (200, "answered 200 OK")
    assert (message.chat_id, message.body["message_thread_id"]) == (-42, 7)
    assert message.body["disable_notification"] is True
    assert message.entities == (("text_link", "Open in the hub", LINK),)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"chat_id": -43}, "check chat_id"), ({"message_thread_id": 8}, "set another message_thread_id")],
)
def test_a_chat_or_topic_that_is_not_there_pauses(options, words):
    with TelegramReceiver() as telegram, pytest.raises(Pause, match=words):
        place(telegram, **options).send({"text": "Hi"}, attempt())


def test_a_group_that_became_a_supergroup_is_written_to_in_the_same_attempt():
    with TelegramReceiver(chats=(-1001,), moved={-42: -1001}) as telegram:
        receipt = place(telegram).send({"text": "Hi"}, attempt())
        (message,) = telegram.messages

    assert message.chat_id == -1001
    assert receipt.detail == "the group became a supergroup: write chat_id: -1001"


def test_what_the_supergroup_answers_counts():
    with TelegramReceiver(moved={-42: -1001}) as telegram:
        error, _ = failure(place(telegram), {"text": "Hi"})

    assert (type(error), "check chat_id" in error.reason) == (Pause, True)


def test_both_requests_have_one_attempts_time(monkeypatch):
    """While either is answered 200 s go by on the attempt's clock, and it has 300 s."""
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 200 * len(chats))
    chats = []
    moved = {"ok": False, "description": "upgraded", "parameters": {"migrate_to_chat_id": -1001}}
    # Such a head is read in several parts, before each of which the clock is looked at.
    arrived = CannedResponse(body=b'{"ok": true, "result": {"message_id": 1}}', headers={"x": "x" * 40_000})

    def answer(request):
        chats.append(json.loads(request.body)["chat_id"])
        return arrived if chats[-1] == -1001 else CannedResponse(status=400, body=json.dumps(moved).encode())

    for module in (deadline, sys.modules[TelegramDestination.__module__]):
        monkeypatch.setattr(module, "time", clock)
    with TelegramReceiver() as telegram:
        telegram.http.respond = answer
        error, _ = failure(place(telegram), {"text": "Hi"}, timeout_seconds=300.0)

    assert chats == [-42, -1001]
    assert type(error) is Unknown


@pytest.mark.parametrize("event_type", catalog.event_types())
def test_every_built_in_message_is_one_that_telegram_takes(event_type):
    event = Event(
        id="evt_1",
        source="clerk",
        message_id="msg_1",
        type=event_type,
        payload=catalog.sample_payload(event_type),
        received_at=AT,
    )
    message = TelegramDestination.compose_builtin(None, catalog.summarise(event), "t.j2: no", LINK)

    assert error_of(message) == ""


# -- what users write -----------------------------------------------------------------------------


def composed(renderer, data=None, templates=(), **fields):
    return TelegramDestination.compose(None, fields, renderer(data=data, templates=templates))


def test_a_text_is_html_and_its_values_are_not(renderer):
    message = composed(renderer, {"n": "<b>A</b> & @B"}, text="<i>{{ data.n }}</i>\n", silent=True)

    assert message["text"] == "<i>&lt;b&gt;A&lt;/\u2060b&gt; &amp; @\u2060B</i>"
    assert message["disable_notification"] is True


def test_links_that_are_written_as_such_stay_links(renderer):
    data = {"url": 'https://a.example/#x?q="'}
    text = '<a href="{{ data.url }}">there</a> <a href="{{ link }}">Open</a> {{ link }}'
    _, entities = read(composed(renderer, data, text=text))

    assert entities == [
        ("text_link", "there", 'https://a.example/#x?q="'),
        ("text_link", "Open", "https://hub.test/events/evt_1"),
        ("url", "https://hub.test/events/evt_1", "https://hub.test/events/evt_1"),
    ]


def test_a_template_is_a_text(renderer):
    assert composed(renderer, {}, {"t/x.j2": "Hi\n"}, template="t/x")["text"] == "Hi"


def test_silence_alone_is_the_built_in_message(renderer):
    message = composed(renderer, silent=True)

    assert message["text"].startswith("<b>")
    assert read(message)[1][-1][1:] == ("Open in the hub", "https://hub.test/events/evt_1")


def test_what_stands_in_for_a_template_that_failed_is_as_silent(renderer):
    assert TelegramDestination.addressed({"silent": True}, renderer()) == {"disable_notification": True}
    assert TelegramDestination.addressed({"text": "Hi"}, renderer()) == {}


def test_nothing_is_a_failure_of_the_template(renderer):
    with pytest.raises(TemplateError, match="renders to nothing"):
        composed(renderer, {}, text="<b>{{ data.n }}</b>")


def test_without_its_form_the_text_is_left():
    message = {"text": "<p>A &amp; B</p> <b>@\u2060c", "parse_mode": "HTML", "disable_notification": True}
    plainer = TelegramDestination.text_alone(message)

    assert plainer == {"text": "A & B @\u2060c", "disable_notification": True}
    assert read(plainer)[1] == []
    assert TelegramDestination.text_alone(plainer) is None


def test_html_that_telegram_refuses_is_sent_as_text():
    with TelegramReceiver() as telegram:
        error, _ = failure(place(telegram), {"text": "<p>Hi</p>", "parse_mode": "HTML"})
        place(telegram).send(
            TelegramDestination.text_alone({"text": "<p>Hi</p>", "parse_mode": "HTML"}), attempt()
        )

    assert (type(error), error.form) == (Reject, True)
    assert [message.text for message in telegram.messages] == ["Hi"]


@pytest.mark.parametrize("text", ["<b>" + "\U0001f600" * 3000, "<b>" + "&amp;" * 5000 + "</b>"])
def test_a_text_is_cut_by_what_is_seen_of_it(text, renderer):
    message = TelegramDestination.finished({"text": text, "parse_mode": "HTML"})

    assert error_of(message) == ""
    assert len(read(message)[0]) > 2000


# -- what strangers write -------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_strangers_text_does_nothing_and_is_read_as_it_is(text, renderer):
    summary = Summary(headline=text, fields=((text, text),), details=text, time=text)
    messages = [
        TelegramDestination.compose_builtin(None, summary, text, ""),
        composed(renderer, {"n": text}, text="<b>Hi</b> {{ data.n }}"),
        composed(renderer, {"n": text}, text="<a href='{{ link }}'>{{ data.n }}</a>"),
    ]

    for message in messages:
        assert error_of(message) == ""
        assert [url for _, _, url in read(message)[1] if url != "https://hub.test/events/evt_1"] == []
        plainer = TelegramDestination.text_alone(message)
        assert (error_of(plainer), read(plainer)[1]) == ("", [])
    (shown,) = parts_of({"text": escape(text), "parse_mode": "HTML"}, "telegram", ShownContext())
    assert shown.words == printable_lines(text)


def test_a_message_is_shown_as_its_reader_sees_it():
    message = TelegramDestination.compose_builtin(None, FAILED, None, LINK)
    (part,) = parts_of(message, "telegram", ShownContext())

    assert part.words == (
        "⚠ Payment of 49.00 USD by Harbor & Pine failed\n\nCard: Visa ending 4242\n"
        "Email: tomas@example.com\n\nRecurring · 12 Jun 2026, 19:12 CEST · "
        f"Open in the hub <{LINK}>"
    )
    assert part.spans[0].bold


# -- what is checked before -----------------------------------------------------------------------


def test_text_and_template_exclude_each_other():
    send = TelegramSend.model_validate({"text": "Hi", "template": "x"})

    assert list(TelegramDestination.check(None, send)) == ["text and template exclude each other"]


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        ("<b>Hi</b> {{ '<br>' }}<tg-spoiler>x</tg-spoiler> a < b", []),
        ("<h1 class='x'>", [(0, "Telegram knows no <h1>, and would refuse the message")]),
        ("{# x #}Hi<BR>", [(9, f"{UNKNOWN_TAG}; write a line break as it is")]),
    ],
)
def test_tags_are_held_against_those_that_telegram_knows(text, flaws):
    assert [(flaw.offset, flaw.message) for flaw in check_tags(text)] == flaws


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bot_token": "token"}, "a bot's token"),
        ({"chat_id": "general"}, "a chat's number"),
        ({"chat_id": "@a"}, "a chat's number"),
        ({"message_thread_id": "x"}, "a topic's number"),
        ({"api_url": "telegram"}, "must be a URL"),
    ],
)
def test_options_that_cannot_be_are_problems(options, words):
    with pytest.raises(ValidationError, match=words):
        TelegramOptions.model_validate({"bot_token": "1:a", "chat_id": 1, **options})


@pytest.mark.parametrize("chat_id", [-1001234567890, "-1001234567890", 42, "@harbor_and_pine"])
def test_chats_are_numbers_or_names(chat_id):
    options = TelegramOptions.model_validate({"bot_token": "1:a", "chat_id": chat_id})

    assert TelegramDestination(options, "ops").describe() == f"chat {chat_id}"
