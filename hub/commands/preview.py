"""`hub preview`: the routes that take an event, the reasons of the others, and every message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from hub import catalog
from hub.catalog.redaction import Redaction
from hub.commands import Section
from hub.errors import HubError
from hub.humanize import not_set
from hub.ingest.route import load_rules
from hub.model.event import Event
from hub.model.routing import UNMATCHED, Verdict, is_relayed
from hub.model.summary import Summary
from hub.preview.drawing import Sheet, page
from hub.preview.dry_run import DryRun, dry_run
from hub.preview.earlier import GivenEarlier
from hub.preview.messages import message_lines, rendered_parts
from hub.preview.renderings import Rendering
from hub.preview.sample import build_payload, choose_source, previous_event, sample_event, sample_options
from hub.rules.load import load_config
from hub.settings import load_settings
from hub.terminal.printing import inline, say, say_json

SECTION = Section.WRITE


@click.command(short_help="Show every message that a sample makes; send nothing.")
@sample_options
@click.option(
    "--previous",
    type=click.File("rb"),
    metavar="FILE",
    help="The JSON of an earlier event of the same object, for what the built-in message says of changes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for tools.")
@click.option(
    "--html",
    "html_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page to this file: every message as its reader would see it, to look at in a browser.",
)
def command(
    event: str | None,
    payload: BinaryIO | None,
    changes: tuple[str, ...],
    source: str | None,
    previous: BinaryIO | None,
    as_json: bool,
    html_path: Path | None,
) -> None:
    """Show which routes take a sample of EVENT, why the others do not, and every message as it would go out.

    Nothing is sent. No secret and no database is needed. Exits 1 if a template fails.

    \b
    Examples:
      hub preview user.created
      hub preview user.created --set data.first_name=Ada
    """
    settings = load_settings()
    rules = load_rules(load_config(settings.config_path, settings.templates_path, settings.environment))
    now = datetime.now(UTC)
    event_type, body = build_payload(event, payload, changes, now)
    sample = sample_event(event_type, body, choose_source(rules.config, source), now)
    earlier = None if previous is None else GivenEarlier(event=previous_event(previous, sample))
    run = dry_run(sample, rules, settings.public_url, earlier)
    redaction = rules.redaction.of_event(sample.type, sample.payload)
    relayed = is_relayed(sample.type, rules.config.routes)
    summary = catalog.summarise(sample, earlier=earlier, is_relayed=relayed)
    if as_json:
        say_json(_document(run, summary, redaction))
    else:
        for line in _page(run, summary, redaction):
            say(line)
    if html_path is not None:
        _write_html(html_path, run, redaction)
    if run.fails:
        raise click.exceptions.Exit(1)


def _page(run: DryRun, summary: Summary, redaction: Redaction) -> Iterator[str]:
    yield click.style(f"{inline(run.event.type)} from {run.event.source}", bold=True)
    yield f"  {redaction.text(summary.headline)}"
    yield from _verdicts(run, redaction)
    if not run.renderings:
        yield ""
        yield "Nothing would be sent."
    for rendering in run.renderings:
        yield ""
        yield from _message(rendering, run.event, redaction)


def _verdicts(run: DryRun, redaction: Redaction) -> Iterator[str]:
    """Yield a line for each route whose events fit, and one for all others."""
    if run.is_ignored:
        yield f"  the source {run.event.source} ignores it: such an event is neither kept nor routed"
        return
    verdicts = {verdict.route: verdict for verdict in run.routing.verdicts}
    for name in run.fitting:
        verdict = verdicts.get(name)
        if verdict is None:
            yield f"  {click.style('·', dim=True)} {name} is not tried: {list(verdicts)[-1]} stops before it"
        elif verdict.matched:
            unowed = f"  {verdict.unowed}, so nothing is owed there" if verdict.unowed else ""
            yield f"  {click.style('✓', fg='green')} {name}{unowed}"
            yield from _unowed_sends(verdict, redaction)
        else:
            reason = redaction.own_text(f"{inline(verdict.condition)}: {inline(verdict.value)}")
            yield f"  {click.style('✗', fg='red')} {name}  {reason}"
    if not run.routing.routes:
        yield from _unowed_sends(verdicts.get(UNMATCHED), redaction)
        yield f"  no route takes it{'; it goes to unmatched' if run.goes_to_unmatched else ''}"
    if run.others:
        yield click.style(f"  not for this event: {', '.join(run.others)}", dim=True)


def _unowed_sends(verdict: Verdict | None, redaction: Redaction) -> Iterator[str]:
    """Yield a line for each send block whose own condition does not hold."""
    for sent in verdict.sends if verdict else ():
        reason = redaction.own_text(f"{inline(sent.condition)}: {inline(sent.value)}")
        yield f"    {click.style('✗', fg='red')} not to {sent.to}  {reason}"


def _message(rendering: Rendering, event: Event, redaction: Redaction) -> Iterator[str]:
    destination = rendering.destination
    yield click.style(f"{rendering.route} → {destination.name} ({destination.type})", bold=True)
    if destination.missing:
        yield click.style(f"  not configured, so it would wait: {destination.fault}", fg="yellow")
    elif rendering.unset:
        yield click.style(f"  not configured, so it would wait: {not_set(rendering.unset)}", fg="yellow")
    failure = inline(redaction.optional(rendering.failure))
    if rendering.error:
        yield click.style(f"  {failure}; nothing would be sent, the delivery would be dead", fg="red")
    elif rendering.degraded:
        yield click.style(f"  {failure}; the built-in message would go out instead:", fg="red")
    for line in message_lines(rendering, event, redaction):
        yield f"  {line}".rstrip()


def _document(run: DryRun, summary: Summary, redaction: Redaction) -> dict[str, Any]:
    return {
        "event": {
            "type": run.event.type,
            "source": run.event.source,
            "about": redaction.text(summary.about),
            "headline": redaction.text(summary.headline),
            "tone": summary.tone.value,
        },
        "verdicts": [
            {
                **asdict(verdict),
                "value": redaction.optional(verdict.value),
                "sends": [{**sent._asdict(), "value": redaction.text(sent.value)} for sent in verdict.sends],
            }
            for verdict in run.routing.verdicts
        ],
        "messages": [
            {
                "route": rendering.route,
                "destination": rendering.destination.name,
                "type": rendering.destination.type,
                "missing": [*rendering.destination.missing, *rendering.unset],
                "degraded": redaction.optional(rendering.degraded),
                "error": redaction.optional(rendering.error),
                "message": redaction.anything(rendering.message),
            }
            for rendering in run.renderings
        ],
    }


def _write_html(path: Path, run: DryRun, redaction: Redaction) -> None:
    """Write a page with every message as its reader would see it."""
    sheets = [
        Sheet(
            title=f"{rendering.route} → {rendering.destination.name} ({rendering.destination.type})",
            parts=rendered_parts(rendering, run.event, redaction),
            warning=redaction.optional(rendering.failure) or "",
        )
        for rendering in run.renderings
    ]
    if not sheets:
        raise HubError("no message would be sent for this event, so there is nothing to write")
    try:
        path.write_text(page(f"{run.event.type} from {run.event.source}", sheets), encoding="utf-8")
    except OSError as error:
        raise HubError(f"cannot write {path}: {error.strerror}") from error
    say(f"wrote {path}", err=True)
