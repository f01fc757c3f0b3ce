"""A message keeps its key while its bytes stay the same, and gets the next one when it is made anew."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import given
from servers.http_receiver import CannedResponse
from servers.mail_services import KEY, ResendService
from working import working

from hub import operator
from hub.destinations.email.options import EmailOptions
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import Outcome, State
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.store import Store

BUSY = CannedResponse(status=503)
REFUSED = CannedResponse(status=422, body=b'{"name": "validation_error", "message": "no"}')
OTHER_BYTES = CannedResponse(status=409, body=b'{"name": "invalid_idempotent_request", "message": "no"}')


def rules(service: ResendService, subject: str = "{{ data.id }}") -> Rules:
    options = {
        "provider": "resend",
        "api_key": KEY,
        "api_url": service.url,
        "from": "hub@example.com",
        "to": "a@x.test",
    }
    mail = replace(
        given.destination("mail", retry_seconds=(0.02, 0.02)),
        type="email",
        options=EmailOptions.model_validate(options),
    )
    send = Send(to="mail", fields={"subject": subject, "text": "hello"})
    return given.rules(given.route("all", ("*",), send), destinations=(mail,))


def wait_for(store: Store, state: State) -> DeliveryRecord:
    def record() -> DeliveryRecord | None:
        with store.read() as snapshot:
            (record_of_list,) = snapshot.delivery_list.records()
            return snapshot.delivery_list.record(record_of_list.id) if record_of_list.state is state else None

    kept: DeliveryRecord = given.until(record)
    return kept


def keys(service: ResendService) -> list[str]:
    return [request.headers["idempotency-key"] for request in service.http.received]


def test_a_retry_by_itself_has_the_same_key_and_an_operators_the_next(store: Store) -> None:
    with ResendService([BUSY, REFUSED]) as service, working(store, rules(service)):
        fan_out(given.event(), rules(service), store)
        dead = wait_for(store, State.DEAD)
        operator.retry(store, rules(service, "anew"), dead.id)
        wait_for(store, State.DELIVERED)

        assert keys(service) == [f"{dead.id}-1", f"{dead.id}-1", f"{dead.id}-2"]
    assert [json.loads(request.body)["subject"] for request in service.http.received] == [
        *("user_1", "user_1", "anew")
    ]


def test_a_key_that_other_bytes_have_used_is_unknown_and_the_next_attempt_has_the_next(store: Store) -> None:
    with ResendService([OTHER_BYTES]) as service, working(store, rules(service)):
        fan_out(given.event(), rules(service), store)
        kept = wait_for(store, State.DELIVERED)

        assert keys(service) == [f"{kept.id}-1", f"{kept.id}-2"]
    assert [attempt.outcome for attempt in kept.attempt_list] == [Outcome.UNKNOWN, Outcome.DELIVERED]


def test_what_a_process_sent_that_died_before_it_kept_its_message_has_the_next_key(store: Store) -> None:
    with ResendService() as service:
        fan_out(given.event(), rules(service), store)
        (lost,) = given.claim(store, "mail", lease=timedelta(seconds=-1))
        with working(store, rules(service)):
            wait_for(store, State.DELIVERED)

        assert keys(service) == [f"{lost.id}-2"]
