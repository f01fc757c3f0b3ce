"""Slack: a channel's incoming webhook, or a bot that posts to a channel.

Facts: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (errors come as a status and
a word) and https://docs.slack.dev/reference/methods/chat.postMessage (errors come as 200 and `ok: false`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator
from slack_sdk.errors import SlackApiError

from hub import yamldoc
from hub.destinations.base import Block, Destination, InlineText, Renderer, Structure, TemplateName
from hub.destinations.slack.blocks import BLOCKS_LIMIT, builtin, fallback, fit
from hub.destinations.slack.client import Bot, Webhook
from hub.destinations.slack.mrkdwn import escape
from hub.errors import Pause, Reject, Retry, SendError, TemplateError, Unknown
from hub.model.delivery import Attempt, Message, Receipt
from hub.model.destination import RateLimit
from hub.model.event import Summary
from hub.model.problem import Severity
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import HttpClient, retry_after_seconds

SLACK_API_URL = "https://slack.com/api/"

MESSAGE_ERRORS = frozenset(
    {
        "invalid_arguments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_payload",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
    }
)
"""Slack's words for: this message can never be accepted."""

DESTINATION_ERRORS: Mapping[str, str] = {
    "account_inactive": "the bot's app or workspace is gone; install it again and set the new token",
    "action_prohibited": "an admin of the workspace forbids it; ask them, or use another channel",
    "channel_is_archived": "the channel is archived; unarchive it or use another one",
    "channel_not_found": "there is no such channel for it; create it, or invite the bot",
    "invalid_auth": "the bot token is not valid; set the right one",
    "invalid_token": "the webhook URL is not valid; create a new one",
    "is_archived": "the channel is archived; unarchive it or use another one",
    "missing_scope": "the bot lacks the scope chat:write; add it and install the app again",
    "no_service": "the webhook was removed; create a new one",
    "no_team": "the workspace of the webhook is gone; create a new one",
    "not_authed": "no bot token arrived; set it",
    "not_in_channel": "the bot is not in the channel; invite it",
    "token_expired": "the bot token has expired; set a new one",
    "token_revoked": "the bot token was revoked; set a new one",
}
"""Slack's words for: this destination accepts nothing, with what to do about it."""

UNKNOWN_ERRORS = frozenset({"fatal_error", "internal_error"})
"""Slack's words for: something broke here, and the message may have been posted."""

THROTTLED_ERRORS = frozenset({"ratelimited", "rate_limited"})


class SlackOptions(Block):
    """A block under `destinations:` of type `slack`: a webhook, or a bot and its channel."""

    webhook_url: SecretStr | None = None
    bot_token: SecretStr | None = None
    channel: str | None = None
    api_url: str = SLACK_API_URL

    @field_validator("webhook_url")
    @classmethod
    def _is_webhook_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _is_url(url.get_secret_value()):
            raise ValueError("must be a URL like https://hooks.slack.com/services/…")
        return url

    @field_validator("api_url")
    @classmethod
    def _is_api_url(cls, url: str) -> str:
        if not _is_url(url):
            raise ValueError(f"must be a URL like {SLACK_API_URL}")
        return url

    @field_validator("bot_token")
    @classmethod
    def _is_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()):
            raise ValueError("must be a token like xoxb-…")
        return token

    @field_validator("channel")
    @classmethod
    def _is_channel(cls, channel: str | None) -> str | None:
        if channel is not None and not channel.strip().removeprefix("#"):
            raise ValueError("must be a channel's name or id")
        return channel

    @model_validator(mode="after")
    def _is_webhook_or_bot(self) -> SlackOptions:
        bot = self.bot_token is not None or self.channel is not None
        if (self.webhook_url is not None) == bot:
            raise ValueError("needs either webhook_url, or bot_token and channel")
        if bot and (self.bot_token is None or self.channel is None):
            raise ValueError("needs both bot_token and channel to post as a bot")
        return self


class SlackSend(Block):
    """A send block to a destination of type `slack`. `text` beside blocks is what notifications show."""

    text: InlineText | None = None
    blocks: Annotated[list[Any] | None, Structure()] = None
    template: Annotated[str, TemplateName(".j2", ".blocks.yaml")] | None = None


