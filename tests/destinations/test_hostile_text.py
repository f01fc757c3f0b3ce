"""Text that strangers wrote, in every built-in message and every shipped template, at every place.

Each place has a reader here, written from its own documents: it pings, links and formats as the place does.
What it finds must be the hub's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import catalog
from hub.destinations.base import destination_types, find_destination
from hub.ingest.route import Rules, load_rules
from hub.model.event import Event
from hub.preview.dry_run import dry_run
from hub.rules.load import load_config
from hub.strings import one_line

CHECKOUT = Path(__file__).parents[2]
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HUB = "https://hub.example.com"
LINK = f"{HUB}/events/evt_1"
EVIL = "https://evil.example"

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Controls, line breaks, and the marks that turn the direction of writing."""

FRAGMENTS = (
    "<!channel>",
    "<!here|all>",
    "@everyone",
    "@here",
    "<@U024BE7LH>",
    "<users/all>",
    "<at>everyone</at>",
    f"<{EVIL}|Sign in>",
    f"[Sign in]({EVIL})",
    f"![x]({EVIL}/x.png)",
    f'<a href="{EVIL}">Sign in</a>',
    "</td></table><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "=?utf-8?q?x=0ABcc:evil@evil.example?=",
    "\r\nBcc: evil@evil.example\r\n\r\n",
    "&To=%2B1900",
    '", "text": "',
    "{{ data }}{% raw %}",
    "${CLERK_WEBHOOK_SIGNING_SECRET}",
    "*bold* _it_ ~no~ `code` ```",
    "> quote\n# head\n1. one\n- two",
    "\u202emoc.live\u2066",
    "\x00\x1b[31m\x7f",
    "\ud800",
    "\\",
    "\\[x](y)",
    "&lt;b&gt;&amp;",
    "/start #tag",
    "Ada",
)

hostile = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=12), min_size=1, max_size=6).map("".join)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)


class Tags(HTMLParser):
    """All tags of a text that is HTML, with their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


# -- readers ------------------------------------------------------------------------------------------


def slack(message: Mapping[str, Any]) -> Iterator[str]:
    """https://docs.slack.dev/messaging/formatting-message-text: `<…>` pings or links, nothing else does."""
    for text in strings({key: value for key, value in message.items() if key != "thread"}):
        for token in re.findall(r"<([^>]*)>?", text):
            own = token.startswith((f"{LINK}|", "!date^", "mailto:")) or token == LINK
            if not own or EVIL in token:
                yield f"<{token}>"


def discord(message: Mapping[str, Any]) -> Iterator[str]:
    """https://docs.discord.com/developers/resources/message#allowed-mentions-object, and its Markdown."""
    if message.get("allowed_mentions") != {"parse": []}:
        yield "mentions are allowed"
    for text in strings({key: value for key, value in message.items() if key != "avatar_url"}):
        yield from re.findall(r"@(?:everyone|here)\b", text)
        for link in re.findall(r"(?<!\\)\[(?:\\.|[^\[\]\\])*\]\(([^)]*)\)", text):
            if link.strip("<>") != LINK:
                yield link


def telegram(message: Mapping[str, Any]) -> Iterator[str]:
    """https://core.telegram.org/bots/api#html-style; `@name`, `/command` and `#tag` are read in any text."""
    read = Tags(message["text"])
    for tag, attributes in read.tags:
        if tag not in ("b", "i", "s", "u", "code", "pre", "a", "blockquote") or "onerror" in attributes:
            yield tag
        if tag == "a" and attributes.get("href") != LINK:
            yield str(attributes)
    yield from re.findall(r"[@#/](?=[A-Za-z])\w+", read.text)


def google_chat(message: Mapping[str, Any]) -> Iterator[str]:
    """https://developers.google.com/workspace/chat/format-messages: `<…>` in a text pings or links."""
    yield from re.findall(r"<[^>]*>?", str(message.get("text", "")))
    for text in strings(message.get("cardsV2", [])):
        for tag, attributes in Tags(text).tags:
            if tag not in ("b", "i", "font", "br", "a", "time") or attributes.get("href", LINK) != LINK:
                yield f"{tag} {attributes}"


def teams(message: Mapping[str, Any]) -> Iterator[str]:
    """https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features has its Markdown."""
    for text in strings(message):
        for link in re.findall(r"(?<!\\)\[(?:\\.|[^\[\]\\])*\]\(([^)]*)\)", text):
            if link != LINK:
                yield link
    if "entities" in json.dumps(message):
        yield "a mention"


def email(message: Mapping[str, Any]) -> Iterator[str]:
    """A mail program: headers of one line each, and HTML that is looked at without care."""
    for key in ("subject", "from", "reply_to"):
        yield from UNSEEN.findall(str(message.get(key) or ""))
    for tag, attributes in Tags(message.get("html") or "").tags:
        if tag in ("script", "img", "iframe", "form", "object", "base", "svg", "link"):
            yield tag
        if any(name.startswith("on") for name in attributes):
            yield str(attributes)
        if EVIL in str(attributes.get("href", "")) and not str(attributes["href"]).startswith("mailto:"):
            yield str(attributes)


