"""Texts of a page -> the outcome of an event by rules that may be edited: nothing is kept or sent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from hub import catalog
from hub.config.files import Files
from hub.errors import HubError
from hub.ingest.route import Rules, load_rules
from hub.model.problem import Problem
from hub.preview.dry_run import DryRun, dry_run
from hub.preview.sample import sample_event
from hub.rules.load import check_files

ROUTES_LIMIT_BYTES = 256 * 1024
"""A larger routes.yaml takes longer to check than a page waits."""

_SIGNING_SECRET = "whsec_" + "aGVsbG8gdGhlcmUsIHRyeSBtZSBvdXQ="


@dataclass(frozen=True, kw_only=True)
class TryOut:
    """The outcome. `fault` says why there is no `run`, at `fault_line` of the payload where that is known."""

    problems: tuple[Problem, ...] = ()
    rules: Rules | None = None
    run: DryRun | None = None
    fault: str = ""
    fault_line: int | None = None


def try_out(
    payload: str,
    rules: Rules,
    now: datetime,
    *,
    source: str | None = None,
    edited: tuple[Files, Mapping[str, str]] | None = None,
    public_url: str = "",
) -> TryOut:
    """Return what an event would do by the rules that serve, or by those of `edited` files.

    With the files come the variables of the environment, in whose place stand-ins are used: whoever edits
    rules on a page shall not read a secret by them.
    """
    outcome = TryOut(problems=rules.config.warnings, rules=rules)
    if edited is not None:
        files, environment = edited
        checked = check_files(files, {name: stand_in(name, value) for name, value in environment.items()})
        problems = tuple(sorted({*checked.problems, *checked.tolerated}))
        if checked.config is None or not checked.is_usable:
            return TryOut(problems=problems, fault="These routes have errors, so nothing can be tried.")
        outcome = TryOut(problems=problems, rules=load_rules(replace(checked.config, warnings=problems)))
    return _run(outcome, payload, now, source, public_url)


def stand_in(name: str, value: str) -> str:
    """Return a value of the same kind as that of a variable, which says nothing of it."""
    if not value.strip():
        return value
    if re.fullmatch(r"\d{1,5}", value):
        return "1"
    if "@" in value and "://" not in value:
        return f"{name.lower().replace('_', '-')}@stand-in.example"
    scheme = urlsplit(value).scheme if "://" in value else ""
    if scheme in ("http", "https"):
        return f"https://stand-in.example/{name.lower()}"
    if scheme:
        return f"{scheme}://stand-in.example"
    return _SIGNING_SECRET if value.startswith("whsec_") else f"stand-in-for-{name.lower().replace('_', '-')}"


def _run(outcome: TryOut, payload: str, now: datetime, source: str | None, public_url: str) -> TryOut:
    assert outcome.rules is not None
    sources = outcome.rules.config.sources
    try:
        body = catalog.read_body(payload.encode("utf-8", "surrogatepass"))
    except HubError as error:
        return replace(outcome, fault=f"The payload {error}.", fault_line=_line_of(payload))
    event_type = body.get("type")
    if not isinstance(event_type, str) or not event_type:
        return replace(outcome, fault='The payload needs a "type", such as "user.created".', fault_line=1)
    chosen = sources.get(source or "") or next(iter(sources.values()), None)
    if chosen is None:
        return replace(outcome, fault="These routes have no source, so no event can come.")
    event = sample_event(event_type, payload.encode("utf-8", "replace"), chosen, now)
    return replace(outcome, run=dry_run(event, outcome.rules, public_url))


def _line_of(payload: str) -> int | None:
    """Return the line at which a text is no JSON any more; None where it is, or cannot be told."""
    try:
        json.loads(payload)
    except json.JSONDecodeError as error:
        return error.lineno
    except (ValueError, RecursionError):
        return None
    return None
