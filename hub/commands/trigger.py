"""`hub trigger`: post a signed sample to a running hub."""

from __future__ import annotations

import contextlib
from contextlib import closing
from datetime import UTC, datetime
from typing import BinaryIO

import click

from hub.client.api import version_that_serves
from hub.client.sender import Acknowledgement, post_event
from hub.client.url import origin
from hub.commands import Section
from hub.errors import ConfigError, HubError, StoreError
from hub.humanize import counted
from hub.model.config import Config, SourceConfig
from hub.preview.sample import build_payload, choose_source, sample_options
from hub.process import start
from hub.rules.load import load_config
from hub.settings import Settings, load_settings
from hub.terminal.printing import inline, say

SECTION = Section.WRITE


@click.command(short_help="Post a signed sample to a running hub.")
@sample_options
@click.option("--url", help="Where the hub serves; by default on this machine, as HUB_BIND and PORT have it.")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, help="Post it so many times.")
def command(
    event: str | None,
    payload: BinaryIO | None,
    changes: tuple[str, ...],
    source: str | None,
    url: str | None,
    count: int,
) -> None:
    """Post a signed sample of EVENT to a running hub, as Clerk would, each time under a new message id.

    \b
    Examples:
      hub trigger user.created
      hub trigger user.created --set data.first_name=Ada --count 3
    """
    settings = load_settings()
    config = _config(settings)
    sender = choose_source(config, source)
    if not sender.signing.secrets:
        raise HubError(
            f"the source {sender.name} has no signing secret here ({sender.signing.fault}): "
            f"set {' and '.join(sender.signing.missing)} to what the running hub has"
        )
    url = url or settings.local_url
    event_type, body = build_payload(event, payload, changes, datetime.now(UTC))
    for _ in range(count):
        response = post_event(url, sender, body)
        if response.status != 200 or "deliveries" not in response.body:
            raise HubError(_refusal(response, url, sender))
        say(_accepted(response, event_type))


def _config(settings: Settings) -> Config:
    """Return the configuration on disk, or where that is broken the one that the local hub serves."""
    try:
        return load_config(settings.config_path, settings.templates_path, settings.environment)
    except ConfigError:
        with contextlib.suppress(StoreError), closing(start.open_existing(settings)) as store:
            return version_that_serves(settings, store).rules.config
        raise


def _accepted(response: Acknowledgement, event_type: str) -> str:
    body = response.body
    if body.get("ignored"):
        return f"{event_type} was ignored: the source's ignore list names it"
    routes = f"routes: {inline(', '.join(body['routes']))}" if body["routes"] else "no route took it"
    deliveries = counted(body["deliveries"], "delivery", "deliveries")
    return f"{inline(body['event'])}  {routes}; {deliveries}"


def _refusal(response: Acknowledgement, url: str, source: SourceConfig) -> str:
    """Return the meaning of a refusal and the cure."""
    error, message = inline(response.body.get("error")), inline(response.body.get("message"))
    if error == "invalid_signature":
        return (
            f"the hub refused it (400 {error}): the signing secret of {source.name} here is not the one "
            "the running hub has; set the same variable for both"
        )
    if error == "invalid_timestamp":
        return f"the hub refused it (400 {error}): {message}; set this machine's clock"
    if error == "not_configured":
        return f"the hub cannot take it yet (503 {error}): {message}"
    if 300 <= response.status < 400:
        return f"{origin(url)} redirects elsewhere ({response.status}); give the final address as --url"
    if error:
        return f"the hub refused it ({response.status} {error}): {message}"
    return f"{origin(url)} answered {response.status}, but not as a hub does; is the --url right?"
