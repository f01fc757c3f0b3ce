"""SMS by Twilio: one segment where it can, one recipient, and the meaning of Twilio's answers."""

from __future__ import annotations

import base64
import json
from typing import ClassVar
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError
from sending import Answer, HttpContract, attempt, failure
from servers.http_receiver import CannedResponse, HttpReceiver
from servers.twilio_server import TwilioServer

from hub.destinations.base import ShownContext
from hub.destinations.sms import SmsDestination, SmsOptions, SmsSend
from hub.errors import Pause, RecipientError, Reject, Retry, TemplateError, Unknown
from hub.model.summary import Summary
from hub.templating.gsm import is_one_segment

SID, TOKEN = "AC0123456789abcdef0123456789abcdef", "hush-hush-hush"
TO, FROM = "+46701740605", "+15557654321"
SUCCESS = b'{"sid": "SM1", "status": "queued"}'


def refused(status, code, error, **expected):
    body = {"code": code, "message": "as it says", "more_info": "https://x", "status": status}
    return Answer(status=status, body=json.dumps(body).encode(), error=error, **expected)


def options(**changes):
    usual = {"account_sid": SID, "auth_token": TOKEN, "from": FROM, "to": TO}
    given = {key: value for key, value in (usual | changes).items() if value is not None}
    return SmsOptions.model_validate(given)


def place(url, resolver=None, **changes):
    more = {"resolver": resolver} if resolver else {}
    return SmsDestination(options(api_url=url, **changes), "phone", **more)


def twilio(**changes):
    return TwilioServer(account_sid=SID, auth_token=TOKEN, **changes)


class TestSms(HttpContract):
    SECRETS = (TOKEN,)
    SUCCESS = SUCCESS
    DELIVERED = (201,)
    UNASKED_REST = 30
    ANSWERS: ClassVar = (
        refused(401, 20003, Pause, words="account_sid and auth_token"),
        refused(401, 99999, Pause, words="account_sid and auth_token"),
        refused(429, 20429, Retry, words="too many requests", throttled=True, after_seconds=30),
        refused(400, 21211, Reject, words="no such number"),
        refused(400, 21212, Pause, words="from is no number of this account"),
        refused(400, 21408, Reject, words="Geo permissions"),
        refused(400, 21601, Pause, words="from is no number of this account"),
        refused(400, 21602, Reject, words="the text is empty"),
        refused(400, 21606, Pause, words="from is no number of this account"),
        refused(400, 21608, Pause, words="trial account"),
        refused(400, 21610, Reject, words="opted out"),
        refused(400, 21612, Reject, words="no way leads"),
        refused(400, 21614, Reject, words="takes no SMS"),
        refused(400, 21617, Reject, words="too long"),
        refused(400, 21659, Pause, words="from is no number of this account"),
        refused(400, 21661, Pause, words="from is no number of this account"),
        refused(400, 21705, Pause, words="messaging service"),
        refused(400, 21999, Retry, words="400 Bad Request"),
        Answer(status=400, body=b'{"code": []}', error=Retry, words="400 Bad Request"),
        Answer(status=401, body=b"<html>Proxy login", error=Retry, words="401 Unauthorized"),
        Answer(status=200, body=b"<html>Sign in to the hotel", error=Unknown, words="not Twilio's"),
        Answer(status=201, body=b"[]", error=Unknown, words="not Twilio's"),
    )

    def make(self, port, *, host="127.0.0.1", tls=False, **more):
        return place(f"{'https' if tls else 'http'}://{host}:{port}", **more)


def test_the_built_in_message_is_its_headline_and_a_link_where_one_segment_has_room_for_it():
    link = "https://hub.test/events/evt_1"
    with twilio() as server:
        destination = place(server.api_url)
        for headline in (
            "Ada \N{EM DASH} \N{RIGHT SINGLE QUOTATION MARK}Lady\N{HORIZONTAL ELLIPSIS}",
            "é" * 132,
        ):
            message = destination.compose_builtin(destination.options, Summary(headline=headline), None, link)
            receipt = destination.send(message, attempt())

    assert (receipt.status, receipt.detail) == (201, "taken by Twilio")
    assert server.messages == [
        {"To": TO, "From": FROM, "Body": f"Ada - 'Lady... {link}"},
        {"To": TO, "From": FROM, "Body": "é" * 132},
    ]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("a" * 160, True),
        ("a" * 161, False),
        ("[" * 80, True),
        ("[" * 81, False),
        ("中" * 70, True),
        ("中" * 71, False),
        ("😀" * 35, True),
        ("😀" * 36, False),
        ("Łukasz" + "a" * 65, False),
        ("ñäßÉ€ @£\n" * 16, True),
    ],
)
def test_a_segment_is_counted_as_networks_do(text, is_one):
    assert is_one_segment(text) is is_one


def test_a_failed_template_is_told_without_the_link():
    message = SmsDestination.compose_builtin(
        options(), Summary(headline="Ada joined"), "t.j2:3: no", "https://x"
    )

    assert message == {"to": TO, "text": "Ada joined (t.j2:3: no)"}


def test_a_recipient_of_ones_own_takes_the_place_of_the_destinations(renderer):
    fields = {"text": " Your code: {{ data.code }}\n", "recipient": "{{ data.phone }}"}
    context = renderer(data={"code": "1&To=+1", "phone": "+1 (555) 010-2030"})
    with twilio() as server:
        destination = place(server.api_url)
        destination.send(destination.compose(destination.options, fields, context), attempt())

    assert server.messages == [{"To": "+15550102030", "From": FROM, "Body": "Your code: 1&To=+1"}]


