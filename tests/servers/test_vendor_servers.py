"""What the fakes of PagerDuty, Twilio and Teams refuse, as the documents of those say that they do."""

import base64
import json
import urllib.error
import urllib.request
from urllib.parse import urlencode

import pytest

from servers.pagerduty_server import PagerDutyServer
from servers.twilio_server import TwilioServer
from servers.workflow_server import CARD_TYPE, WorkflowServer

KEY, SID, TOKEN = "k" * 32, "AC1", "secret"
PAYLOAD = {"summary": "s", "source": "clerk", "severity": "info"}
TRIGGER = {"routing_key": KEY, "event_action": "trigger", "payload": PAYLOAD}
FORM = {"To": "+46701740605", "From": "+15557654321", "Body": "x"}


def post(url, body, **headers):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, 202, "success"),
        ({"routing_key": "short"}, 400, "routing_key"),
        ({"routing_key": "o" * 32}, 400, "Invalid routing key"),
        ({"event_action": "open"}, 400, "event_action"),
        ({"event_action": "resolve"}, 400, "dedup_key"),
        ({"event_action": "resolve", "dedup_key": "k"}, 202, "success"),
        ({"dedup_key": "k" * 256}, 400, "too long"),
        ({"payload": None}, 400, "payload"),
        ({"payload": {**PAYLOAD, "summary": ""}}, 400, "payload.summary"),
        ({"payload": {**PAYLOAD, "summary": "s" * 1025}}, 400, "too long"),
        ({"payload": {**PAYLOAD, "source": ""}}, 400, "payload.source"),
        ({"payload": {**PAYLOAD, "severity": "loud"}}, 400, "payload.severity"),
        ({"payload": {**PAYLOAD, "custom_details": []}}, 400, "custom_details"),
        ({"links": [{"text": "no href"}]}, 400, "href"),
        ({"payload": {**PAYLOAD, "custom_details": {"x": "y" * 600_000}}}, 413, "Too Large"),
    ],
)
def test_pagerduty(change, status, words):
    with PagerDutyServer(routing_key=KEY) as server:
        answer = post(f"{server.api_url}/v2/enqueue", json.dumps(TRIGGER | change).encode())

    assert (answer[0], words in answer[1].decode()) == (status, True)


def test_pagerduty_takes_json_at_one_address_alone():
    with PagerDutyServer(routing_key=KEY) as server:
        statuses = [
            post(f"{server.api_url}/v2/enqueue", b"{")[0],
            post(f"{server.api_url}/enqueue", b"{}")[0],
        ]

    assert statuses == [400, 404]


@pytest.mark.parametrize(
    ("change", "token", "code"),
    [
        ({}, TOKEN, None),
        ({}, "wrong", 20003),
        ({"To": ""}, TOKEN, 21604),
        ({"To": "0701"}, TOKEN, 21211),
        ({"To": "+46700000000"}, TOKEN, 21610),
        ({"From": "+15550000000"}, TOKEN, 21606),
        ({"MessagingServiceSid": "MG9"}, TOKEN, 21705),
        ({"MessagingServiceSid": "MG1"}, TOKEN, None),
        ({"Body": " "}, TOKEN, 21602),
        ({"Body": "x" * 1601}, TOKEN, 21617),
        ({"Body": "\N{GRINNING FACE}" * 801}, TOKEN, 21617),
        ({"ValidityPeriod": "0"}, TOKEN, 90007),
        ({"ValidityPeriod": "36001"}, TOKEN, 90007),
        ({"ValidityPeriod": "1.5"}, TOKEN, 90007),
        ({"ValidityPeriod": "600"}, TOKEN, None),
    ],
)
def test_twilio(change, token, code):
    login = base64.b64encode(f"{SID}:{token}".encode()).decode()
    with TwilioServer(account_sid=SID, auth_token=TOKEN, stopped=("+46700000000",)) as server:
        url = f"{server.api_url}/2010-04-01/Accounts/{SID}/Messages.json"
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {login}"}
        _, body = post(url, urlencode(FORM | change).encode(), **headers)

    assert json.loads(body).get("code") == code
    assert len(server.messages) == (code is None)


def card(*body, **more):
    content = {"type": "AdaptiveCard", "version": "1.4", "body": list(body), **more}
    return {"type": "message", "attachments": [{"contentType": CARD_TYPE, "content": content}]}


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (card({"type": "TextBlock", "text": "x"}), None),
        ({"text": "x"}, "attachments"),
        ({"@type": "MessageCard", "text": "x"}, "attachments"),
        (card(), "shows nothing"),
        (card({"type": "TextBlock"}), "TextBlock needs text"),
        (card({"type": "Nothing"}), "no element Nothing"),
        (card({"type": "Container", "style": "loud", "items": []}), "no style loud"),
        (card({"type": "FactSet", "facts": [{"title": "x"}]}), "title and a value"),
        (card({"type": "TextBlock", "text": "x"}, actions=[{"type": "Action.OpenUrl"}]), "needs url"),
    ],
)
def test_a_flow_is_answered_for_at_once_and_may_fail_after(message, fault):
    with WorkflowServer() as server:
        status, _ = post(server.webhook_url, json.dumps(message).encode())

    assert status == 202
    assert (len(server.cards), [fault in run for run in server.failed_runs]) == (
        (0, [True]) if fault else (1, [])
    )


def test_a_trigger_refuses_strangers_what_is_no_json_and_what_is_too_large():
    with WorkflowServer() as server:
        whole = json.dumps(card({"type": "TextBlock", "text": "x" * 30_000})).encode()
        answers = [
            post(server.webhook_url.replace("sig=s1g", "sig=other"), b"{}"),
            post(server.webhook_url, b"{"),
            post(server.webhook_url, whole),
        ]

    assert [(status, json.loads(body)["error"]["code"]) for status, body in answers] == [
        (401, "DirectApiAuthorizationRequired"),
        (400, "InvalidRequestContent"),
        (413, "RequestEntityTooLarge"),
    ]
