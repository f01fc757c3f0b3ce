"""The values of the status page: what needs somebody, the destinations, and what came of late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hub.health.facts import Facts
from hub.humanize import counted
from hub.model.stats import Day
from hub.web import first_steps, serializers
from hub.web.context import Context
from hub.web.destination_page import strip_of
from hub.web.destination_rows import rows_of, without_idle
from hub.web.event_words import became, words_of_event
from hub.web.overview import Tone, overview

LAST_EVENTS = 6

Values = dict[str, Any]


def overview_values(here: Context, url_root: str) -> Values:
    """Return what the status page shows; `url_root` is where its reader reaches the hub."""
    rules, serving = here.rules(), here.serving()
    with here.store.read() as snapshot:
        health = here.health(snapshot)
        days, came = snapshot.attempts.last_day(), snapshot.numbers.last_day()
        records = snapshot.event_list.records(limit=LAST_EVENTS)
        owed = snapshot.numbers.owed_to([record.id for record in records])
        steps = first_steps.steps(rules.config, snapshot)
    facts = health.facts
    whole = overview(health.findings, facts.now, facts.zone)
    if steps and not whole.notes:
        whole = replace(whole, tone=Tone.TASK, headline=first_steps.headline(steps))
    rows = rows_of(facts, health.stats.deliveries, days)
    events = [serializers.event(record, words_of_event(record, rules)) for record in records]
    return {
        "now": facts.now,
        "zone": facts.zone,
        "stats": health.stats,
        "overview": whole,
        "serving": serving,
        "rows": rows,
        "shown": without_idle(rows),
        "day": replace(strip_of(Day(sent=came)), words=counted(sum(came), "event")),
        "latest": [(event, became(event, owed.get(event["id"], {}))) for event in events],
        "steps": steps,
        **(_first_steps(here, facts, url_root.rstrip("/")) if steps else {}),
    }


def _first_steps(here: Context, facts: Facts, url: str) -> Values:
    """Return what the steps of an empty hub name: addresses, commands, and variables that are not set."""
    base = here.settings.public_url or url
    sources = here.rules().config.sources.values()
    return {
        "addresses": [base + source.path for source in sources],
        "is_only_local": here.settings.is_only_local,
        "secrets": [source for source in sources if not source.signing.secrets],
        "trigger": first_steps.trigger_command(base),
        "waits_for": first_steps.waits_for(facts),
    }
