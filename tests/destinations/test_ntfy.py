"""ntfy: a message at the root of its server, and the meaning of its answers."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from pydantic import ValidationError
from sending import Answer, HttpContract, attempt
from servers.http_receiver import CannedResponse, HttpReceiver

from hub.destinations.base import ShownContext
from hub.destinations.ntfy import NtfyDestination, NtfyOptions
from hub.errors import Pause, Reject, Retry, Unknown
from hub.model.parts import Role
from hub.model.summary import Summary, Tone

SUCCESS = b'{"id": "xE73Iyuabi", "event": "message"}'


def refused(status, code, error, **expected):
    body = json.dumps({"code": code, "http": status, "error": "as it says", "link": "https://ntfy.sh"})
    return Answer(status=status, body=body.encode(), error=error, **expected)


def place(url, **options):
    return NtfyDestination(NtfyOptions.model_validate({"url": url, **options}), "phones")


class TestNtfy(HttpContract):
    SECRETS = ("tk_hush", "topic-of-ours")
    SUCCESS = SUCCESS
    DELIVERED = (200,)
    ANSWERS: ClassVar = (
        refused(400, 40007, Reject, words="the priority is none"),
        refused(400, 40009, Pause, words="no such topic"),
        refused(400, 40010, Pause, words="keeps that topic for itself"),
        refused(400, 40011, Reject, words="not UTF-8"),
        refused(400, 40018, Reject, words="actions"),
        refused(401, 40101, Pause, words="the token is not valid"),
        refused(403, 40301, Pause, words="may not publish there"),
        refused(413, 41303, Reject, words="too large"),
        refused(429, 42901, Retry, words="too many messages", throttled=True, after_seconds=60),
        refused(429, 42905, Retry, words="today's limit", throttled=True, after_seconds=3600),
        refused(429, 42908, Retry, words="today's limit", throttled=True, after_seconds=3600),
        Answer(status=200, body=b"<html>Sign in to the hotel", error=Unknown, words="not ntfy's"),
        Answer(status=200, body=b'["ok"]', error=Unknown, words="not ntfy's"),
        Answer(status=400, body=b'{"code": []}', error=Retry, words="400 Bad Request"),
    )

    def make(self, port, *, host="127.0.0.1", tls=False, resolver=None):
        url = f"{'https' if tls else 'http'}://{host}:{port}/topic-of-ours"
        options = NtfyOptions.model_validate({"url": url, "token": "tk_hush"})
        return NtfyDestination(options, "phones", **({"resolver": resolver} if resolver else {}))


@pytest.mark.parametrize(("below", "path"), [("", "/"), ("/push", "/push/")])
def test_a_message_goes_to_the_root_with_its_topic(below, path):
    with HttpReceiver([CannedResponse(body=SUCCESS)]) as receiver:
        destination = place(f"{receiver.url}{below}/team", token="tk_1")
        receipt = destination.send({"title": "T", "message": "M", "priority": 4}, attempt())
        request = receiver.received[0]

    assert (request.method, request.path) == ("POST", path)
    assert request.headers["authorization"] == "Bearer tk_1"
    assert json.loads(request.body) == {"topic": "team", "title": "T", "message": "M", "priority": 4}
    assert receipt.detail == "taken by ntfy"


def test_the_built_in_message_has_its_headline_as_title_and_a_sign_where_it_is_bad():
    summary = Summary(
        headline="Payment failed", tone=Tone.BAD, fields=(("Plan", "Team"),), details="Recurring"
    )

    assert NtfyDestination.compose_builtin(None, summary, "t.j2: no", "https://hub.test/e") == {
        "title": "⚠ Payment failed",
        "message": "Plan: Team\nRecurring\n⚠ t.j2: no",
        "priority": 4,
        "click": "https://hub.test/e",
    }


def test_a_headline_alone_is_title_and_message():
    message = NtfyDestination.compose_builtin(None, Summary(headline="Ada joined"), None, "")

    assert message == {"title": "Ada joined", "message": "Ada joined", "priority": 3}


def test_words_of_ones_own_take_the_place_of_the_built_in_ones(renderer):
    fields = {
        "text": "{{ data.id }} & co",
        "tags": ["tada", "{{ type }}"],
        "priority": 5,
        "click": "https://x.test",
    }
    message = NtfyDestination.compose(None, fields, renderer(data={"id": "<b>"}))

    assert message == {
        "message": "<b> & co",
        "priority": 5,
        "click": "https://x.test",
        "tags": ["tada", "user.created"],
    }


def test_what_is_too_long_is_cut_by_bytes():
    summary = Summary(headline="é" * 300, fields=(("Name", "é" * 5000),))
    message = NtfyDestination.compose_builtin(None, summary, None, "")

    assert len(message["title"].encode()) <= 250
    assert len(message["message"].encode()) <= 4096
    assert message["message"].endswith("é…")
    assert NtfyDestination.finished({"message": "é" * 5000})["message"] == ("é" * 2046 + "…")


def test_a_message_is_shown_with_its_title_first():
    message = {"title": "T", "message": "M", "priority": 4, "click": "https://x.test"}
    parts = [(part.role, part.words) for part in NtfyDestination.shown(message, ShownContext())]

    assert parts == [
        (Role.HEADING, "T"),
        (Role.BODY, "M"),
        (Role.NOTE, "priority: 4\nclick: https://x.test"),
    ]


@pytest.mark.parametrize(
    "url", ["https://ntfy.sh", "https://ntfy.sh/", "ntfy.sh/topic", "https:///topic", "x y"]
)
def test_a_url_without_a_topic_is_a_problem(url):
    with pytest.raises(ValidationError):
        NtfyOptions.model_validate({"url": url})
