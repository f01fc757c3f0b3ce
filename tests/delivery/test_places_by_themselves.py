"""Whole deliveries to places that take a message into a queue of their own: what their answers lead to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import given
import pytest
from servers.http_receiver import CannedResponse
from servers.pagerduty_server import PagerDutyServer
from servers.twilio_server import TwilioServer
from servers.workflow_server import WorkflowServer
from working import working

from hub.destinations.base import find_destination
from hub.ingest.fanout import fan_out
from hub.model.delivery import State
from hub.model.destination import DestinationConfig
from hub.model.filter import Filter
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.open import open_store

KEY, SID = "k" * 32, "AC1"


def place(type_: str, options: dict[str, Any]) -> DestinationConfig:
    kind = find_destination(type_)
    assert kind is not None
    options_of_type = kind.Options.model_validate(options)
    return replace(given.destination("it"), type=type_, options=options_of_type)


def settled(url: str, config: DestinationConfig, fields: dict[str, Any], state: State) -> DeliveryRecord:
    """The one delivery of an event, once it is in that state."""
    store = open_store(url)
    rules = given.rules(given.route("all", ("*",), Send(to="it", fields=fields)), destinations=(config,))

    def records() -> list[DeliveryRecord]:
        with store.read() as snapshot:
            return snapshot.delivery_list.records(Filter(state=state))

    with working(store, rules):
        fan_out(given.event(), rules, store)
        (record,) = given.until(records)
    with store.read() as snapshot:
        record = snapshot.delivery_list.record(record.id)
    store.close()
    return record


def test_the_attempt_says_who_has_taken_the_message(sqlite_url: str) -> None:
    with PagerDutyServer(routing_key=KEY) as server:
        options = {"routing_key": KEY, "api_url": server.api_url}
        record = settled(sqlite_url, place("pagerduty", options), {}, State.DELIVERED)
    (attempt,) = record.attempt_list

    assert (attempt.status, attempt.detail) == (202, "taken by PagerDuty")
    assert server.open_alerts[record.id]["source"] == "clerk"


def test_a_card_that_is_refused_goes_out_as_its_text(sqlite_url: str) -> None:
    refusal = CannedResponse(status=400, body=b'{"error": {"code": "InvalidRequestContent"}}')
    card = {"body": [{"type": "Image", "url": "https://x.test/a.png"}]}
    with WorkflowServer([refusal]) as server:
        config = place("teams", {"webhook_url": server.webhook_url})
        record = settled(sqlite_url, config, {"text": "Ada joined", "card": card}, State.DELIVERED)

    assert [block["text"] for block in server.cards[0]["body"]] == ["Ada joined"]
    assert len(record.attempt_list) == 1
    assert record.degraded is not None
    assert record.degraded.endswith("the flow does not take this card; its text was sent alone")


@pytest.mark.parametrize("recipient", ["{{ data.no }}", "{{ data.id / 0 }}"])
def test_a_text_message_without_a_number_of_its_own_reaches_nobody(sqlite_url: str, recipient: str) -> None:
    with TwilioServer(account_sid=SID, auth_token="t") as server:
        options = {"account_sid": SID, "auth_token": "t", "from": "+15557654321", "to": "+46701740605"}
        config = place("sms", {**options, "api_url": server.api_url})
        record = settled(sqlite_url, config, {"text": "code", "recipient": recipient}, State.DEAD)

    assert server.messages == []
    assert record.reason is not None
    assert record.reason.startswith("template failed: recipient")


def test_a_built_in_text_message_goes_to_the_number_that_the_block_names(sqlite_url: str) -> None:
    with TwilioServer(account_sid=SID, auth_token="t") as server:
        options = {"account_sid": SID, "auth_token": "t", "from": "+15557654321", "to": "+46701740605"}
        config = place("sms", {**options, "api_url": server.api_url})
        fields = {"text": "{{ data.id / 0 }}", "recipient": "+46700000001"}
        record = settled(sqlite_url, config, fields, State.DELIVERED)

    assert [message["To"] for message in server.messages] == ["+46700000001"]
    assert record.degraded is not None
