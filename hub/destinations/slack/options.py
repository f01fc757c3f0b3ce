"""The keys that users write for Slack: of a block under `destinations:`, and of a send block."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator

from hub.destinations.base import Block, InlineText, NetworkBlock, Structure, TemplateName
from hub.destinations.slack.shapes import check_blocks

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
    """A send block to a destination of type `slack`. `text` beside blocks is what notifications show."""

    text: InlineText | None = None
    blocks: Annotated[list[Any] | None, Structure(check=check_blocks)] = None
    template: Annotated[str, TemplateName(".j2", ".blocks.yaml", check=check_blocks)] | None = None


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
