"""Google Chat's webhooks on loopback, as strict as its documents say the real ones are.

Facts: https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create (size, the
requestId, messageReplyOption, the answer to a webhook), …/rest/v1/cards and the Chat API's discovery document
(fields, and which are required), …/chat/format-messages (mentions and links in `text`); errors:
https://google.aip.dev/193.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.inbox import Inbox

TEXT, ANY = "a text", "anything"
BUTTON: Mapping[str, Any] = {
    "text": TEXT,
    "altText": TEXT,
    "icon": ANY,
    "color": ANY,
    "disabled": ANY,
    "type": TEXT,
    "onClick!": {"openLink": {"url!": TEXT, "openAs": TEXT, "onClose": TEXT}, "action": ANY},
}
PARAGRAPH = {"text!": TEXT, "maxLines": ANY, "textSyntax": TEXT}
WIDGETS: Mapping[str, Any] = {
    "textParagraph": PARAGRAPH,
    "decoratedText": {
        **dict.fromkeys(("topLabel", "bottomLabel"), TEXT),
        **dict.fromkeys(("icon", "startIcon", "endIcon", "switchControl", "wrapText", "onClick"), ANY),
        **dict.fromkeys(("topLabelText", "bottomLabelText", "contentText"), PARAGRAPH),
        "text!": TEXT,
        "button": BUTTON,
    },
    "image": {"imageUrl!": TEXT, "altText": TEXT, "onClick": ANY},
    "buttonList": {"buttons!": [BUTTON]},
    "divider": {},
    **dict.fromkeys(("grid", "carousel", "chipList", "selectionInput", "textInput", "dateTimePicker"), ANY),
}
WIDGET: dict[str, Any] = {**WIDGETS, "horizontalAlignment": TEXT, "id": TEXT, "visibility": TEXT}
WIDGET["columns"] = {"columnItems!": [{"widgets!": [dict(WIDGET)], "horizontalSizeStyle": TEXT}]}
MESSAGE: Mapping[str, Any] = {
    **dict.fromkeys(("text", "fallbackText", "markupSyntax"), TEXT),
    "thread": {"name": TEXT, "threadKey": TEXT},
    "cardsV2": [
        {
            "cardId": TEXT,
            "card": {
                "header": {
                    "title!": TEXT,
                    **dict.fromkeys(("subtitle", "imageUrl", "imageType", "imageAltText"), TEXT),
                },
                "sections": [
                    {
                        "header": TEXT,
                        "widgets!": [WIDGET],
                        **dict.fromkeys(("collapsible", "uncollapsibleWidgetsCount", "collapseControl"), ANY),
                    }
                ],
                **dict.fromkeys(("fixedFooter", "cardActions", "name", "sectionDividerStyle"), ANY),
            },
        }
    ],
}
"""The fields of a message; those with a `!` are required where what they stand in is there."""

_LINK = re.compile(r"<(\w+://[^\s<>|]+)(?:\|([^<>]*))?>|(?<![<\w])(https?://[^\s<>]+)")
_HREF = re.compile(r"""<a\s[^>]*href=["']([^"']*)["'][^>]*>(.*?)</a>""", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class ChatMessage:
    """A message in its space: its thread, who was notified, and its links as (words, URL)."""

    name: str
    thread: str
    body: Mapping[str, Any]
    pings: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


class GoogleChatReceiver:
    """A space with one webhook, to be used in a `with`; `responses` are given instead of Google's own."""

    def __init__(self, responses: Iterable[CannedResponse] = ()) -> None:
        self.inbox: Inbox[ChatMessage] = Inbox()
        self._by_request: dict[str, ChatMessage] = {}
        self._threads: dict[str, str] = {}
        self.http = HttpReceiver(responses, respond=self._respond)
        self.webhook_url = f"{self.http.url}/v1/spaces/AAAA/messages?key=key-of-google&token=token-of-ours%3D"

    def __enter__(self) -> GoogleChatReceiver:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    @property
    def messages(self) -> list[ChatMessage]:
        return self.inbox.all()

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        url = urlsplit(request.path)
        query = dict(parse_qsl(url.query))
        if query.get("key") != "key-of-google":
            return _error(400, "INVALID_ARGUMENT", "API key not valid.", reason="API_KEY_INVALID")
        if url.path != "/v1/spaces/AAAA/messages":
            return _error(404, "NOT_FOUND", "Space not found.")
        if query.get("token") != "token-of-ours=":
            return _error(403, "PERMISSION_DENIED", "The caller does not have permission")
        problem = problem_of(request.body)
        if problem:
            return _error(400, "INVALID_ARGUMENT", problem)
        known = self._by_request.get(query.get("requestId", ""))
        message = known or self._kept(json.loads(request.body), query)
        answer = {"name": message.name, "thread": {"name": message.thread}}
        return CannedResponse(body=json.dumps(answer).encode())

    def _kept(self, body: Mapping[str, Any], query: Mapping[str, str]) -> ChatMessage:
        number = len(self.messages) + 1
        thread = f"spaces/AAAA/threads/{number}"
        # "Starts a new thread. Using this option ignores any thread ID or threadKey that's included."
        if query.get("messageReplyOption") and body.get("thread"):
            thread = self._threads.setdefault(body["thread"]["threadKey"], thread)
        message = ChatMessage(
            name=f"spaces/AAAA/messages/{number}",
            thread=thread,
            body=body,
            pings=pings(body),
            links=tuple(links(body)),
        )
        self._by_request[query.get("requestId", message.name)] = message
        self.inbox.add(message)
        return message


