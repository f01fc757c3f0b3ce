import json
import urllib.error
import urllib.request

import pytest

from servers.http_receiver import CannedResponse
from servers.slack_receiver import SlackReceiver


def post(url, body, token=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def call(slack, method, token="xoxb-demo", **body):
    return json.loads(post(slack.api_url + method, body, token)[1])


def test_a_webhook_message_is_kept():
    with SlackReceiver() as slack:
        answer = post(slack.webhook_url, {"text": "hi\nthere"})
        message = slack.wait_for(1)[0]

    assert answer == (200, "ok")
    assert (message.channel, message.text) == ("webhook", "hi\nthere")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"not json", "invalid_payload"),
        ({}, "no_text"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]}, "invalid_blocks"),
        (
            {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]},
            "invalid_blocks",
        ),
    ],
)
def test_a_webhook_refuses_as_slack_does(body, error):
    with SlackReceiver() as slack:
        answer = post(slack.webhook_url, body)

    assert answer == (400, error)
    assert slack.messages == []


def test_scripted_answers_come_first():
    with SlackReceiver([CannedResponse(status=429, headers={"Retry-After": "3"})]) as slack:
        answers = [post(slack.webhook_url, {"text": "x"})[0] for _ in range(2)]

    assert answers == [429, 200]


def test_what_an_update_leaves_out_stays_but_for_blocks_beside_a_text():
    block, bar = {"type": "divider"}, {"color": "#2e8b57", "text": "x"}
    with SlackReceiver() as slack:
        first = call(slack, "chat.postMessage", channel="sales", text="a", blocks=[block], attachments=[bar])
        where = {"channel": first["channel"], "ts": first["ts"]}
        call(slack, "chat.update", **where, text="b")
        (rewritten,) = slack.messages
        call(slack, "chat.update", **where, text="c", attachments=[], blocks=[block])
        (again,) = slack.messages
        answer = call(slack, "chat.update", **where, text="x" * 4001)

    assert (rewritten.text, rewritten.blocks, rewritten.attachments) == ("b", (), (bar,))
    assert (again.text, again.blocks, again.attachments) == ("c", (block,), ())
    assert answer["error"] == "msg_too_long"


def test_a_message_that_is_deleted_or_locked_takes_no_reply_and_no_edit():
    with SlackReceiver() as slack:
        answers = []
        for close in (slack.delete, slack.lock):
            first = call(slack, "chat.postMessage", channel="sales", text="one")
            close(first["ts"])
            where = {"channel": first["channel"], "text": "x"}
            answers.append(call(slack, "chat.postMessage", **where, thread_ts=first["ts"])["error"])
            answers.append(call(slack, "chat.update", **where, ts=first["ts"])["error"])

    assert answers == [
        "cannot_reply_to_message",
        "message_not_found",
        "restricted_action_thread_locked",
        "edit_window_closed",
    ]


def test_a_bot_posts_replies_and_updates():
    with SlackReceiver() as slack:
        first = call(slack, "chat.postMessage", channel="#sales", text="one")
        call(slack, "chat.postMessage", channel="sales", text="two", thread_ts=first["ts"])
        call(slack, "chat.update", channel=first["channel"], ts=first["ts"], text="changed")
        messages = slack.messages
        replies = slack.replies(first["ts"])

    assert [(m.text, m.edits) for m in messages] == [("changed", 1), ("two", 0)]
    assert [m.text for m in replies] == ["two"]


@pytest.mark.parametrize(
    ("method", "body", "error"),
    [
        ("auth.test", {"token": "wrong"}, "invalid_auth"),
        ("chat.postMessage", {"channel": "nowhere", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "sales"}, "no_text"),
        (
            "chat.postMessage",
            {"channel": "sales", "text": "x", "thread_ts": "1.2"},
            "cannot_reply_to_message",
        ),
        ("chat.postMessage", {"channel": "sales", "text": "x", "thread_ts": 1.2}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "sales", "attachments": [{}]}, "invalid_attachments"),
        (
            "chat.postMessage",
            {"channel": "sales", "text": "x", "attachments": [{"color": "red", "text": "x"}]},
            "invalid_attachments",
        ),
        (
            "chat.postMessage",
            {"channel": "sales", "text": "x", "attachments": [{"text": "x"}] * 101},
            "too_many_attachments",
        ),
        ("chat.update", {"channel": "C0000000002", "text": "x", "ts": "1.2"}, "message_not_found"),
        ("chat.update", {"channel": "sales", "text": "x", "ts": "1.2"}, "channel_not_found"),
        ("chat.update", {"channel": "C0000000002", "text": "x"}, "invalid_arguments"),
    ],
)
def test_a_bot_is_refused_as_slack_does(method, body, error):
    with SlackReceiver() as slack:
        answer = call(slack, method, **body)

    assert answer == {"ok": False, "error": error}
