"""The keys that users write for Slack: of a block under `destinations:`, and of a send block."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import Block, NetworkBlock
from hub.destinations.slack.shapes import check_blocks
from hub.templating.flaws import Flaw, is_dynamic
from hub.templating.marks import Inline, InlineText, Structure, TemplateName

ThreadMode = Literal["reply", "broadcast", "update"]

SLACK_API_URL = "https://slack.com/api/"


class SlackOptions(NetworkBlock):
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

    @classmethod
    def check_keys(cls, keys: frozenset[str]) -> Iterable[str]:
        bot = keys & {"bot_token", "channel"}
        if ("webhook_url" in keys) == bool(bot):
            yield "needs either webhook_url, or bot_token and channel"
        elif len(bot) == 1:
            yield "needs both bot_token and channel to post as a bot"


class SlackSend(Block):
    """A send block to a destination of type `slack`. `text` beside blocks is what notifications show.

    `thread` ties messages of one life together, and `thread_mode` says what those after the first do.
    """

    text: InlineText | None = None
    blocks: Annotated[list[Any] | None, Structure(check=check_blocks)] = None
    template: Annotated[str, TemplateName(".j2", ".blocks.yaml", check=check_blocks)] | None = None
    thread: Annotated[str, Inline(filled=True)] | None = Field(
        default=None, description="what the messages of one life share, such as {{ data.id }}; with a bot"
    )
    thread_mode: ThreadMode | list[ThreadMode] | None = Field(
        default=None, description="what a message does in its thread after the first; left out: reply"
    )
    username: InlineText | None = Field(default=None, description="another name; with a bot")
    icon: InlineText | None = Field(default=None, description="an emoji such as :wave:, or a URL; with a bot")

    def flaws(self) -> Iterable[str]:
        """Return what is wrong with thread and look, one sentence each."""
        modes = [self.thread_mode] if isinstance(self.thread_mode, str) else self.thread_mode
        if self.thread is not None and not self.thread.strip():
            yield 'thread is empty; write what the messages of one life share, such as "{{ data.id }}"'
        if modes is not None and (len(set(modes)) < max(len(modes), 1)):
            yield "thread_mode names each of reply, broadcast and update once at most, and at least one"
        elif modes is not None and {"reply", "broadcast"} <= set(modes):
            yield "thread_mode takes one of reply and broadcast, which is a reply that the channel sees, too"
        icon = ":x:" if self.icon is None or is_dynamic(self.icon) else self.icon.strip()
        if not re.fullmatch(r":[^:\s]+:|https?://\S+", icon):
            yield "icon is an emoji such as :wave:, or the URL of a picture"


def flaws_of_keys(own: frozenset[str], keys: frozenset[str]) -> Iterable[Flaw]:
    """Yield what is wrong with the keys of a send block beside those of its destination's own block."""
    if "thread_mode" in keys and "thread" not in keys:
        message = 'thread_mode says what a message does in its thread; add thread, such as "{{ data.id }}"'
        yield Flaw(path=("thread_mode",), message=message, is_about_key=True)
    if "webhook_url" not in own:
        return
    if "thread" in keys:
        message = (
            "thread needs a bot: a webhook is told no id by which Slack ties messages together; "
            "give the destination bot_token and channel in place of webhook_url"
        )
        yield Flaw(path=("thread",), message=message, is_about_key=True)
    for key in sorted({"username", "icon"} & keys):
        message = f"Slack ignores {key} with a webhook; it takes bot_token and channel (chat:write.customize)"
        yield Flaw(path=(key,), message=message, is_sure=False, is_about_key=True)


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
