"""A form that was refused, sent as text alone: variables in it are filled in as that text needs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hub import catalog
from hub.delivery.render import RenderContext, compose
from hub.destinations.base import ShownContext, find_destination, parts_of
from hub.model.delivery import MARKS
from hub.model.event import Event
from hub.model.routing import Send
from hub.templating.escapes import BY_NAME
from hub.templating.placeholders import filled
from hub.templating.sandbox import Sandbox

EVENT = Event(
    id="evt_1",
    source="clerk",
    message_id="msg_1",
    type="user.created",
    payload=catalog.sample_payload("user.created"),
    received_at=datetime(2026, 3, 1, tzinfo=UTC),
)
VALUE = "<b>@all</b> & [co]"
WIDGET = {"decoratedText": {"topLabel": "Team", "text": "<i>${TEAM}</i>"}}
FORMS = {
    "discord": ({"embeds": [{"title": "${TEAM}", "description": "*${TEAM}*"}]}, VALUE),
    "telegram": ({"text": "<i>${TEAM}</i>"}, VALUE),
    "google_chat": ({"cards": [{"sections": [{"widgets": [WIDGET]}]}]}, VALUE.replace("<", "\u2039")),
    "teams": ({"card": {"body": [{"type": "TextBlock", "text": "${TEAM}"}]}}, VALUE),
    "slack": (
        {"text": "${TEAM}", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}]},
        VALUE,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_variables_in_a_plainer_form_are_filled_in_for_it(name: str) -> None:
    fields, seen = FORMS[name]
    kind = find_destination(name)
    context = RenderContext(event=EVENT, route="r")
    message = compose(Send(to="it", fields=fields), context, kind, None, Sandbox({}))
    plainer = kind.text_alone(message)
    escapes = {**BY_NAME, **{escape.__name__: escape for escape in kind.escapes}}
    sent = kind.finished(filled(plainer, {"TEAM": VALUE}, escapes))
    words = "\n".join(part.words for part in parts_of(sent, name, ShownContext()))

    assert MARKS in message
    assert MARKS not in sent
    assert seen in words
