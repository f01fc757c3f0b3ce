"""PagerDuty: alerts that are triggered, acknowledged and resolved, and the meaning of its answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from pydantic import ValidationError
from sending import Answer, HttpContract, attempt, failure
from servers.http_receiver import HttpReceiver
from servers.pagerduty_server import PagerDutyServer

from hub.destinations.base import ShownContext
from hub.destinations.pagerduty import PagerDutyDestination, PagerDutyOptions, PagerDutySend
from hub.errors import Pause, RecipientError, Reject, Retry, TemplateError, Unknown
from hub.model.parts import PartKind, Role
from hub.model.summary import Summary, Tone

KEY = "0123456789abcdef0123456789ABCDEF"
SUCCESS = b'{"status": "success", "message": "Event processed", "dedup_key": "k"}'
AT = datetime(2026, 3, 1, 11, 59, tzinfo=UTC)
FAILED = Summary(
    headline="Payment of 49.00 USD by Harbor & Pine failed",
    tone=Tone.BAD,
    fields=(("Plan", "Team"), ("Card", "Visa ending 4242")),
    details="Recurring",
    at=AT,
    time="1 Mar 2026, 12:59 CET",
)


def invalid(*errors):
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    return json.dumps(body).encode()


def place(url, key=KEY, **more):
    return PagerDutyDestination(PagerDutyOptions(routing_key=key, api_url=url), "oncall", **more)


class TestPagerDuty(HttpContract):
    SECRETS = (KEY,)
    SUCCESS = SUCCESS
    DELIVERED = (202,)
    UNASKED_REST = 120
    REFUSED: ClassVar = {403: Pause, 410: Reject, 413: Reject}
    ANSWERS: ClassVar = (
        Answer(status=400, body=invalid("Invalid routing key"), error=Pause, words="set the integration key"),
        Answer(
            status=400,
            body=invalid("Length of 'routing_key' is incorrect"),
            error=Pause,
            words="set the integration key",
        ),
        Answer(
            status=400,
            body=invalid("'payload.source' is missing or blank"),
            error=Reject,
            words="does not take this event",
            form=True,
        ),
        Answer(status=400, body=b"<html>Bad Request", error=Retry, words="400 Bad Request"),
        Answer(status=403, body=b"{}", error=Pause, words="routing_key"),
        Answer(status=413, body=b"{}", error=Reject, words="too large", form=True),
        Answer(
            status=429, body=b"{}", error=Retry, words="too many events", throttled=True, after_seconds=120
        ),
        Answer(status=202, body=b"<html>Sign in to the hotel", error=Unknown, words="not PagerDuty's"),
        Answer(status=200, body=b"", error=Unknown, words="not PagerDuty's"),
        Answer(status=202, body=b'{"status": "error"}', error=Unknown, words="not PagerDuty's"),
    )

    def make(self, port, *, host="127.0.0.1", tls=False, **more):
        return place(f"{'https' if tls else 'http'}://{host}:{port}", **more)


def test_an_alert_is_opened_under_the_deliverys_id_and_never_twice():
    with PagerDutyServer(routing_key=KEY) as server:
        destination = place(server.api_url)
        message = destination.compose_builtin(None, FAILED, None, "https://hub.test/events/evt_1")
        receipts = [destination.send(message, attempt(event_source="clerk")) for _ in range(2)]

    assert [(receipt.status, receipt.detail) for receipt in receipts] == [(202, "taken by PagerDuty")] * 2
    assert server.open_alerts == {
        attempt().delivery_id: {
            "summary": "Payment of 49.00 USD by Harbor & Pine failed",
            "severity": "error",
            "source": "clerk",
            "timestamp": "2026-03-01T11:59:00+00:00",
            "custom_details": {"Plan": "Team", "Card": "Visa ending 4242", "Note": "Recurring"},
        }
    }
    assert json.loads(server.http.received[0].body)["links"] == [
        {"href": "https://hub.test/events/evt_1", "text": "Open in the hub"}
    ]


@pytest.mark.parametrize(
    ("tone", "severity"),
    [(Tone.GOOD, "info"), (Tone.PLAIN, "info"), (Tone.WATCH, "warning"), (Tone.BAD, "error")],
)
def test_the_severity_follows_the_tone(tone, severity):
    message = PagerDutyDestination.compose_builtin(None, Summary(headline="x", tone=tone), "t.j2: no", "")

    assert message == {
        "event_action": "trigger",
        "payload": {"summary": "x", "severity": severity, "custom_details": {"Warning": "t.j2: no"}},
    }


@pytest.mark.parametrize("key", ["payment-1", "k" * 300])
def test_a_resolve_closes_what_a_trigger_with_its_key_opened(renderer, key):
    opening = {"summary": "{{ data.id }} is late", "severity": "critical", "dedup_key": "{{ data.id }}"}
    closing = {"action": "resolve", "dedup_key": "{{ data.id }}"}
    with PagerDutyServer(routing_key=KEY) as server:
        destination = place(server.api_url)
        context = renderer(data={"id": key})
        destination.send(destination.compose(None, opening, context), attempt())
        opened = [payload["severity"] for payload in server.open_alerts.values()]
        destination.send(destination.compose(None, closing, context), attempt())
        destination.send(destination.compose(None, closing, renderer(data={"id": f"{key}2"})), attempt())
        dropped = server.dropped

    assert (opened, server.open_alerts) == (["critical"], {})
    assert len(dropped) == 1


def test_keys_that_are_too_long_stay_apart():
    with HttpReceiver(respond=lambda _: PagerDutyServer(routing_key=KEY)._respond(_)) as receiver:
        destination = place(receiver.url)
        for end in "ab":
            message = {"event_action": "resolve", "dedup_key": "k" * 300 + end}
            destination.send(message, attempt())
        keys = {json.loads(request.body)["dedup_key"] for request in receiver.received}

    assert (len(keys), {len(key) for key in keys}) == (2, {255})


def test_words_of_ones_own_take_the_place_of_the_built_in_ones(renderer):
    fields = {"summary": "*{{ data.id }}*", "source": "shop", "details": {"of": ["{{ data.id }}", 3]}}
    message = PagerDutyDestination.compose(None, fields, renderer(data={"id": "<b>\n@all"}))

    assert message["payload"]["summary"] == "*<b> @all*"
    assert message["payload"]["source"] == "shop"
    assert message["payload"]["custom_details"] == {"of": ["<b>\n@all", 3]}
    assert message["links"] == [{"href": "https://hub.test/events/evt_1", "text": "Open in the hub"}]


def test_whatever_strangers_write_is_taken(renderer):
    fields = {"summary": "{{ data.id }}", "source": "{{ data.id }}", "details": {"x": "{{ data.id }}"}}
    hostile = "é\x00\n\u202e<!channel> " * 400
    with PagerDutyServer(routing_key=KEY) as server:
        destination = place(server.api_url)
        destination.send(destination.compose(None, fields, renderer(data={"id": hostile})), attempt())
        summary = Summary(headline=hostile, fields=((hostile, hostile),), details=hostile)
        destination.send(destination.compose_builtin(None, summary, hostile, ""), attempt(delivery_id="d2"))

    assert len(server.open_alerts) == 2


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"severity": "{{ data.id }}"}, TemplateError, 'severity: must be critical, .*, not "x"'),
        # For these no built-in message stands in: it would open an alert.
        (
            {"action": "resolve", "dedup_key": "{{ data.no }}"},
            RecipientError,
            "dedup_key: renders to nothing",
        ),
        ({"action": "resolve", "dedup_key": "{{ data.id / 0 }}"}, RecipientError, "dedup_key"),
    ],
)
def test_what_cannot_be_sent_is_a_failure_of_the_template(renderer, fields, error, words):
    with pytest.raises(error, match=words):
        PagerDutyDestination.compose(None, fields, renderer(data={"id": "x"}))


def test_a_severity_with_a_variable_is_looked_at_once_it_is_filled_in():
    message = {"event_action": "trigger", "payload": {"summary": "x", "severity": "loud"}}
    with pytest.raises(TemplateError):
        PagerDutyDestination.finished(message)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"action": "resolve"}, "action resolve needs dedup_key"),
        ({"action": "acknowledge", "dedup_key": "k", "summary": "s"}, "summary belongs to action trigger"),
        ({"severity": "eror"}, 'severity must be critical, error, warning, info, not "eror"'),
        ({"severity": "{{ data.x }}"}, None),
        ({"summary": "s", "severity": "info"}, None),
    ],
)
def test_a_block_that_pagerduty_would_drop_is_a_problem(fields, problem):
    problems = list(PagerDutyDestination.check(None, PagerDutySend.model_validate(fields)))

    assert [problem in text for text in problems] == ([True] if problem else [])


def test_where_the_whole_is_refused_the_summary_goes_alone():
    message = PagerDutyDestination.compose_builtin(None, FAILED, None, "https://hub.test/e")
    alone = PagerDutyDestination.text_alone(message)

    assert set(alone["payload"]) == {"summary", "severity", "timestamp"}
    assert "links" not in alone
    assert PagerDutyDestination.text_alone(alone) is None
    assert PagerDutyDestination.text_alone({"event_action": "resolve", "dedup_key": "k"}) is None


def test_an_event_over_the_limit_is_refused_in_words():
    with PagerDutyServer(routing_key=KEY) as server:
        payload = {"summary": "x", "severity": "info", "custom_details": {"x": "y" * 600_000}}
        error, _ = failure(place(server.api_url), {"event_action": "trigger", "payload": payload})

    assert error.reason == "answered 413 Request Entity Too Large: the event is too large"


def test_a_message_is_shown_with_its_severity():
    message = PagerDutyDestination.compose_builtin(None, FAILED, None, "https://hub.test/e")
    heading, details, beside = PagerDutyDestination.shown(message, ShownContext())

    assert (heading.role, heading.tone, heading.text) == (Role.HEADING, Tone.BAD, FAILED.headline)
    assert (details.kind, details.pairs[0]) == (PartKind.FIELDS, ("Plan", "Team"))
    assert ("dedup_key", "(the delivery's id)") in beside.pairs
    assert ("link", "https://hub.test/e") in beside.pairs


@pytest.mark.parametrize(
    ("api_url", "path"), [("", "/v2/enqueue"), ("/", "/v2/enqueue"), ("/v2/enqueue", "/v2/enqueue")]
)
def test_the_address_may_end_with_the_path_or_not(api_url, path):
    with PagerDutyServer(routing_key=KEY) as server:
        destination = place(server.api_url + api_url)
        destination.send({"event_action": "resolve", "dedup_key": "k"}, attempt())
        paths = [request.path for request in server.http.received]

    assert paths == [path]
    assert destination.describe() == "127.0.0.1"


@pytest.mark.parametrize("options", [{"routing_key": "short"}, {"routing_key": KEY, "api_url": "events"}])
def test_options_that_cannot_be_right_are_problems(options):
    with pytest.raises(ValidationError):
        PagerDutyOptions.model_validate(options)
