"""`hub gaps`: objects in Clerk of whose last change no event came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from hub.client.api import version_that_serves
from hub.commands import Section
from hub.durations import parse_duration
from hub.errors import NotFound
from hub.humanize import did_you_mean, moment, period
from hub.model.config import Config, SourceConfig
from hub.process import start
from hub.settings import Settings, load_settings
from hub.store.store import Store
from hub.sync.api import BackendApi
from hub.sync.gaps import TABLES, Gap, GapKind, Untold, find_gaps, summary_of
from hub.sync.lease import reading
from hub.sync.targets import access_of, source_of
from hub.terminal import progress
from hub.terminal.printing import inline, say, say_json

SECTION = Section.LOOK

_WORDS = {
    GapKind.NEVER_HEARD_OF: "never heard of",
    GapKind.MISSED: "missed",
    GapKind.MAY_STILL_COME: "may still come",
}


@click.command("gaps", short_help="Find objects in Clerk whose events never came.")
@click.option("--since", metavar="DURATION", default="7d", show_default=True, help="So far back: 12h, 7d.")
@click.option("--source", metavar="NAME", help="The source, where several have a secret_key.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for tools.")
def command(since: str, source: str | None, as_json: bool) -> None:
    """Compare Clerk's lists with the events that came: objects changed since, of whose change none did.

    Looks at users, organisations, memberships, invitations and waitlist entries, at most as far back as
    HUB_RETENTION. Deletions, and states between two changes, cannot be seen. Exit code 1 where something
    was lost.

    \b
    Examples:
      hub gaps
      hub gaps --since 2d --json
    """
    settings = load_settings()
    window = _window(since, settings)
    with closing(start.open_existing(settings)) as store:
        chosen = _source(version_that_serves(settings, store).rules.config, source)
        results = _results(store, chosen, window)
        gaps = [result for result in results if isinstance(result, Gap)]
        untold = [result for result in results if isinstance(result, Untold)]
        is_compared = len(untold) < len(TABLES)
        if is_compared:
            with store.transaction() as transaction:
                transaction.mirrors.keep_gaps(summary_of(gaps, window, transaction.now))
    if as_json:
        say_json([_as_json(gap) for gap in gaps])
    for line in _lines(gaps) if not as_json else ():
        say(line)
    for kind in untold:
        say(f"{kind.object}: {inline(kind.reason)}", err=as_json)
    if not as_json:
        say(_summary(gaps, window) if is_compared else "nothing was compared")
    if any(gap.kind is not GapKind.MAY_STILL_COME for gap in gaps):
        raise click.exceptions.Exit(1)


def _results(store: Store, source: SourceConfig, window: timedelta) -> list[Gap | Untold]:
    access = access_of(source)
    with (
        reading(store, source.name, "hub gaps") as lease,
        closing(BackendApi(access, wait=lease.wait, on_retry=progress.retry)) as api,
    ):
        return list(find_gaps(api, store, source, window))


def _window(since: str, settings: Settings) -> timedelta:
    duration = parse_duration(since)
    if not duration:
        raise click.BadParameter("say a duration above zero such as 12h or 7d", param_hint="'--since'")
    if duration > settings.retention:
        say(f"hub: only {period(settings.retention.total_seconds())} are kept (HUB_RETENTION)", err=True)
    return min(duration, settings.retention)


def _source(config: Config, name: str | None) -> SourceConfig:
    if name is None:
        return source_of(config)
    if name not in config.sources:
        raise NotFound(f'there is no source "{name}"{did_you_mean(name, config.sources)}')
    return config.sources[name]


def _lines(gaps: list[Gap]) -> Iterator[str]:
    for gap in gaps:
        at = moment(datetime.fromtimestamp(gap.updated_at / 1000, UTC), UTC)
        yield f"{gap.object} {inline(gap.id)}, changed {at}: {_WORDS[gap.kind]}"


def _summary(gaps: list[Gap], window: timedelta) -> str:
    counts = Counter(gap.kind for gap in gaps)
    words = ", ".join(f"{counts[kind]:,} {_WORDS[kind]}" for kind in GapKind if counts[kind])
    return f"{words or 'no gap'} in the last {period(window.total_seconds())}"


def _as_json(gap: Gap) -> dict[str, Any]:
    at = datetime.fromtimestamp(gap.updated_at / 1000, UTC)
    return {
        "object": gap.object,
        "id": gap.id,
        "updated_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "kind": gap.kind.value,
    }