def console(message: Mapping[str, Any]) -> Iterator[str]:
    """A log: one line, and nothing that acts on a terminal."""
    yield from UNSEEN.findall(message["text"])
    yield from re.findall(r"\n", message["text"])


def http(message: Mapping[str, Any]) -> Iterator[str]:
    """A JSON parser."""
    if message.get("content_type") == "application/json" and "body" in message:
        json.loads(message["body"])
    yield from ()


def plain(message: Mapping[str, Any]) -> Iterator[str]:
    """A place where no character means anything: what is not seen is not sent."""
    for text in strings(message):
        yield from UNSEEN.findall(text.replace("\n", " "))


READERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "console": console,
    "discord": discord,
    "email": email,
    "google_chat": google_chat,
    "http": http,
    "slack": slack,
    "teams": teams,
    "telegram": telegram,
}
"""A type that has none is read as plain text."""


def harm(type_name: str, message: Mapping[str, Any]) -> list[str]:
    """Return what a message does at its place that is not the hub's own doing."""
    json.dumps(message).encode()
    shown = {key: value for key, value in message.items() if key != "${}"}
    return list(READERS.get(type_name, plain)(shown))


# -- events -------------------------------------------------------------------------------------------


@cache
def enums(event_type: str) -> frozenset[str]:
    known = catalog.find_event_type(event_type)
    assert known
    return frozenset(field.path for field in catalog.fields_of(known) if field.enum)


def written_over(value: Any, text: str, fixed: frozenset[str], path: str) -> Any:
    """The value with the text in each string in it that is not one of a few."""
    if isinstance(value, dict):
        return {key: written_over(item, text, fixed, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [written_over(item, text, fixed, f"{path}[]") for item in value]
    return text if isinstance(value, str) and path not in fixed else value


def event(event_type: str, text: str) -> Event:
    body = catalog.sample(event_type)
    body["data"] = written_over(body["data"], text, enums(event_type), "data")
    body["event_attributes"] = {"http_request": {"client_ip": text, "user_agent": text}}
    return Event(
        id="evt_1",
        source="clerk",
        message_id="msg_1",
        type=event_type,
        payload=json.dumps(body).encode(),
        received_at=AT,
    )


@pytest.fixture(scope="module")
def shipped() -> Rules:
    environment = {
        "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/x",
        "SMTP_URL": "smtp://127.0.0.1:2525",
        "EMAIL_FROM": "Hub <hub@example.com>",
        "EMAIL_TO": "team@example.com",
        "CRM_WEBHOOK_URL": "https://crm.example.com/hooks",
    }
    return load_rules(load_config(CHECKOUT / "config/routes.yaml", CHECKOUT / "templates", environment))


@given(event_type=st.sampled_from(catalog.event_types()), text=hostile)
def test_no_built_in_message_does_what_a_stranger_wants(event_type: str, text: str) -> None:
    summary = catalog.summarise(event(event_type, text))
    for type_name in destination_types():
        destination = find_destination(type_name)
        assert destination
        message = destination.compose_builtin(None, summary, one_line(f"template failed: {text}"), LINK)

        assert (type_name, harm(type_name, message)) == (type_name, [])


@given(event_type=st.sampled_from(catalog.event_types()), text=hostile)
def test_no_shipped_template_does_what_a_stranger_wants(shipped: Rules, event_type: str, text: str) -> None:
    run = dry_run(event(event_type, text), shipped, HUB)
    for rendering in run.renderings:
        type_name = rendering.destination.type
        message = json.loads(json.dumps(rendering.message or {}).replace(run.event.id, "evt_1"))

        assert (type_name, harm(type_name, message) if message else []) == (type_name, [])


def test_four_thousand_characters_are_cut_everywhere() -> None:
    for event_type in catalog.event_types():
        summary = catalog.summarise(event(event_type, "Ada <b> [x](y) @a & " * 200))
        for type_name in destination_types():
            destination = find_destination(type_name)
            assert destination
            message = destination.compose_builtin(None, summary, "x" * 4000, LINK)

            assert (type_name, harm(type_name, message)) == (type_name, [])
            assert len(json.dumps(message)) < 20_000


@pytest.mark.parametrize(
    ("type_name", "message"),
    [
        ("slack", {"text": "<!channel>"}),
        ("slack", {"text": f"<{EVIL}|Open in the hub>"}),
        ("discord", {"content": "hi", "allowed_mentions": {"parse": ["everyone"]}}),
        ("discord", {"content": f"[x]({EVIL})", "allowed_mentions": {"parse": []}}),
        ("discord", {"content": "@everyone", "allowed_mentions": {"parse": []}}),
        ("telegram", {"text": f'<a href="{EVIL}">x</a>'}),
        ("telegram", {"text": "hello @durov"}),
        ("google_chat", {"text": "<users/all>"}),
        ("teams", {"card": {"body": [{"text": f"[x]({EVIL})"}]}}),
        ("email", {"subject": "a\nBcc: b"}),
        ("email", {"subject": "a", "html": "<img src=x>"}),
        ("console", {"text": "a\nb"}),
        ("ntfy", {"message": "\u202e"}),
    ],
)
def test_each_reader_sees_harm(type_name: str, message: dict[str, Any]) -> None:
    assert harm(type_name, message) != []
