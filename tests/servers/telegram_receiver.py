"""Telegram's Bot API on loopback: sendMessage, as strict as its documents and its source say.

Facts: https://core.telegram.org/bots/api (sendMessage, Formatting options, ResponseParameters); the tags and
entities of its HTML, and what makes it fail: `parse_html` in td/telegram/MessageEntity.cpp of tdlib/td; what
is found in a text by itself: `find_entities` there. Descriptions of errors: vrumger/telegram-errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.inbox import Inbox

TAGS = {
    *("a", "b", "strong", "i", "em", "s", "strike", "del", "u", "ins", "tg-spoiler", "tg-emoji", "span"),
    *("pre", "code", "blockquote"),
}
ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}

_TAG = re.compile(r"<(/?)([^\s>]*)([^>]*)(>?)")
_ATTRIBUTE = re.compile(r"""\s*([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([\w.-]+)(?=\s|$))""")
_ENTITY = re.compile(r"&(?:#(\d{1,7})|#x([0-9A-Fa-f]{1,6})|([A-Za-z]+));?")
_FOUND = (
    ("mention", re.compile(r"(?<![\w@])@[A-Za-z0-9_]{3,32}(?!\w)")),
    ("hashtag", re.compile(r"(?<![\w#@])#\w*[^\W\d]\w*")),
    ("bot_command", re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/])")),
    ("url", re.compile(r"(?<![\w@])(?:https?://|tg://|www\.)[^\s<>\"]+|(?<![\w@.])t\.me/\w+")),
    ("email", re.compile(r"[\w.+-]+@[\w-]+\.[A-Za-z]{2,}")),
)


@dataclass(frozen=True, kw_only=True)
class TelegramMessage:
    """A message in its chat. Each of `entities` can be followed or notifies: (kind, words, URL)."""

    chat_id: int | str
    text: str
    entities: tuple[tuple[str, str, str], ...]
    body: Mapping[str, Any]


class ParseError(ValueError):
    """The reason for which Telegram can't parse entities."""


class TelegramReceiver:
    """A bot that is in `chats`, to be used in a `with`; `moved` are groups that became supergroups."""

    def __init__(
        self,
        responses: Iterable[CannedResponse] = (),
        *,
        chats: Iterable[int | str] = (-42,),
        moved: Mapping[int, int] | None = None,
        topics: Iterable[int] = (7,),
    ) -> None:
        self.inbox: Inbox[TelegramMessage] = Inbox()
        self._chats = {*chats}
        self._moved = dict(moved or {})
        self._topics = {*topics}
        self.http = HttpReceiver(responses, respond=self._respond)
        self.api_url = self.http.url
        self.token = "123456:token-of-ours"

    def __enter__(self) -> TelegramReceiver:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    @property
    def messages(self) -> list[TelegramMessage]:
        return self.inbox.all()

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        if not re.fullmatch(r"/bot\d+:[\w-]+/\w+", request.path):
            return _refused(404, "Not Found")
        if request.path != f"/bot{self.token}/sendMessage":
            return _refused(401, "Unauthorized")
        body = json.loads(request.body)
        chat_id = body.get("chat_id")
        if chat_id in self._moved:
            return _refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self._moved[chat_id],
            )
        error = self._error(body, chat_id)
        if error:
            return _refused(400, f"Bad Request: {error}")
        text, entities = read(body)
        self.inbox.add(TelegramMessage(chat_id=chat_id, text=text, entities=tuple(entities), body=body))
        result = {"message_id": len(self.messages), "chat": {"id": chat_id}}
        return CannedResponse(body=json.dumps({"ok": True, "result": result}).encode())

    def _error(self, body: Mapping[str, Any], chat_id: Any) -> str:
        if chat_id in (None, ""):
            return "chat_id is empty"
        if chat_id not in self._chats:
            return "chat not found"
        if body.get("message_thread_id", 7) not in self._topics:
            return "message thread not found"
        return error_of(body)


