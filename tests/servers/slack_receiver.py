"""Slack on loopback: incoming webhooks and the Web API's messages, as strict as the real one.

Facts: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
https://docs.slack.dev/reference/methods/chat.postMessage and …/chat.update, and of attachments
https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.inbox import Inbox
from servers.program import PATIENCE_SECONDS

BLOCKS_LIMIT = 50
TEXT_LIMIT = 3000
HEADER_LIMIT = 150
FIELDS_LIMIT = 10
FIELD_LIMIT = 2000
ATTACHMENTS_LIMIT = 100
MESSAGE_LIMIT = 4000
"""What `chat.update` takes of a text; posts are cut at 40,000."""

EXPLANATIONS = {
    "invalid_blocks": {"errors": ["must be less than 76 characters [json-pointer:/blocks/0/text/text]"]}
}


@dataclass(frozen=True, kw_only=True)
class SlackMessage:
    """One message as it stands in its channel. `ts` is empty for an incoming webhook, which gets none.

    `is_broadcast` is set for a reply that shows in the channel, too: `in_channel` is what it has there.
    """

    channel: str
    text: str
    blocks: tuple[Mapping[str, Any], ...]
    attachments: tuple[Mapping[str, Any], ...] = ()
    body: Mapping[str, Any]
    ts: str = ""
    thread_ts: str = ""
    is_broadcast: bool = False
    edits: int = 0

    @property
    def in_channel(self) -> tuple[Mapping[str, Any], ...]:
        """What the channel shows of it: the copy of a broadcast reply has no attachments."""
        return self.blocks if self.is_broadcast else (*self.blocks, *self.attachments)


class SlackReceiver:
    """Slack's two ways to take a message, to be used in a `with`.

    `responses` are given instead of Slack's own, one for each request; after them it answers as Slack does.
    `webhook_url` and `api_url` go into routes.yaml. A bot with `token` is in `channel_names`.
    """

    def __init__(
        self,
        responses: Iterable[CannedResponse] = (),
        *,
        token: str = "xoxb-demo",
        channel_names: Iterable[str] = ("general", "sales"),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.inbox: Inbox[SlackMessage] = Inbox()
        self._token = token
        self._channels = {name: f"C{index:010d}" for index, name in enumerate(channel_names, 1)}
        self._locked: set[str] = set()
        self._clock = 1_700_000_000
        self._stamping = threading.Lock()
        self.http = HttpReceiver(responses, respond=self._respond, tls=tls)
        self.webhook_url = f"{self.http.url}/services/T00000000/B00000000/test"
        self.api_url = f"{self.http.url}/api/"

    def __enter__(self) -> SlackReceiver:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    @property
    def messages(self) -> list[SlackMessage]:
        return self.inbox.all()

    def replies(self, ts: str) -> list[SlackMessage]:
        """Return the messages of a thread, without its first."""
        return [message for message in self.messages if message.thread_ts == ts]

    def delete(self, ts: str) -> None:
        """Delete a message, as a person in the channel may."""
        old = self._find(ts)
        assert old is not None
        self.inbox.replace(old, replace(old, ts="", text="This message was deleted.", blocks=()))

    def lock(self, ts: str) -> None:
        """Let nobody reply to a message any more, nor edit it."""
        self._locked.add(ts)

    def wait_for(self, count: int, seconds: float = PATIENCE_SECONDS) -> list[SlackMessage]:
        """Return all messages, as soon as there are `count`; raise TimeoutError after `seconds`."""
        return self.inbox.wait_for(count, seconds)

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        if request.path.startswith("/services/"):
            return self._webhook(request)
        return self._api(request)

    # -- incoming webhooks: a status and a word ---------------------------------------------------

    def _webhook(self, request: ReceivedRequest) -> CannedResponse:
        body = _json_object(request.body)
        error = "invalid_payload" if body is None else error_of(body)
        if body is None or error:
            return CannedResponse(status=400, body=(error or "").encode())
        self.inbox.add(_message("webhook", body))
        return CannedResponse(body=b"ok", headers={"Content-Type": "text/html"})

    # -- the Web API: always 200, with `ok` -------------------------------------------------------

    def _api(self, request: ReceivedRequest) -> CannedResponse:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            has_token = "authorization" in request.headers
            return _api_response(error="invalid_auth" if has_token else "not_authed")
        body = _json_object(request.body)
        if body is None:
            body = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        method = request.path.rpartition("/")[2]
        if method == "auth.test":
            return _api_response(user="hub", team="Test")
        if method == "chat.postMessage":
            return self._post(body)
        if method == "chat.update":
            return self._update(body)
        return _api_response(error="unknown_method")

    def _post(self, body: Mapping[str, Any]) -> CannedResponse:
        channel = self._channel(str(body.get("channel", "")))
        error = "channel_not_found" if channel is None else error_of(body) or self._thread_error(body)
        if channel is None or error:
            return _api_response(error=error, **EXPLANATIONS.get(error, {}))
        parent, is_broadcast = str(body.get("thread_ts", "")), body.get("reply_broadcast") is True
        message = _message(channel, body)
        message = replace(message, ts=self._stamp(), thread_ts=parent, is_broadcast=is_broadcast)
        self.inbox.add(message)
        return _api_response(channel=channel, ts=message.ts)

    def _thread_error(self, body: Mapping[str, Any]) -> str:
        """Return the code for what is wrong with where a message is to stand."""
        parent = body.get("thread_ts")
        if parent is None:
            return ""
        if not isinstance(parent, str):
            return "invalid_arguments"
        old = self._find(parent)
        if old is None or old.thread_ts:
            return "cannot_reply_to_message"
        return "restricted_action_thread_locked" if parent in self._locked else ""

    def _update(self, body: Mapping[str, Any]) -> CannedResponse:
        channel, ts = body.get("channel"), body.get("ts")
        if not isinstance(channel, str) or not isinstance(ts, str):
            return _api_response(error="invalid_arguments")
        if channel not in self._channels.values():
            # Other than a post it takes no name.
            return _api_response(error="channel_not_found")
        old = self._find(ts)
        if old is None or old.channel != channel:
            return _api_response(error="message_not_found")
        # What is left out stays; but a text without blocks removes those.
        kept = {"attachments": old.attachments} | ({} if "text" in body else {"blocks": old.blocks})
        whole = {**kept, "text": old.text, **body}
        error = error_of(whole) or ("msg_too_long" if len(str(whole["text"])) > MESSAGE_LIMIT else "")
        if error or ts in self._locked:
            return _api_response(error=error or "edit_window_closed", **EXPLANATIONS.get(error, {}))
        changes = _message(channel, whole)
        message = replace(old, text=changes.text, blocks=changes.blocks, attachments=changes.attachments)
        self.inbox.replace(old, replace(message, body=body, edits=old.edits + 1))
        return _api_response(channel=channel, ts=ts, text=message.text)

    def _channel(self, name: str) -> str | None:
        if name in self._channels.values():
            return name
        return self._channels.get(name.removeprefix("#"))

    def _find(self, ts: str) -> SlackMessage | None:
        return next((message for message in self.messages if message.ts and message.ts == ts), None)

    def _stamp(self) -> str:
        with self._stamping:
            self._clock += 1
            return f"{self._clock}.000100"


def error_of(body: Mapping[str, Any]) -> str:
    """Return Slack's code for the mistake in a message, or an empty text."""
    blocks, attachments = body.get("blocks") or [], body.get("attachments") or []
    if not isinstance(blocks, list | tuple):
        return "invalid_blocks_format"
    if not isinstance(attachments, list | tuple) or not all(map(_attachment_is_valid, attachments)):
        return "invalid_attachments"
    if len(attachments) > ATTACHMENTS_LIMIT:
        return "too_many_attachments"
    if not blocks and not attachments and not str(body.get("text") or "").strip():
        return "no_text"
    if len(blocks) > BLOCKS_LIMIT or not all(_block_is_valid(block) for block in blocks):
        return "invalid_blocks"
    return ""