class SlackDestination(Destination):
    """A channel."""

    type: ClassVar[str] = "slack"
    concurrency: ClassVar[int] = 1
    rate_limit: ClassVar[RateLimit | None] = RateLimit(count=1, seconds=1, burst=5)
    Options = SlackOptions
    Send = SlackSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, SlackSend)
        if send.template is not None and (send.text is not None or send.blocks is not None):
            yield "template excludes text and blocks: it is the whole message"
        if send.blocks is not None and not 0 < len(send.blocks) <= BLOCKS_LIMIT:
            yield f"blocks must have 1 to {BLOCKS_LIMIT} entries"
        if send.blocks and not all(
            isinstance(block, dict) and isinstance(block.get("type"), str) for block in send.blocks
        ):
            yield "each of blocks must be a mapping with a type, such as section"

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if fields.get("template") is not None:
            return _from_template(fields["template"], renderer)
        blocks = _rendered_blocks("blocks", fields.get("blocks") or [], renderer)
        return _message(renderer.text(fields.get("text") or "", escape, name="text"), blocks, renderer)

    @classmethod
    def compose_builtin(cls, options: Block | None, summary: Summary, note: str | None, link: str) -> Message:
        return builtin(summary, note, link)

    def __init__(self, options: SlackOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        self._webhook_url = options.webhook_url.get_secret_value().strip() if options.webhook_url else ""
        self._token = options.bot_token.get_secret_value() if options.bot_token else ""
        self._channel = (options.channel or "").strip()
        self._api_url = options.api_url
        self._http = HttpClient(self.concurrency, resolver)

    def send(self, message: Message, attempt: Attempt) -> Receipt:
        if self._webhook_url:
            return self._send_to_webhook(message, attempt)
        return self._send_as_bot(message, attempt)

    def describe(self) -> str:
        return self._channel if self._token else str(urlsplit(self._webhook_url).hostname)

    def close(self) -> None:
        self._http.close()

    def _send_to_webhook(self, message: Message, attempt: Attempt) -> Receipt:
        client = Webhook(self._webhook_url, self._http, attempt.timeout_seconds)
        response = client.send_dict(message)
        if response.status_code == 200:
            return Receipt(detail="Slack answered ok", status=200)
        raise _refusal(response.status_code, response.headers, _word(response.body), attempt)

    def _send_as_bot(self, message: Message, attempt: Attempt) -> Receipt:
        client = Bot(self._token, self._api_url, self._http, attempt.timeout_seconds)
        try:
            client.api_call("chat.postMessage", json={**message, "channel": self._channel})
        except SlackApiError as error:
            response = error.response
            word = _word(response.data.get("error")) if isinstance(response.data, dict) else ""
            if response.status_code == 200 and not word:
                raise Unknown("answered with something that is not Slack's", status=200) from None
            raise _refusal(response.status_code, response.headers, word, attempt) from None
        return Receipt(detail="Slack answered ok", status=200)


# -- composing ------------------------------------------------------------------------------------


def _from_template(template: str, renderer: Renderer) -> Message:
    structure, text = f"{template}.blocks.yaml", f"{template}.j2"
    if not renderer.exists(structure):
        return _message(renderer.file(text, escape), [], renderer)
    blocks = _rendered_blocks(structure, _parsed(structure, renderer.source(structure)), renderer)
    # Beside a structure, the text of the same name is what notifications show.
    return _message(renderer.file(text, escape) if renderer.exists(text) else "", blocks, renderer)


def _message(text: str, blocks: list[dict[str, Any]], renderer: Renderer) -> Message:
    text = text.strip()
    if not text and not blocks:
        raise TemplateError("text", None, "renders to nothing, which Slack does not take")
    return fit(text or fallback(blocks) or escape(renderer.summary().headline), blocks)


def _rendered_blocks(name: str, value: Any, renderer: Renderer) -> list[dict[str, Any]]:
    rendered = renderer.structure(value, escape, name=name)
    blocks = rendered.get("blocks") if isinstance(rendered, dict) else rendered
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise TemplateError(name, None, "must be a list of blocks")
    if len(blocks) > BLOCKS_LIMIT:
        raise TemplateError(name, None, f"has {len(blocks)} blocks; Slack takes at most {BLOCKS_LIMIT}")
    return blocks


@functools.lru_cache(maxsize=64)
def _parsed(name: str, source: str) -> Any:
    """Return the structure of a file; its strings are rendered after, so no value can break out of it."""
    document, problems = yamldoc.parse(source.encode(), name)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors or document is None:
        raise TemplateError(
            name, errors[0].line if errors else None, errors[0].message if errors else "is empty"
        )
    return document.value


# -- sending --------------------------------------------------------------------------------------


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _word(text: Any) -> str:
    """Return Slack's word for an error; nothing where the text is something else, which could be anything."""
    return text.strip() if isinstance(text, str) and re.fullmatch(r"\s*[a-z_]{2,60}\s*", text) else ""


def _refusal(status: int, headers: Mapping[str, Any], word: str, attempt: Attempt) -> SendError:
    """Return the error that stands for a refusal."""
    reason = f"Slack answered {status} {word}".rstrip() if status != 200 else f"Slack answered {word}"
    if word in DESTINATION_ERRORS:
        return Pause(f"{reason}: {DESTINATION_ERRORS[word]}", status=status)
    if status in (403, 404, 410):
        return Pause(
            f"{reason}: it does not take messages here; check the destination's address", status=status
        )
    if word in MESSAGE_ERRORS or status in (400, 413):
        return Reject(reason, status=status)
    if word in UNKNOWN_ERRORS and status == 200:
        return Unknown(reason, status=status)
    if 300 <= status < 400:
        reason = f"answered with a redirect ({status}), which is not followed"
    return Retry(
        reason,
        status=status,
        throttled=status == 429 or word in THROTTLED_ERRORS,
        after_seconds=retry_after_seconds(headers, attempt.at),
    )