def error_of(body: Mapping[str, Any]) -> str:
    """Return Telegram's words for the mistake in a message, or nothing."""
    if not isinstance(body.get("text"), str) or not body["text"]:
        return "message text is empty"
    if body.get("parse_mode", "HTML") != "HTML":
        return "unsupported parse_mode"
    try:
        text, _ = read(body)
    except ParseError as error:
        return f"can't parse entities: {error}"
    if not text.strip():
        return "text must be non-empty"
    return "message is too long" if len(text) > 4096 else ""


def read(body: Mapping[str, Any]) -> tuple[str, list[tuple[str, str, str]]]:
    """Return the text of a message, and all that a reader can follow or that notifies somebody."""
    if "parse_mode" not in body:
        text, made, quiet = body["text"], [], []
    else:
        text, made, quiet = parse_html(body["text"])
    spoken = text
    for start, end in quiet:
        spoken = spoken[:start] + " " * (end - start) + spoken[end:]
    return text, [*made, *found(spoken)]


def found(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield what Telegram finds in a text by itself."""
    for kind, pattern in _FOUND:
        for match in pattern.finditer(text):
            yield kind, match[0], match[0] if kind == "url" else ""


def parse_html(source: str) -> tuple[str, list[tuple[str, str, str]], list[tuple[int, int]]]:
    """Return the text of HTML, its links, and the stretches in which nothing is found by itself."""
    text, links, quiet = "", [], []
    stack: list[tuple[str, str, int]] = []
    position = 0
    while position < len(source):
        char = source[position]
        entity = _ENTITY.match(source, position) if char == "&" else None
        decoded = _decoded(entity) if entity else ""
        if entity and decoded:
            text, position = text + decoded, entity.end()
        elif char != "<":
            text, position = text + char, position + 1
        else:
            tag = _TAG.match(source, position)
            assert tag is not None
            if not tag[4]:
                raise ParseError(f"Unclosed start tag at byte offset {position}")
            position = tag.end()
            if not tag[1]:
                stack.append((*_start(tag[2].lower(), tag[3]), len(text)))
                continue
            if not stack:
                raise ParseError("Unexpected end tag")
            name, argument, start = stack.pop()
            if tag[2].lower() not in ("", name):
                raise ParseError(f'Unmatched end tag, expected "</{name}>", found "</{tag[2]}>"')
            if name == "a":
                links.append(("text_link", text[start:], argument or text[start:]))
            if name in ("a", "code", "pre"):
                quiet.append((start, len(text)))
    if stack:
        raise ParseError(f"Can't find end tag corresponding to start tag {stack[-1][0]}")
    return text, links, quiet


def _start(name: str, rest: str) -> tuple[str, str]:
    if name not in TAGS:
        raise ParseError(f'Unsupported start tag "{name}"')
    values: dict[str, str] = {}
    position = 0
    while rest[position:].strip():
        attribute = _ATTRIBUTE.match(rest, position)
        if attribute is None:
            raise ParseError(f'Expected equal sign in declaration of an attribute of the tag "{name}"')
        values[attribute[1]] = next(filter(None, attribute.groups()[1:]), "")
        position = attribute.end()
    if name == "span" and values.get("class") != "tg-spoiler":
        raise ParseError('Tag "span" must have class "tg-spoiler"')
    return name, _ENTITY.sub(lambda entity: _decoded(entity) or entity[0], values.get("href", ""))


def _decoded(entity: re.Match[str]) -> str:
    if entity[3]:
        return ENTITIES.get(entity[3], "")
    code = int(entity[1]) if entity[1] else int(entity[2], 16)
    return chr(code) if 0 < code < 0x10FFFF else ""


def _refused(status: int, description: str, **parameters: Any) -> CannedResponse:
    document: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if parameters:
        document["parameters"] = parameters
    return CannedResponse(status=status, body=json.dumps(document).encode())