def _attachment_is_valid(attachment: Any) -> bool:
    if not isinstance(attachment, dict):
        return False
    blocks, color = attachment.get("blocks", []), attachment.get("color", "good")
    is_color = color in ("good", "warning", "danger") or re.fullmatch("#[0-9A-Fa-f]{6}", color)
    is_filled = blocks or attachment.get("text") or attachment.get("fallback")
    return bool(is_color and is_filled) and len(blocks) <= BLOCKS_LIMIT and all(map(_block_is_valid, blocks))


def _block_is_valid(block: Any) -> bool:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    if not all(_element_is_valid(element) for element in _elements_in(block)):
        return False
    fields = block.get("fields", [])
    if block["type"] == "section" and not fields and "text" not in block:
        return False
    if len(fields) > FIELDS_LIMIT:
        return False
    limit = HEADER_LIMIT if block["type"] == "header" else TEXT_LIMIT
    texts = [block["text"]] if "text" in block else []
    elements = block.get("elements", []) if block["type"] == "context" else []
    return (
        all(_text_is_valid(text, limit) for text in texts)
        and all(_text_is_valid(text, FIELD_LIMIT) for text in fields)
        and all(_text_is_valid(text, TEXT_LIMIT) for text in elements if text.get("type") != "image")
    )


def _elements_in(block: Mapping[str, Any]) -> Iterable[Any]:
    """The elements in a block, an image block among them; None for a list that must not be empty."""
    if block["type"] == "image":
        yield block
    if block["type"] in ("actions", "context"):
        yield from block.get("elements") or [None]
    if "accessory" in block:
        yield block["accessory"]


def _element_is_valid(element: Any) -> bool:
    if not isinstance(element, dict):
        return False
    if element.get("type") == "image":
        url = element.get("image_url", "")
        return (
            url.startswith("https://")
            and ".invalid/" not in url
            and 0 < len(element.get("alt_text", "")) <= 2000
        )
    if element.get("type") == "button":
        url, value = element.get("url", "https://"), element.get("value", "x")
        is_link = url.startswith("https://") and len(url) <= 3000
        return is_link and 0 < len(value) <= 2000 and _text_is_valid(element.get("text"), 75)
    if element.get("type") == "overflow":
        options = element.get("options") or []
        return 0 < len(options) <= 5 and all(
            _text_is_valid(option.get("text"), 75) and 0 < len(option.get("value", "")) <= 150
            for option in options
        )
    return True


def _text_is_valid(text: Any, limit: int) -> bool:
    return (
        isinstance(text, dict)
        and text.get("type") in ("mrkdwn", "plain_text")
        and isinstance(text.get("text"), str)
        and 0 < len(text["text"]) <= limit
        and not (text["type"] == "plain_text" and "verbatim" in text)
    )


def _message(channel: str, body: Mapping[str, Any]) -> SlackMessage:
    return SlackMessage(
        channel=channel,
        text=str(body.get("text") or ""),
        blocks=tuple(body.get("blocks") or ()),
        attachments=tuple(body.get("attachments") or ()),
        body=body,
    )


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _api_response(*, error: str = "", **values: Any) -> CannedResponse:
    document = {"ok": False, "error": error, **values} if error else {"ok": True, **values}
    return CannedResponse(body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})
