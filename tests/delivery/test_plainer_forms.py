"""A message whose form is refused goes out in a plainer one, within the same attempt."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import given
import pytest
from servers.http_receiver import CannedResponse
from servers.slack_receiver import SlackReceiver
from working import working

from hub.destinations.slack.options import SlackOptions
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import State
from hub.model.destination import DestinationConfig
from hub.model.filter import Filter
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.store import Store

PICTURE = {"type": "image", "image_url": "https://pictures.invalid/a.png", "alt_text": "a picture"}
CARD = [{"type": "header", "text": {"type": "plain_text", "text": "Hello"}}, PICTURE]
REFUSAL = CannedResponse(status=400, body=b"invalid_blocks")


def slack(receiver: SlackReceiver, *, bot: bool = False, **changes: Any) -> DestinationConfig:
    options = {"webhook_url": receiver.webhook_url}
    if bot:
        options = {"bot_token": "xoxb-demo", "channel": "sales", "api_url": receiver.api_url}
    return replace(
        given.destination("team"), type="slack", options=SlackOptions.model_validate(options), **changes
    )


def rules(place: DestinationConfig, fields: dict[str, Any]) -> Rules:
    return given.rules(given.route("all", ("*",), Send(to="team", fields=fields)), destinations=(place,))


def settled(store: Store, rules: Rules, state: State) -> DeliveryRecord:
    """The one delivery of an event, once it is in that state."""

    def records() -> list[DeliveryRecord]:
        with store.read() as snapshot:
            return snapshot.delivery_list.records(Filter(state=state))

    with working(store, rules):
        fan_out(given.event(), rules, store)
        (record,) = given.until(records)
    with store.read() as snapshot:
        return snapshot.delivery_list.record(record.id)


@pytest.mark.parametrize("bot", [False, True], ids=["webhook", "bot"])
def test_blocks_that_slack_refuses_go_out_as_their_text_in_the_same_attempt(store: Store, bot: bool) -> None:
    with SlackReceiver() as receiver:
        place = rules(slack(receiver, bot=bot), {"text": "Ada signed up", "blocks": CARD})
        record = settled(store, place, State.DELIVERED)
        requests = len(receiver.http.received)
        (message,) = receiver.messages

    words = (
        "Slack answered invalid_blocks: must be less than 76 characters [json-pointer:/blocks/0/text/text]"
        if bot
        else "Slack answered 400 invalid_blocks"
    )
    assert (message.text, message.blocks) == ("Ada signed up", ())
    assert (requests, len(record.attempt_list)) == (2, 1)
    assert record.degraded == f"{words}; its text was sent alone"
    assert record.message == {"text": "Ada signed up", "unfurl_links": False, "unfurl_media": False}


def test_where_the_text_is_refused_too_the_built_in_message_goes_out(store: Store) -> None:
    with SlackReceiver([REFUSAL, CannedResponse(status=400, body=b"invalid_payload")]) as receiver:
        record = settled(
            store, rules(slack(receiver), {"text": "Ada signed up", "blocks": CARD}), State.DELIVERED
        )
        (message,) = receiver.messages

    assert message.blocks[0]["text"]["text"] == "A user signed up"
    assert record.degraded == "Slack answered 400 invalid_blocks; the built-in message was sent"
    assert len(record.attempt_list) == 1


def test_a_text_that_is_refused_leaves_only_the_built_in_message(store: Store) -> None:
    with SlackReceiver([CannedResponse(status=400, body=b"msg_too_long")]) as receiver:
        settled(store, rules(slack(receiver), {"text": "Ada signed up"}), State.DELIVERED)
        requests = [json.loads(request.body)["text"] for request in receiver.http.received]

    assert requests[0] == "Ada signed up"
    assert requests[1].startswith("A user signed up")


def test_what_is_refused_in_every_form_is_dead(store: Store) -> None:
    with SlackReceiver([REFUSAL] * 5) as receiver:
        record = settled(store, rules(slack(receiver), {"text": "Ada signed up", "blocks": CARD}), State.DEAD)
        requests = len(receiver.http.received)

    assert (requests, len(record.attempt_list)) == (3, 1)
    assert record.reason == "Slack answered 400 invalid_blocks"


def test_a_built_in_message_that_is_refused_goes_out_as_text(store: Store) -> None:
    with SlackReceiver([REFUSAL]) as receiver:
        record = settled(store, rules(slack(receiver), {}), State.DELIVERED)
        (message,) = receiver.messages

    assert (message.blocks, message.text[:16]) == ((), "A user signed up")
    assert record.degraded == "Slack answered 400 invalid_blocks; its text was sent alone"


def test_what_is_tried_again_is_the_plainer_form(store: Store) -> None:
    with SlackReceiver([REFUSAL, CannedResponse(status=503)]) as receiver:
        place = slack(receiver, retry_seconds=(0.02, 0.02))
        record = settled(store, rules(place, {"text": "Ada signed up", "blocks": CARD}), State.DELIVERED)
        forms = ["blocks" in json.loads(request.body) for request in receiver.http.received]

    assert forms == [True, False, False]
    assert len(record.attempt_list) == 2
    assert record.degraded is not None