def problem_of(source: bytes) -> str:
    """Return Google's words for the mistake in a message, or nothing."""
    try:
        body = json.loads(source)
    except ValueError:
        return "Invalid JSON payload received."
    problem = next(_problems(body, MESSAGE, "message"), "")
    if problem:
        return problem
    cards = body.get("cardsV2", [])
    if not body.get("text", "").strip() and not cards:
        return "Message cannot be empty."
    if len(cards) > 1 and not all(card.get("cardId") for card in cards):
        return "cardId is required"
    if len(source) > 32_000:
        return "Message is too long."
    return "Thread key is too long." if len(body.get("thread", {}).get("threadKey", "")) > 4000 else ""


def _problems(value: Any, schema: Any, path: str) -> Iterator[str]:
    if schema == ANY:
        return
    if schema == TEXT:
        if not isinstance(value, str):
            yield f"Invalid value at '{path}' (TYPE_STRING)"
        return
    if isinstance(schema, list):
        if not isinstance(value, list) or not value:
            yield f"Invalid value at '{path}'"
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _problems(item, schema[0], f"{path}[{index}]")
        return
    if not isinstance(value, dict):
        yield f"Invalid value at '{path}'"
        return
    fields = {key.rstrip("!"): below for key, below in schema.items()}
    yield from (
        f"Unknown name \"{key}\" at '{path}': Cannot find field." for key in value if key not in fields
    )
    yield from (
        f"{path}.{key[:-1]} is required" for key in schema if key[-1] == "!" and not value.get(key[:-1])
    )
    if schema is WIDGET and len([key for key in value if key in WIDGETS or key == "columns"]) != 1:
        yield f"{path}: a widget has one kind of data"
    for key, below in fields.items():
        if key in value:
            yield from _problems(value[key], below, f"{path}.{key}")


def pings(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the mentions in the text that notify somebody."""
    return tuple(re.findall(r"<users/[^<>\s]+>", body.get("text", "")))


def links(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the links of a message as (words, URL)."""
    for url, words, bare in _LINK.findall(body.get("text", "")):
        yield (words or url, url) if url else (bare, bare)
    for text in _strings(body.get("cardsV2", [])):
        yield from ((words, url) for url, words in _HREF.findall(text))
    yield from _buttons(body.get("cardsV2", []))


def _buttons(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if "openLink" in value.get("onClick", {}):
            yield value.get("text", ""), value["onClick"]["openLink"]["url"]
        for item in value.values():
            yield from _buttons(item)
    elif isinstance(value, list):
        for item in value:
            yield from _buttons(item)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(item)


def _error(status: int, word: str, message: str, reason: str = "") -> CannedResponse:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    error = {"code": status, "message": message, "status": word, "details": details}
    return CannedResponse(status=status, body=json.dumps({"error": error}).encode())
