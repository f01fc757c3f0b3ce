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
        with urllib.request.urlopen(request, timeout=3) as answer:
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
        ("chat.postMessage", {"channel": "sales", "text": "x", "thread_ts": "1.2"}, "message_not_found"),
        ("chat.update", {"channel": "sales", "text": "x", "ts": "1.2"}, "message_not_found"),
    ],
)
def test_a_bot_is_refused_as_slack_does(method, body, error):
    with SlackReceiver() as slack:
        answer = call(slack, method, **body)

    assert answer == {"ok": False, "error": error}
