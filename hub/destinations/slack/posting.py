"""A bot's message to its channel: posted, or as its thread asks for below its first message or in its place.

From https://docs.slack.dev/reference/methods/chat.postMessage and …/chat.update. A message that is rewritten
notifies nobody; a reply notifies who follows the thread, and a broadcast one shows in the channel, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError

from hub.destinations.slack.client import Bot
from hub.destinations.slack.errors import THREAD_ERRORS, refusal_error, word_in
from hub.errors import SendError, Unknown
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.thread import THREAD_MODE, Thread

CONTENT = ("text", "blocks", "attachments", "unfurl_links", "unfurl_media")
"""The keys of a message that are Slack's own."""

BROADCAST, REPLY, UPDATE = "broadcast", "reply", "update"

POST, REWRITE = "chat.postMessage", "chat.update"


class _ThreadGone(Exception):
    """Slack's word that nothing can be done with the first message of a thread."""


@dataclass(frozen=True, kw_only=True)
class Posting:
    """One attempt to send a message to a channel as a bot."""

    client: Bot
    channel: str
    message: Message
    context: SendContext

    def send(self) -> Receipt:
        """Post the message, or do with it what its thread asks for; raises SendError."""
        thread = self.context.thread
        if thread is None:
            self._post()
            return self._receipt("Slack answered ok")
        if self.context.accepted:
            return self._receipt("Slack has it since an attempt before this one")
        if thread.is_first:
            return self._begin("posted as the first of its thread")
        try:
            return self._go_on(thread)
        except _ThreadGone as gone:
            return self._begin(f"its thread is gone ({gone}), posted as the first of a new one", is_anew=True)

    def _begin(self, detail: str, *, is_anew: bool = False) -> Receipt:
        try:
            answer = self._post()
        except SendError as error:
            error.thread = {} if is_anew else None
            raise
        first = {key: answer[key] for key in ("channel", "ts") if isinstance(answer.get(key), str)}
        # Without both nobody can answer to it: the next message is the first.
        return self._receipt(detail, first if len(first) == 2 else None, str(answer.get("ts", "")))

    def _go_on(self, thread: Thread) -> Receipt:
        first, modes, details = thread.kept, modes_of(self.message), []
        rewritten = None
        if UPDATE in modes and thread.is_overtaken:
            details.append("left the first of its thread alone, which shows a newer event")
        elif UPDATE in modes:
            self._rewrite(first)
            rewritten = first
            details.append("rewrote the first of its thread")
        ts = ""
        for mode in (mode for mode in modes if mode != UPDATE):
            try:
                answer = self._post(thread_ts=first["ts"], reply_broadcast=mode == BROADCAST)
            except SendError as error:
                error.thread = rewritten
                raise
            ts = str(answer.get("ts", ""))
            details.append(
                "replied in its thread and in the channel" if mode == BROADCAST else "replied in its thread"
            )
        return self._receipt("; ".join(details), rewritten, ts)

    def _post(self, **where: Any) -> Mapping[str, Any]:
        content = broadcast_form(self.message) if where.get("reply_broadcast") else self.message
        body = {key: content[key] for key in CONTENT if key in content}
        return self._call(POST, {**body, **_sender(self.message), "channel": self.channel, **where})

    def _rewrite(self, first: Mapping[str, Any]) -> None:
        """Rewrite the first message. What is left out stays there, and `parse` is another by default."""
        content = {"text": self.message["text"], "parse": "none"}
        forms = {key: self.message.get(key, []) for key in ("blocks", "attachments")}
        self._call(REWRITE, {**content, **forms, "channel": first["channel"], "ts": first["ts"]})

    def _call(self, method: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            response = self.client.api_call(method, json=dict(body))
        except SlackApiError as error:
            raise self._error(error, is_in_thread=method == REWRITE or "thread_ts" in body) from None
        return response.data if isinstance(response.data, dict) else {}

    def _error(self, error: SlackApiError, *, is_in_thread: bool) -> Exception:
        response, answer = error.response, self.client.answer
        word = response.data.get("error") if isinstance(response.data, dict) else ""
        word = word_in(self.context.mask(str(word)))
        if word in THREAD_ERRORS and is_in_thread:
            return _ThreadGone(word)
        if response.status_code == 200 and not word:
            return Unknown("answered with something that is not Slack's", status=200, answer=answer)
        return refusal_error(response.status_code, response.headers, word, self.context.at, answer)

    def _receipt(self, detail: str, first: Mapping[str, Any] | None = None, ts: str = "") -> Receipt:
        """Return the receipt: whatever was posted is not posted again by a next attempt."""
        answer, accepted = self.client.answer, (ts,) if ts else ()
        return Receipt(detail=detail, status=200, answer=answer, thread=first, accepted=accepted)


def modes_of(message: Message) -> list[str]:
    """Return all that a message does in its thread."""
    modes = message.get(THREAD_MODE) or REPLY
    return [modes] if isinstance(modes, str) else list(modes)


def broadcast_form(message: Message) -> Message:
    """Return a message whose attachments' blocks stand among its own: its copy in the channel has none."""
    attachments = message.get("attachments", [])
    blocks = [*message.get("blocks", []), *(block for part in attachments for block in part["blocks"])]
    return {**message, "blocks": blocks, "attachments": []} if attachments else message


def _sender(message: Message) -> dict[str, str]:
    """Return the name and the picture that a message is posted under, as far as they are given and usable."""
    username, icon = message.get("username", ""), message.get("icon", "")
    sender = {"username": username} if username else {}
    if icon.startswith(":"):
        return {**sender, "icon_emoji": icon}
    return {**sender, "icon_url": icon} if icon.startswith(("https://", "http://")) else sender
