"""A delivery's page: the message, also before it is sent, what came back, and what happens next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import given
import pytest
from flask.testing import FlaskClient
from given_web import World, destination, payload
from markupsafe import Markup
from sqlalchemy import update
from test_access import sign_in

from hub.catalog.redaction import Redaction
from hub.destinations.http.options import HttpOptions
from hub.health.waiting import WaitCode, WaitReason
from hub.model.delivery import Outcome, State
from hub.model.destination import OnUnknown
from hub.model.filter import Filter
from hub.model.parts import Part, PartKind
from hub.model.records import AttemptRecord, DeliveryRecord
from hub.store.tables import deliveries
from hub.web.delivery_page import attempt_lines, next_steps, reason_of
from hub.web.messages import views_of

CRM = destination("crm", HttpOptions(url="https://crm.example.com/hooks"))


def record(state: State, **changes: Any) -> DeliveryRecord:
    return DeliveryRecord(
        **{
            "id": "dlv_01",
            "event": "evt_01",
            "type": "user.created",
            "route": "all",
            "destination": "crm",
            "state": state,
            "reason": None,
            "attempts": 1,
            "tries": 1,
            "due_at": None,
            "created_at": given.NOON,
            "delivered_at": None,
            "degraded": None,
            "message": None,
            **changes,
        }
    )


def attempt(number: int, detail: str, outcome: Outcome = Outcome.FAILED, answer: str = "") -> AttemptRecord:
    return AttemptRecord(
        number=number,
        at=given.NOON + timedelta(minutes=number),
        seconds=0.084,
        outcome=outcome,
        status=None,
        detail=detail,
        answer=answer or None,
    )


def test_attempts_stand_newest_first_and_say_where_the_answer_is_the_same() -> None:
    tried = tuple(
        attempt(number, detail, answer=answer)
        for number, detail, answer in [
            (1, "answered 500 Internal Server Error", "boom"),
            (2, "answered 422 Unprocessable Entity", "no"),
            (3, "answered 422 Unprocessable Entity", "no"),
        ]
    )
    lines = attempt_lines(record(State.DEAD, attempt_list=tried), Redaction(named={"boom": "${PASSWORD}"}))

    assert [(line["number"], line["ending"], line["answer"], line["is_same"]) for line in lines] == [
        (3, "422 Unprocessable Entity", "no", False),
        (2, "422 Unprocessable Entity", "no", True),
        (1, "500 Internal Server Error", "${PASSWORD}", False),
    ]


LAST = {"detail": "answered 422 Unprocessable Entity", "answer": "email is not valid"}


@pytest.mark.parametrize(
    ("changes", "attempts", "reason", "words"),
    [
        (
            {"tries": 8},
            [LAST],
            "answered 422 Unprocessable Entity (attempt 8 of 8, the last)",
            '422 Unprocessable Entity: "email is not valid". Given up after 8 tries.',
        ),
        ({}, [LAST], "too old: it was 12 min old and may be 10", "Too old: it was 12 min old and may be 10."),
        ({}, [], "template failed: http/x.j2:3: no", "Template failed: http/x.j2:3: no."),
    ],
)
def test_a_death_has_the_other_sides_words(
    changes: dict[str, Any], attempts: list[dict[str, str]], reason: str, words: str
) -> None:
    whole = {"reason": reason, "attempt_list": attempts, "why": None}

    assert words == reason_of(record(State.DEAD, **changes), whole)


def test_an_arrival_says_how_long_it_took() -> None:
    arrived = record(State.DELIVERED, tries=3, delivered_at=given.NOON + timedelta(seconds=9))

    assert reason_of(arrived, {}) == "It arrived 9 s after it became owed, at try 3."


LATER = given.NOON + timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("state", "wait", "config", "words"),
    [
        (
            State.PENDING,
            WaitReason(code=WaitCode.SCHEDULE, text="x", until=LATER),
            CRM,
            "at 4 May 14:01:00",
        ),
        (
            State.PENDING,
            WaitReason(code=WaitCode.BREAKER, text="x", until=LATER),
            CRM,
            "once crm works again: one message is tried at 4 May 14:01:00.",
        ),
        (
            State.PENDING,
            WaitReason(code=WaitCode.NOT_CONFIGURED, text="CRM_URL is not set"),
            CRM,
            "Nothing by itself. Set that where the hub runs",
        ),
        (
            State.PENDING,
            WaitReason(code=WaitCode.NOT_CONFIGURED, text="a table is missing", resumes=True),
            CRM,
            "It goes out by itself, within seconds, once that is done.",
        ),
        (State.HELD, None, CRM, "Look in crm for webhook-id dlv_01, sent 2026-05-04 12:01:00 UTC."),
        (State.HELD, None, None, "Look in crm for this message, sent 2026-05-04 12:01:00 UTC."),
        (State.SENDING, None, CRM, "crm has 10 s to answer. Without an answer"),
        (State.SENDING, None, replace(CRM, on_unknown=OnUnknown.HOLD), "then it is held"),
        (State.PENDING, None, CRM, "Try 1 may have arrived"),
        (State.DEAD, None, CRM, "Mend the cause, then press Retry"),
        (State.CANCELLED, None, CRM, "Retry owes it again"),
        (State.DELIVERED, None, CRM, "it has arrived"),
    ],
)
def test_what_happens_next_is_said(state: State, wait: WaitReason | None, config: Any, words: str) -> None:
    tried = (attempt(1, "did not answer within 1 s", Outcome.UNKNOWN),)

    assert words in " ".join(next_steps(record(state, attempt_list=tried), wait, config, BERLIN))


# -- the message ------------------------------------------------------------------------------------------


@pytest.fixture
def page_of(world: World, client: FlaskClient) -> Any:
    """The page of what `log` is owed for an event, with values of its row changed."""

    def read(**changes: Any) -> str:
        sign_in(client)
        sent = world.send(client, payload(email_address="ada@example.com"))
        with world.store.read() as snapshot:
            owed = {one.destination: one.id for one in snapshot.delivery_list.records(event=sent["event"])}
        if changes:
            change = update(deliveries).where(deliveries.c.id == owed["log"]).values(**changes)
            world.store.write(lambda transaction: transaction.session.connection.execute(change) and None)
        return client.get(f"/deliveries/{owed['log']}").text

    return read


def test_a_message_is_shown_as_it_would_go_out_before_the_first_try(page_of: Any) -> None:
    page = page_of()

    assert "<h2>As it would go out now</h2>" in page
    assert "ada@example.com waits" in page
    assert "Not sent yet: rendered by the files that serve today." in page


def test_what_a_retry_would_send_is_today_s(world: World, page_of: Any) -> None:
    page = page_of(state="dead", send={"text": "an older text"}, version="older")

    assert "<h2>As a retry would send it now</h2>" in page
    assert "ada@example.com waits" in page
    assert "an older text" not in page


def test_what_another_version_will_render_says_so(page_of: Any) -> None:
    page = page_of(send={"text": "an older text"}, version="older")

    assert "an older text" in page
    assert "version <code>older</code> decided it and will render it" in page


def test_a_template_that_would_fail_is_told_before_it_does(page_of: Any) -> None:
    page = page_of(send={"text": "{{ 1 // 0 }}"})

    assert "Template failed" in page
    assert "the built-in message would go out" in page


def test_a_degraded_message_has_its_reason_above(page_of: Any) -> None:
    page = page_of(state="delivered", message={"text": "built-in"}, degraded="template failed: <b>: no")

    words = "Your template failed, so the built-in message went out: &lt;b&gt;: no."
    assert f'<p class="flash task">{words}</p>' in page
    assert page.index("Your template failed") < page.index("built-in")


def test_a_mail_is_looked_at_as_its_reader_does_as_text_and_with_all_headers() -> None:
    parts = (
        Part(kind=PartKind.HEADERS, pairs=(("Subject", "Hi"), ("Message-ID", "x"))),
        Part(label="text/plain", text="Good day"),
        Part(kind=PartKind.HTML, label="text/html", text="<p>Good day</p>"),
    )
    message, text, headers = views_of(parts, lambda _: Markup("<iframe>"))

    assert [view.label for view in (message, text, headers)] == ["Message", "Text", "Headers"]
    assert ["Subject" in message.drawing, "Message-ID" in message.drawing] == [True, False]
    assert ["<iframe>" in message.drawing, "Good day" in message.drawing] == [True, False]
    assert "Good day" in text.drawing
    assert "Message-ID" in headers.drawing


def test_a_message_without_headers_is_looked_at_as_its_reader_does_and_as_it_is_kept(page_of: Any) -> None:
    page = page_of(state="delivered", message={"text": "hello"})

    assert [f">{label}</label>" in page for label in ("Message", "Headers", "Raw")] == [True, False, True]


def test_a_request_can_be_copied_without_its_secrets(world: World, client: FlaskClient) -> None:
    sign_in(client)
    sent = world.send(client, payload(email_address="ada@example.com"))
    with world.store.read() as snapshot:
        (owed,) = snapshot.delivery_list.records(Filter(destination="crm"), event=sent["event"])
    page = client.get(f"/deliveries/{owed.id}").text

    assert "curl --request POST" in page
    assert f"webhook-id: {owed.id}" in page
    assert "verysecret" not in page


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("template failed: slack/a.j2:4: no", "Mend the template, then"),
        ('answered 422: "no such template"', "Mend the cause, then"),
    ],
)
def test_the_template_is_to_be_mended_where_that_is_what_failed(reason: str, words: str) -> None:
    assert words in " ".join(next_steps(record(State.DEAD, reason=reason), None, CRM, BERLIN))
