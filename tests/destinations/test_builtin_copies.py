"""`hub templates copy` writes the built-in message: the same for all events, whatever strangers wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub import catalog
from hub.catalog.variants import declared_fields, variants
from hub.delivery.render import RenderContext, compose
from hub.destinations.base import find_destination
from hub.model.delivery import Message
from hub.model.event import Event
from hub.model.problem import Code
from hub.model.routing import Send
from hub.model.summary import Summary
from hub.rules.load import read_config
from hub.strings import map_strings
from hub.templating.copies import SUFFIXES, copies
from hub.templating.sandbox import Sandbox

AT = datetime(2026, 6, 12, 17, 12, tzinfo=UTC)
LINKS = ("", "https://hub.example.com/events/evt_1?a&b")

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  team: {type: slack, webhook_url: "${SLACK_WEBHOOK_URL}"}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: hub@example.com, to: team@example.com}
  crm: {type: http, url: "${CRM_WEBHOOK_URL}"}
  log: {type: console}
routes:
  - name: all
    events: "*"
    send:
      - {to: team, template: slack/message}
      - {to: mail, template: email/message}
      - {to: crm, template: text/message, content_type: text/plain}
      - {to: log, template: text/message}
"""

HOSTILE = (
    "<!channel> @everyone <https://evil.example|Sign in> *b* _i_ ~s~ `c`",
    "[x](https://evil.example) </td><script>alert(1)</script> & &amp; \" ' {{ 7 * 7 }} {% x %}",
    "evil.example www.evil.example https://evil.example mailto:a@evil.example ada@example.com",
    "\u202eevil\u0000\n\r\u2028name\u200d \ud800" + "x" * 4000,
    "=?utf-8?q?x=0ABcc:ada@example.com?=",
    "",
)
"""What a stranger may call himself, in every text of an event."""


def event(name: str, body: dict[str, Any]) -> Event:
    return Event(
        id="evt_1",
        source="clerk",
        message_id="msg_1",
        type=name,
        payload=json.dumps({**body, "timestamp": int(AT.timestamp() * 1000)}).encode(),
        received_at=AT,
    )


def events_of(name: str) -> Iterator[Event]:
    """The sample of a type, each of its variants, and what strangers make of it."""
    sample = catalog.sample(name)
    yield event(name, sample)
    for _, body in variants(name, sample, declared_fields(name)):
        yield event(name, body)
    for text in HOSTILE:
        yield event(name, {**sample, "data": map_strings(sample["data"], lambda _, text=text: text)})
        yield event(name, {**sample, "data": without_names(sample["data"], text)})


def without_names(data: Any, text: str) -> Any:
    """The data with that text in the place of what people write: names and addresses, and no codes."""
    if isinstance(data, dict):
        return {
            key: text
            if isinstance(value, str) and key.endswith(("name", "email_address", "identifier"))
            else without_names(value, text)
            for key, value in data.items()
        }
    return [without_names(item, text) for item in data] if isinstance(data, list) else data


def contexts() -> list[RenderContext]:
    """One for each summary that there is, with a link or without one."""
    seen: dict[Summary, RenderContext] = {}
    for name in (*catalog.event_types(), catalog.TEST, catalog.PROBLEM, "order.paid"):
        known = catalog.find_event_type(name) is not None
        for candidate in (
            events_of(name) if known else map(event, [name] * len(HOSTILE), map(plain_body, HOSTILE))
        ):
            context = RenderContext(event=candidate, route="all", timezone="Europe/Berlin")
            seen.setdefault(context.summary, context)
    return [replace(context, link=LINKS[number % 2]) for number, context in enumerate(seen.values())]


def plain_body(text: str) -> dict[str, Any]:
    return {"data": {"name": text, "headline": text, "lines": [{"label": text, "text": text}], "sum": 7}}


def of_slack(message: Message) -> Message:
    """Slack's built-in message as a template can have it: what stands beside the bar stands below."""
    bars = message.pop("attachments", [])
    return {
        **message,
        "blocks": [*message.get("blocks", []), *(block for bar in bars for block in bar["blocks"])],
    }


def of_email(message: Message) -> Message:
    """A mail without the white space at the end of its HTML, where templates have none."""
    return {**message, "html": re.sub(r"\s*</body></html>\s*$", "", message["html"])}


@pytest.fixture(scope="module")
def all_contexts() -> list[RenderContext]:
    return contexts()


@pytest.mark.parametrize(
    ("type_name", "kind", "by_itself", "as_template"),
    [
        ("slack", "slack", {}, of_slack),
        # What users write of a mail has its style sheets moved into the elements.
        ("email", "email", {"subject": "{{ summary.headline }}"}, of_email),
        ("console", "text", {}, dict),
    ],
)
def test_a_copy_renders_what_the_hub_does_by_itself(
    all_contexts: list[RenderContext],
    type_name: str,
    kind: str,
    by_itself: dict[str, Any],
    as_template: Callable[[Message], Message],
) -> None:
    composer = find_destination(type_name)
    assert composer is not None
    sandbox = Sandbox(copies(kind, "message"))
    built_in = Send(to="place", fields=by_itself)
    copied = Send(to="place", fields={"template": f"{kind}/message"})

    for context in all_contexts:
        expected = as_template(compose(built_in, context, composer, None, sandbox))
        assert as_template(compose(copied, context, composer, None, sandbox)) == expected


def test_a_copy_passes_the_check_for_every_event(tmp_path: Path) -> None:
    for kind in SUFFIXES:
        for name, text in copies(kind, "message").items():
            path = tmp_path / "templates" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    (tmp_path / "routes.yaml").write_text(ROUTES)

    _, problems = read_config(tmp_path / "routes.yaml", tmp_path / "templates", {})

    assert [str(problem) for problem in problems if problem.code is not Code.UNSET_VARIABLE] == []
