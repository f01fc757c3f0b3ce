"""`hub trigger`: post a signed sample to a running hub."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import BinaryIO

import click

from hub.client.sender import Answer, place, post_event
from hub.errors import HubError
from hub.model.config import SourceConfig
from hub.preview.sample import chosen_source, make_payload, sample_options
from hub.rules.load import load_config
from hub.settings import load_settings
from hub.terminal.printing import one_line, say


@click.command()
@sample_options
@click.option("--url", help="Where the hub serves; http://127.0.0.1:8000 by default, or PORT there.")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, help="Post it so many times.")
def command(
    event: str | None,
    payload: BinaryIO | None,
    changes: tuple[str, ...],
    source: str | None,
    url: str | None,
    count: int,
) -> None:
    """Post a signed sample of EVENT to a running hub, as Clerk would, each time under a new message id."""
    settings = load_settings()
    config = load_config(settings.config_path, settings.templates_path, settings.environment)
    sender = chosen_source(config, source)
    if not sender.secrets:
        raise HubError(
            f"the source {sender.name} has no signing secret here: set {' and '.join(sender.missing)} "
            "to what the running hub has"
        )
    url = url or f"http://127.0.0.1:{settings.port}"
    event, body = make_payload(event, payload, changes, datetime.now(UTC))
    for _ in range(count):
        answer = post_event(url, sender, body)
        if answer.status != 200 or "deliveries" not in answer.body:
            raise HubError(_refusal(answer, url, sender))
        say(_accepted(answer, event))


def _accepted(answer: Answer, event: str) -> str:
    body = answer.body
    if body.get("ignored"):
        return f"{event} was ignored: the source's ignore list names it"
    where = f"routes: {one_line(', '.join(body['routes']))}" if body["routes"] else "no route took it"
    owed = body["deliveries"]
    return f"{one_line(body['event'])}  {where}; {owed} {'delivery' if owed == 1 else 'deliveries'}"


def _refusal(answer: Answer, url: str, source: SourceConfig) -> str:
    """What a refusal means and what to do about it."""
    error, said = one_line(answer.body.get("error")), one_line(answer.body.get("message"))
    if error == "invalid_signature":
        return (
            f"the hub refused it (400 {error}): the signing secret of {source.name} here is not the one "
            "the running hub has; set the same variable for both"
        )
    if error == "invalid_timestamp":
        return f"the hub refused it (400 {error}): {said}; set this machine's clock"
    if error == "not_configured":
        return f"the hub cannot take it yet (503 {error}): {said}"
    if 300 <= answer.status < 400:
        return f"{place(url)} redirects elsewhere ({answer.status}); give the final address as --url"
    if error:
        return f"the hub refused it ({answer.status} {error}): {said}"
    return f"{place(url)} answered {answer.status}, but not as a hub does; is the --url right?"
