"""Discord's webhooks on loopback, as strict as its documents say the real ones are.

Facts: https://docs.discord.com/developers/resources/webhook (Execute Webhook), …/resources/message (limits of
embeds, allowed mentions), …/topics/opcodes-and-status-codes. Characters are code points, by the word of
Discord's staff in discord/discord-api-docs#1315.
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

CODES = {
    10003: (404, "Unknown Channel"),
    10015: (404, "Unknown Webhook"),
    50006: (400, "Cannot send an empty message"),
    50027: (401, "Invalid Webhook Token"),
    50035: (400, "Invalid Form Body"),
    50109: (400, "The request body contains invalid JSON."),
    220001: (400, "Webhooks posted to forum channels must have a thread_name or thread_id"),
}
TEXTS = {
    "title": 256,
    "description": 4096,
    "fields.name": 256,
    "fields.value": 1024,
    "footer.text": 2048,
    "author.name": 256,
}
URLS = ("url", "image.url", "thumbnail.url", "author.url", "author.icon_url", "footer.icon_url")

_ESCAPED = re.compile(r"\\([^0-9A-Za-z\s])")
_MENTION = re.compile(r"@everyone|@here|<@[!&]?\d+>")
_LINK = re.compile(r"\[([^\[\]]+)\]\(<?(\w+://[^\s<>)]+)>?\)|<?(?<![\w(])(https?://[^\s<>]+)")


@dataclass(frozen=True, kw_only=True)
class DiscordMessage:
    """A message as it stands in its channel: who was notified by it, and the links in it as (words, URL)."""

    body: Mapping[str, Any]
    thread_id: str = ""
    pings: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


class DiscordReceiver:
    """A channel's webhook, to be used in a `with`; `responses` are given instead of Discord's own.

    A `forum` takes messages into the threads with the ids `threads` alone.
    """

    def __init__(
        self,
        responses: Iterable[CannedResponse] = (),
        *,
        threads: Iterable[str] = ("77",),
        forum: bool = False,
    ) -> None:
        self.inbox: Inbox[DiscordMessage] = Inbox()
        self._threads = tuple(threads)
        self._forum = forum
        self.http = HttpReceiver(responses, respond=self._respond)
        self.webhook_url = f"{self.http.url}/api/webhooks/123/token-of-ours"

    def __enter__(self) -> DiscordReceiver:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    @property
    def messages(self) -> list[DiscordMessage]:
        return self.inbox.all()

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        url = urlsplit(request.path)
        query = dict(parse_qsl(url.query))
        body = _json_object(request.body)
        code = self._code(url.path, query, body)
        if code and query.get("wait") == "true":
            status, message = CODES[code]
            return _answer(status, {"message": message, "code": code})
        if code in (10015, 50027):
            return _answer(CODES[code][0], {"message": CODES[code][1], "code": code})
        if code:
            # Without `wait` "a message that is not saved does not return an error".
            return CannedResponse(status=204)
        assert body is not None
        message = DiscordMessage(
            body=body, thread_id=query.get("thread_id", ""), pings=pings(body), links=tuple(links(body))
        )
        self.inbox.add(message)
        return (
            _answer(200, {"id": str(len(self.messages))}) if query.get("wait") else CannedResponse(status=204)
        )

    def _code(self, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None) -> int:
        webhook, _, token = path.removeprefix("/api/webhooks/").partition("/")
        if webhook != "123":
            return 10015
        if token != "token-of-ours":
            return 50027
        if body is None:
            return 50109
        if self._forum and "thread_id" not in query:
            return 220001
        if query.get("thread_id", self._threads[0]) not in self._threads:
            return 10003
        return code_of(body)


def code_of(body: Mapping[str, Any]) -> int:
    """Return Discord's code for the mistake in a message, 0 where there is none."""
    content, embeds = body.get("content") or "", body.get("embeds") or []
    if (
        not isinstance(content, str)
        or len(content) > 2000
        or not isinstance(embeds, list)
        or len(embeds) > 10
    ):
        return 50035
    name = body.get("username", "Hub")
    if not 1 <= len(name.strip()) <= 80 or re.search("discord|clyde", name, re.IGNORECASE):
        return 50035
    if not all(isinstance(embed, dict) and _embed_is_valid(embed) for embed in embeds):
        return 50035
    if sum(len(text.strip()) for embed in embeds for _, text in _texts(embed)) > 6000:
        return 50035
    return 0 if content.strip() or any(map(_is_seen, embeds)) else 50006


def _embed_is_valid(embed: Mapping[str, Any]) -> bool:
    fields = embed.get("fields", [])
    texts = list(_texts(embed))
    return (
        len(fields) <= 25
        and all(
            {"name", "value"} <= field.keys() and isinstance(field.get("inline", True), bool)
            for field in fields
        )
        and all(field["name"].strip() and field["value"].strip() for field in fields)
        and all(isinstance(text, str) and len(text.strip()) <= TEXTS[key] for key, text in texts)
        and all(re.match("https?://", url) and len(url) <= 2048 for url in _urls(embed))
        and isinstance(embed.get("color", 0), int)
        and 0 <= embed.get("color", 0) <= 0xFFFFFF
        and all("text" in embed[key] for key in ("footer",) if key in embed)
        and all("name" in embed[key] for key in ("author",) if key in embed)
    )


def _is_seen(embed: Mapping[str, Any]) -> bool:
    return any(text.strip() for _, text in _texts(embed)) or any(
        key in embed for key in ("image", "thumbnail")
    )


def _texts(embed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in TEXTS:
        part, _, below = key.rpartition(".")
        holders = [embed] if not part else embed.get(part, [])
        for holder in holders if isinstance(holders, list) else [holders]:
            if below in holder:
                yield key, holder[below]


def _urls(embed: Mapping[str, Any]) -> Iterator[str]:
    for key in URLS:
        part, _, below = key.rpartition(".")
        holder = embed.get(part, {}) if part else embed
        if below in holder:
            yield holder[below]


def pings(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the mentions in the content that notify somebody, all where `allowed_mentions` does not say."""
    if body.get("allowed_mentions") == {"parse": []}:
        return ()
    return tuple(_MENTION.findall(_unescaped(body.get("content") or "")))


def links(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the links that a reader can follow: masked ones, bare ones, and those of titles and authors."""
    texts = [body.get("content") or ""]
    for embed in body.get("embeds") or ():
        texts += [text for key, text in _texts(embed) if key not in ("footer.text", "author.name")]
        for holder, words in ((embed, "title"), (embed.get("author", {}), "name")):
            if "url" in holder:
                yield holder.get(words, ""), holder["url"]
    for text in texts:
        for label, masked, bare in _LINK.findall(_unescaped(text)):
            yield (label, masked) if masked else (bare, bare)


def _unescaped(text: str) -> str:
    """Return a text in which what a backslash took its meaning from is none of Markdown's signs any more."""
    return _ESCAPED.sub(lambda sign: chr(0xE000 + ord(sign[1])), text)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _answer(status: int, document: Mapping[str, Any]) -> CannedResponse:
    return CannedResponse(
        status=status, body=json.dumps(document).encode(), headers={"Content-Type": "application/json"}
    )
