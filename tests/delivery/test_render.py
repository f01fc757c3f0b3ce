"""A send block and an event make a message; people get one even where their template fails."""

from __future__ import annotations

import json
from typing import Any

import given
import pytest

from hub.delivery.render import RenderContext, render
from hub.destinations.base import Destination, find_destination
from hub.errors import TemplateError
from hub.model.delivery import RAW, Rendered
from hub.model.event import Event
from hub.model.routing import Send
from hub.templating.sandbox import Sandbox

LINK = "https://hub.example.com/events/evt_1"
PEOPLE = ("console", "slack", "email")


def composer(type_: str) -> type[Destination]:
    destination_class = find_destination(type_)
    assert destination_class is not None
    return destination_class


def rendered(
    type_: str, fields: dict[str, Any], event: Event | None = None, templates: dict[str, str] | None = None
) -> Rendered:
    send = Send(to="place", fields=fields)
    event = event or given.event("user.created", data={"first_name": "Ada"})
    context = RenderContext(event=event, route="welcome", link=LINK)
    return render(send, context, composer(type_), None, Sandbox(templates or {}))


def test_templates_see_event_route_destination_and_link() -> None:
    text = "{{ event.type }} {{ type }} {{ data.first_name }} {{ route }} {{ destination }} {{ link }}"

    assert rendered("console", {"text": text}).message == {
        "text": f"user.created user.created Ada welcome place {LINK}"
    }


@pytest.mark.parametrize("type_", PEOPLE)
def test_nothing_to_render_gives_the_built_in_message(type_: str) -> None:
    result = rendered(type_, {})

    assert result.degraded is None
    assert "Ada" in str(result.message)
    assert LINK in str(result.message)


def test_machines_get_the_event_itself() -> None:
    assert rendered("http", {}).message[RAW] is True


@pytest.mark.parametrize("type_", PEOPLE)
@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"text": "fine so far\n{{ data.first_name + 1 }}"}, "template failed: text:2: "),
        ({"template": "broken"}, ":3: "),
        ({"template": "nowhere"}, "template failed: "),
    ],
)
def test_people_get_the_built_in_message_with_a_note_where_a_template_fails(
    type_: str, fields: dict[str, Any], note: str
) -> None:
    broken = "one\n\n{{ data.first_name + 1 }}"
    names = ("broken.j2", "slack/broken.j2", "broken.html.j2", "broken.txt.j2")
    result = rendered(type_, fields, templates=dict.fromkeys(names, broken))

    assert note in (result.degraded or "")
    assert "Ada" in str(result.message)
    assert "template failed" in str(result.message)


def test_a_template_that_fails_for_machines_is_an_error() -> None:
    with pytest.raises(TemplateError, match=r"^body:2: "):
        rendered("http", {"body": "x\n{{ data.first_name + 1 }}", "content_type": "text/plain"})


def test_a_message_that_is_too_large_is_a_failure() -> None:
    event = given.event(data={"a": "é" * 140_000})
    with pytest.raises(TemplateError, match=r"the message has 27. KiB; at most 256 are sent"):
        rendered("http", {"json": {"a": "{{ data.a }}"}}, event)


@pytest.mark.parametrize("type_", [*PEOPLE, "http"])
def test_lone_surrogates_and_nul_break_nothing(type_: str) -> None:
    event = given.event(payload=b'{"type":"user.created","data":{"first_name":"\\ud800 \\u0000"}}')
    text = "{{ data.first_name | tojson }} {{ data.first_name }}"
    own = {"body": text, "content_type": "text/plain"} if type_ == "http" else {"text": text}
    for fields in ({}, own):
        result = rendered(type_, fields, event)

        assert json.dumps(result.message, ensure_ascii=False).encode()