@pytest.mark.parametrize("phone", ["", "0701740605", "+1555010203040506", "+15550102030,+15550102031", "Ada"])
def test_what_is_not_one_number_reaches_nobody(renderer, phone):
    fields = {"text": "x", "recipient": "{{ data.phone }}"}
    with pytest.raises(RecipientError, match="recipient: must be one phone number"):
        SmsDestination.compose(options(), fields, renderer(data={"phone": phone}))


def test_a_text_that_renders_to_nothing_fails(renderer):
    with pytest.raises(TemplateError, match="renders to nothing"):
        SmsDestination.compose(options(), {"text": "{{ data.no }}"}, renderer(data={}))


@pytest.mark.parametrize("text", ["a" * 5000, "😀" * 1500, "x" + "😀" * 1500, "中\n" * 900])
def test_a_text_that_is_too_long_is_cut(renderer, text):
    with twilio() as server:
        destination = place(server.api_url)
        message = destination.compose(
            destination.options, {"text": "{{ data.x }}"}, renderer(data={"x": text})
        )
        destination.send(message, attempt())

    assert server.messages[0]["Body"].endswith("…")
    assert len(server.messages[0]["Body"]) >= 790


def test_whatever_strangers_write_is_one_field(renderer):
    hostile = "Ada\x00\u202e&From=+1%0d%0aX: y\r\nBody=z <https://evil.example|Sign in>"
    with twilio() as server:
        destination = place(server.api_url)
        fields = {"text": "{{ data.x }}"}
        destination.send(destination.compose(options(), fields, renderer(data={"x": hostile})), attempt())
        summary = Summary(headline=hostile)
        destination.send(destination.compose_builtin(options(), summary, hostile, ""), attempt())

    assert [set(message) for message in server.messages] == [{"To", "From", "Body"}] * 2
    assert all(message["From"] == FROM for message in server.messages)
    assert not any(char in message["Body"] for message in server.messages for char in "\x00\u202e\r")


@pytest.mark.parametrize(
    ("valid_seconds", "period"),
    [(None, None), (599.9, "599"), (0.2, "1"), (7 * 86400.0, "36000")],
)
def test_what_is_too_old_leaves_no_queue(valid_seconds, period):
    with twilio() as server:
        message = {"to": TO, "text": "730416 is your code"}
        place(server.api_url).send(message, attempt(valid_seconds=valid_seconds))

    assert [form.get("ValidityPeriod") for form in server.messages] == [period]


def test_a_messaging_service_and_an_api_key_are_named_as_twilio_wants_them():
    with HttpReceiver([CannedResponse(status=201, body=SUCCESS)]) as receiver:
        destination = place(receiver.url, auth_token="SK12:hush", **{"from": "MG1"})
        destination.send({"to": TO, "text": "x"}, attempt())
        request = receiver.received[0]

    assert request.path == f"/2010-04-01/Accounts/{SID}/Messages.json"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"SK12:hush").decode()
    assert parse_qs(request.body.decode()) == {"To": [TO], "MessagingServiceSid": ["MG1"], "Body": ["x"]}


@pytest.mark.parametrize(
    ("changes", "server", "error", "words"),
    [
        ({"auth_token": "wrong"}, {}, Pause, "account_sid and auth_token"),
        ({"from": "+15550000000"}, {}, Pause, "set another one"),
        ({"from": "MG2"}, {}, Pause, "no messaging service"),
        ({}, {"stopped": (TO,)}, Reject, "opted out"),
        ({"to": None}, {}, Pause, "nobody to send to"),
    ],
)
def test_a_refusal_says_what_to_do(changes, server, error, words):
    with twilio(**server) as receiver:
        destination = place(receiver.api_url, **changes)
        message = destination.compose_builtin(destination.options, Summary(headline="x"), None, "")
        raised, _ = failure(destination, message)

    assert (type(raised), words in raised.reason, receiver.messages) == (error, True, [])


def test_a_message_is_shown_with_its_parties():
    context = ShownContext(written={"from": "${SMS_FROM}", "to": TO})
    parts = [part.words for part in SmsDestination.shown({"text": "x"}, context)]

    assert parts == [f"From: ${{SMS_FROM}}\nTo: {TO}", "x"]


@pytest.mark.parametrize(
    ("fields", "to", "problem"),
    [
        ({"text": "x"}, None, "needs recipient"),
        ({"text": "x", "recipient": "{{ data.phone }}"}, None, None),
        ({"recipient": "12"}, TO, "recipient must be one phone number"),
        ({"text": "x"}, TO, None),
    ],
)
def test_a_block_without_a_number_is_a_problem(fields, to, problem):
    problems = list(SmsDestination.check(options(to=to), SmsSend.model_validate(fields)))

    assert [text.startswith(problem) for text in problems] == ([True] if problem else [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("account_sid", "SK123"),
        ("auth_token", "two words"),
        ("from", "Harbor & Pine"),
        ("from", "TwelveLetters"),
        ("to", "911"),
        ("api_url", "api.twilio.com"),
        ("provider", "vonage"),
    ],
)
def test_options_that_cannot_be_right_are_problems(key, value):
    with pytest.raises(ValidationError):
        options(**{key: value})


@pytest.mark.parametrize("sender", ["HarborPine", "MG0123", "12345", "+1 555 765 4321"])
def test_senders_are_numbers_names_and_services(sender):
    assert options(**{"from": sender}).sender == sender.replace(" ", "")
