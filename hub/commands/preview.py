"""`hub preview`: which routes take an event, why the others do not, and every message; sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from hub.catalog.redaction import Redaction, redaction_of
from hub.errors import HubError
from hub.ingest.route import Rules, is_ignored, load_rules, match
from hub.model.event import Event, new_id
from hub.model.routing import UNMATCHED, Routing
from hub.preview.messages import lines, outgoing
from hub.preview.renderings import Rendering, renderings_of
from hub.preview.sample import chosen_source, make_payload, sample_options
from hub.rules.load import load_config
from hub.settings import load_settings
from hub.terminal.printing import one_line, say, say_json, unset


@click.command()
@sample_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for tools.")
@click.option(
    "--html",
    "html_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the mail's HTML to this file, to look at in a browser.",
)
def command(
    event: str | None,
    payload: BinaryIO | None,
    changes: tuple[str, ...],
    source: str | None,
    as_json: bool,
    html_path: Path | None,
) -> None:
    """Show which routes take a sample of EVENT, why the others do not, and every message as it would go out.

    Nothing is sent. No secret and no database is needed. Exits 1 if a template fails.
    """
    settings = load_settings()
    rules = load_rules(load_config(settings.config_path, settings.templates_path, settings.environment))
    now = datetime.now(UTC)
    event, body = make_payload(event, payload, changes, now)
    sample = Event(
        id=new_id("evt", now),
        source=chosen_source(rules.config, source).name,
        message_id=new_id("msg", now),
        type=event,
        payload=body,
        received_at=now,
    )
    ignored = is_ignored(rules.config.sources[sample.source], sample.type)
    routing = Routing(matched=(), verdicts=()) if ignored else match(rules, sample)
    renderings = list(renderings_of(routing, sample, rules, settings.public_url))
    masks = redaction_of(settings.environment).of_event(sample.type, sample.payload)
    if as_json:
        say_json(_document(sample, routing, renderings, masks))
    else:
        for line in _page(sample, routing, renderings, rules, masks):
            say(line)
    if html_path is not None:
        _write_html(html_path, renderings, masks)
    if any(rendering.failed for rendering in renderings):
        raise click.exceptions.Exit(1)


# -- the page -------------------------------------------------------------------------------------


def _page(
    event: Event, routing: Routing, renderings: list[Rendering], rules: Rules, masks: Redaction
) -> Iterator[str]:
    yield click.style(f"{one_line(event.type)} from {event.source}", bold=True)
    yield from _verdicts(event, routing, rules, masks)
    if not renderings:
        yield ""
        yield "Nothing would be sent."
    for rendering in renderings:
        yield ""
        yield from _message(rendering, event, masks)


def _verdicts(event: Event, routing: Routing, rules: Rules, masks: Redaction) -> Iterator[str]:
    """Each route whose events fit, with what became of it; the others in one line."""
    if is_ignored(rules.config.sources[event.source], event.type):
        yield f"  the source {event.source} ignores it: such an event is neither kept nor routed"
        return
    judged = {verdict.route: verdict for verdict in routing.verdicts}
    fitting = [route.name for route in rules.fitting(event)]
    for name in fitting:
        verdict = judged.get(name)
        if verdict is None:
            yield f"  {click.style('·', dim=True)} {name} is not tried: {list(judged)[-1]} stops before it"
        elif verdict.matched:
            yield f"  {click.style('✓', fg='green')} {name}"
        else:
            saw = masks.text(f"{one_line(verdict.condition)}: {one_line(verdict.value)}")
            yield f"  {click.style('✗', fg='red')} {name}  {saw}"
    if not routing.routes:
        to_unmatched = any(matched.route == UNMATCHED for matched in routing.matched)
        yield f"  no route takes it{'; it goes to unmatched' if to_unmatched else ''}"
    others = [route.name for route in rules.config.routes if route.name not in fitting]
    if others:
        yield click.style(f"  not for this event: {', '.join(others)}", dim=True)


def _message(rendering: Rendering, event: Event, masks: Redaction) -> Iterator[str]:
    place = rendering.destination
    yield click.style(f"{rendering.route} → {place.name} ({place.type})", bold=True)
    if place.missing:
        yield click.style(f"  not configured, so it would wait: {unset(place.missing)}", fg="yellow")
    failure = one_line(masks.optional(rendering.error or rendering.degraded))
    if rendering.error:
        yield click.style(f"  {failure}; nothing would be sent, the delivery would be dead", fg="red")
    elif rendering.degraded:
        yield click.style(f"  {failure}; the built-in message would go out instead:", fg="red")
    if rendering.message is not None:
        for line in lines(outgoing(rendering.message, event, place, masks.anything)):
            yield f"  {line}".rstrip()


# -- other forms ----------------------------------------------------------------------------------


def _document(
    event: Event, routing: Routing, renderings: list[Rendering], masks: Redaction
) -> dict[str, Any]:
    return {
        "event": {"type": event.type, "source": event.source},
        "verdicts": [masks.anything(asdict(verdict)) for verdict in routing.verdicts],
        "messages": [
            {
                "route": rendering.route,
                "destination": rendering.destination.name,
                "type": rendering.destination.type,
                "missing": list(rendering.destination.missing),
                "degraded": masks.optional(rendering.degraded),
                "error": masks.optional(rendering.error),
                "message": masks.anything(rendering.message),
            }
            for rendering in renderings
        ],
    }


def _write_html(path: Path, renderings: list[Rendering], masks: Redaction) -> None:
    """Write each mail's HTML: the first to `path`, others beside it with a number."""
    mails = [masks.text(r.message["html"]) for r in renderings if r.message and r.message.get("html")]
    if not mails:
        raise HubError("no mail with HTML would be sent for this event, so there is nothing to write")
    for number, html in enumerate(mails, 1):
        target = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            target.write_text(html, encoding="utf-8")
        except OSError as error:
            raise HubError(f"cannot write {target}: {error.strerror}") from error
        say(f"wrote {target}", err=True)
