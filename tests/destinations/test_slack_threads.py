"""A bot's messages in a thread: the first is posted, later ones reply, tell the channel or rewrite it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sending import attempt, failure
from servers.http_receiver import CannedResponse, ReceivedRequest
from servers.slack_receiver import SlackReceiver

from hub.destinations.slack.destination import SlackDestination
from hub.destinations.slack.errors import THREAD_ERRORS
from hub.destinations.slack.options import SlackOptions
from hub.errors import Pause, Reject, Retry, Unknown
from hub.model.delivery import Receipt
from hub.model.summary import Summary
from hub.model.thread import Thread

MESSAGE = {"text": "hi", "unfurl_links": False, "unfurl_media": False, "thread": "inv_1"}
CARD = [{"type": "header", "text": {"type": "plain_text", "text": "Hello"}}]
FIRST = Thread(id="one")


def bot(slack: SlackReceiver) -> SlackDestination:
    options = {"bot_token": "xoxb-demo", "channel": "#sales", "api_url": slack.api_url}
    return SlackDestination(SlackOptions.model_validate(options), "sales")


def send(slack: SlackReceiver, thread: Thread | None, **message: Any) -> Receipt:
    return bot(slack).send({**MESSAGE, **message}, replace(attempt(), thread=thread))


def begun(slack: SlackReceiver, **message: Any) -> Thread:
    """A thread whose first message is posted."""
    kept = send(slack, FIRST, **{"text": "first", **message}).thread
    assert kept is not None
    return Thread(id="one", kept=kept)


def test_the_first_is_posted_and_kept() -> None:
    with SlackReceiver() as slack:
        receipt = send(slack, FIRST)
        (message,) = slack.messages

    assert message.body == {
        "text": "hi",
        "unfurl_links": False,
        "unfurl_media": False,
        "channel": "#sales",
    }
    assert receipt.detail == "posted as the first of its thread"
    assert receipt.thread == {"channel": "C0000000002", "ts": message.ts}
    assert receipt.accepted == (message.ts,)


@pytest.mark.parametrize(
    ("mode", "is_broadcast", "detail"),
    [
        ({}, False, "replied in its thread"),
        ({"thread_mode": "reply"}, False, "replied in its thread"),
        ({"thread_mode": ["broadcast"]}, True, "replied in its thread and in the channel"),
    ],
)
def test_a_later_one_replies(mode: dict[str, Any], is_broadcast: bool, detail: str) -> None:
    with SlackReceiver() as slack:
        thread = begun(slack)
        receipt = send(slack, thread, text="later", **mode)
        first, reply = slack.messages

    assert (first.text, first.edits) == ("first", 0)
    assert (reply.text, reply.thread_ts, reply.is_broadcast) == ("later", first.ts, is_broadcast)
    assert (receipt.detail, receipt.thread, receipt.accepted) == (detail, None, (reply.ts,))


def test_an_update_rewrites_the_first_and_leaves_nothing_of_it() -> None:
    bar = {"color": "#2e8b57", "fallback": "x", "blocks": CARD}
    with SlackReceiver() as slack:
        thread = begun(slack, blocks=CARD, attachments=[bar], username="Clerk", icon=":x:")
        receipt = send(slack, thread, text="now", thread_mode="update", username="Clerk", icon=":x:")
        (message,) = slack.messages

    assert (message.text, message.blocks, message.attachments, message.edits) == ("now", (), (), 1)
    # By default an update parses what looks like a mention.
    assert message.body == {
        "text": "now",
        "parse": "none",
        "blocks": [],
        "attachments": [],
        "channel": "C0000000002",
        "ts": message.ts,
    }
    assert (receipt.detail, receipt.thread, receipt.accepted) == (
        "rewrote the first of its thread",
        thread.kept,
        (),
    )


def test_the_record_is_rewritten_and_the_news_told() -> None:
    with SlackReceiver() as slack:
        thread = begun(slack)
        receipt = send(slack, thread, text="accepted", blocks=CARD, thread_mode=["broadcast", "update"])
        first, reply = slack.messages

    assert (first.text, first.blocks, first.edits) == ("accepted", tuple(CARD), 1)
    assert (reply.text, reply.thread_ts, reply.is_broadcast) == ("accepted", first.ts, True)
    assert receipt.detail == "rewrote the first of its thread; replied in its thread and in the channel"
    assert (receipt.thread, receipt.accepted) == (thread.kept, (reply.ts,))


def test_an_older_event_leaves_the_record_alone_and_is_told_all_the_same() -> None:
    with SlackReceiver() as slack:
        thread = replace(begun(slack), is_overtaken=True)
        alone = send(slack, thread, text="older", thread_mode="update")
        with_reply = send(slack, thread, text="older", thread_mode=["update", "reply"])
        first, reply = slack.messages

    assert (first.text, first.edits, reply.text) == ("first", 0, "older")
    left_alone = "left the first of its thread alone, which shows a newer event"
    assert (alone.detail, alone.thread, alone.accepted) == (left_alone, None, ())
    assert (with_reply.detail, with_reply.thread) == (f"{left_alone}; replied in its thread", None)


def test_the_copy_of_a_broadcast_in_the_channel_has_the_fields() -> None:
    summary = Summary(headline="Ada paid", fields=(("Plan", "Team"),), time="12 Jun")
    message = SlackDestination.compose_builtin(None, summary, None, "https://hub.test/e/1")
    with SlackReceiver() as slack:
        thread = begun(slack)
        send(slack, thread, **message, thread_mode="broadcast")
        send(slack, thread, **message, thread_mode="reply")
        _, broadcast, reply = slack.messages

    assert [block["type"] for block in broadcast.in_channel] == ["header", "section", "context"]
    assert (broadcast.attachments, [len(bar["blocks"]) for bar in reply.attachments]) == ((), [2])


@pytest.mark.parametrize("close", [SlackReceiver.delete, SlackReceiver.lock])
@pytest.mark.parametrize("mode", ["reply", "broadcast", "update", ["update", "broadcast"]])
def test_where_the_thread_is_gone_a_new_one_begins_in_the_same_attempt(
    close: Callable[[SlackReceiver, str], None], mode: Any
) -> None:
    with SlackReceiver() as slack:
        thread = begun(slack)
        close(slack, thread.kept["ts"])
        receipt = send(slack, thread, text="later", thread_mode=mode)
        _, message = slack.messages

    assert (message.text, message.thread_ts, "reply_broadcast" in message.body) == ("later", "", False)
    assert receipt.thread == {"channel": "C0000000002", "ts": message.ts}
    assert receipt.accepted == (message.ts,)
    assert receipt.detail.startswith("its thread is gone (")
    assert receipt.detail.endswith("), posted as the first of a new one")


@pytest.mark.parametrize("word", sorted(THREAD_ERRORS))
def test_every_word_for_a_thread_that_is_gone_begins_a_new_one(word: str) -> None:
    refusal = CannedResponse(body=json.dumps({"ok": False, "error": word}).encode())
    with SlackReceiver([refusal]) as slack:
        receipt = send(slack, Thread(id="one", kept={"channel": "C0000000002", "ts": "1.1"}))

    assert receipt.detail == f"its thread is gone ({word}), posted as the first of a new one"


def test_without_a_thread_such_a_word_is_no_more_than_any_other() -> None:
    refusal = CannedResponse(body=b'{"ok": false, "error": "message_not_found"}')
    with SlackReceiver([refusal]) as slack:
        error, _ = failure(bot(slack), MESSAGE)

    assert type(error) is Retry


def test_a_thread_that_is_gone_is_forgotten_also_where_the_new_post_fails() -> None:
    gone = CannedResponse(body=b'{"ok": false, "error": "message_not_found"}')
    busy = CannedResponse(status=429, headers={"Retry-After": "3"})
    with SlackReceiver([gone, busy]) as slack, pytest.raises(Retry) as raised:
        send(slack, Thread(id="one", kept={"channel": "C0000000002", "ts": "1.1"}))

    assert (raised.value.throttled, raised.value.thread) == (True, {})


def test_a_first_that_fails_forgets_nothing() -> None:
    with (
        SlackReceiver([CannedResponse(status=429)]) as slack,
        pytest.raises(Retry) as raised,
    ):
        send(slack, FIRST)

    assert raised.value.thread is None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (CannedResponse(status=503), Retry),
        (CannedResponse(body=b'{"ok": false, "error": "is_archived"}'), Pause),
        (CannedResponse(body=b'{"ok": false, "error": "invalid_blocks"}'), Reject),
        (CannedResponse(body=b"<html>"), Unknown),
    ],
)
def test_a_record_that_was_rewritten_is_kept_where_the_news_fails(
    answer: CannedResponse, kind: type[Exception]
) -> None:
    with SlackReceiver() as slack:
        thread = begun(slack)
    with (
        SlackReceiver([CannedResponse(body=b'{"ok": true}'), answer]) as slack,
        pytest.raises(kind) as raised,
    ):
        send(slack, thread, thread_mode=["update", "broadcast"])

    assert (raised.value.thread, raised.value.accepted) == (thread.kept, ())  # type: ignore[attr-defined]


def test_what_was_posted_before_is_not_posted_again() -> None:
    with SlackReceiver() as slack:
        context = replace(attempt(), thread=FIRST, accepted=("1.1",))
        receipt = bot(slack).send(MESSAGE, context)
        requests = slack.http.received

    assert (receipt.detail, receipt.thread) == ("Slack has it since an attempt before this one", None)
    assert requests == []


def test_all_of_an_attempt_ends_with_its_deadline() -> None:
    def respond(request: ReceivedRequest) -> CannedResponse:
        time.sleep(0.25)
        return CannedResponse(body=b'{"ok": true}')

    with SlackReceiver() as slack:
        thread = Thread(id="one", kept={"channel": "C0000000002", "ts": "1.1"})
        slack.http.respond = respond
        context = replace(attempt(timeout_seconds=0.4), thread=thread)
        with pytest.raises(Unknown):
            bot(slack).send({**MESSAGE, "thread_mode": ["update", "reply"]}, context)


def test_an_answer_without_an_id_begins_no_thread() -> None:
    with SlackReceiver([CannedResponse(body=b'{"ok": true}')]) as slack:
        receipt = send(slack, FIRST)

    assert (receipt.thread, receipt.accepted) == (None, ())


@pytest.mark.parametrize(
    ("icon", "keys"),
    [
        (":wave:", {"icon_emoji": ":wave:"}),
        ("https://x.test/a.png", {"icon_url": "https://x.test/a.png"}),
        ("javascript:1", {}),
        ("", {}),
    ],
)
def test_a_bot_posts_under_a_name_and_a_picture(icon: str, keys: dict[str, str]) -> None:
    with SlackReceiver() as slack:
        send(slack, None, username="Clerk", icon=icon)
        (message,) = slack.messages

    looks = {key: value for key, value in message.body.items() if key.startswith(("user", "icon"))}
    assert looks == {"username": "Clerk", **keys}


def test_a_webhook_gets_neither_name_nor_thread() -> None:
    with SlackReceiver() as slack:
        place = SlackDestination(SlackOptions.model_validate({"webhook_url": slack.webhook_url}), "growth")
        place.send({**MESSAGE, "username": "Clerk", "icon": ":x:", "thread_mode": "update"}, attempt())
        (message,) = slack.messages

    assert message.body == {"text": "hi", "unfurl_links": False, "unfurl_media": False}
