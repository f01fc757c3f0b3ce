"""A destination's page in words: what failed of late, and how it is set up, without secrets."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import SecretStr

from hub.catalog import MASK
from hub.destinations.base import find_destination
from hub.health.places import describe
from hub.humanize import counted, period
from hub.model.config import Config
from hub.model.destination import DestinationConfig, OnUnknown
from hub.model.stats import Day

PITCH, HEIGHT, LOWEST = 4, 20.0, 2.0
"""A bar is 3 pixels wide with a gap of one, and as high as this at most and at least."""

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Half an hour of a strip: its place, and the heights of its parts in pixels, from the ground up."""

    x: int
    sent: float
    failed: float
    unknown: float


def bars_of(day: Day) -> list[Bar]:
    """Return a day as bars on a square-root scale of its own maximum, so that few are seen beside many."""
    totals = [sum(parts) for parts in zip(day.sent, day.failed, day.unknown, strict=True)]
    most = max(totals)
    bars = []
    for place, total in enumerate(totals):
        height = max(HEIGHT * math.sqrt(total / most), LOWEST) if total else 0.0
        parts = (day.sent[place], day.failed[place], day.unknown[place])
        sent, failed, unknown = (round(height * part / total, 1) if total else 0.0 for part in parts)
        bars.append(Bar(x=place * PITCH, sent=sent, failed=failed, unknown=unknown))
    return bars


@dataclass(frozen=True, kw_only=True)
class Strip:
    """A day to draw, each part a path, with the same in words and the number that was sent."""

    sent: str
    failed: str
    unknown: str
    words: str
    count: int


def strip_of(day: Day) -> Strip:
    """Return a day as paths of SVG, each bar's parts one above the other."""
    bars = bars_of(day)
    return Strip(
        sent="".join(_piece(bar.x, 0, bar.sent) for bar in bars),
        failed="".join(_piece(bar.x, bar.sent, bar.failed) for bar in bars),
        unknown="".join(_piece(bar.x, bar.sent + bar.failed, bar.unknown) for bar in bars),
        words=day_in_words(day),
        count=sum(day.sent),
    )


def _piece(x: int, below: float, height: float) -> str:
    """Return one part of a bar, `below` pixels above the ground; empty where it has no height."""
    return f"M{x} {HEIGHT - below:g}v{-height:g}h3v{height:g}z" if height else ""


def day_in_words(day: Day) -> str:
    """Return the last day in numbers: `188 sent, 61 failed attempts, 2 attempts that may have arrived`."""
    failed, unknown = sum(day.failed), sum(day.unknown)
    parts = [f"{sum(day.sent):,} sent"]
    if failed:
        parts.append(counted(failed, "failed attempt"))
    if unknown:
        parts.append(f"{counted(unknown, 'attempt')} that may have arrived")
    return ", ".join(parts)


def settings_of(config: DestinationConfig | None) -> list[tuple[str, str]]:
    """Return the settings of a destination and the keys of its own block, masked. Empty where it is gone."""
    return [] if config is None else [*_settings(config), *_own_settings(config)]


def _settings(config: DestinationConfig) -> Iterator[tuple[str, str]]:
    yield "Type", config.type
    if sends_to := describe(config):
        yield "Sends to", sends_to
    yield "At once", str(config.concurrency)
    if config.rate_limit is not None:
        yield "At most", str(config.rate_limit)
    yield "Time to answer", period(config.timeout_seconds)
    pauses = ", ".join(period(seconds) for seconds in config.retry_seconds)
    yield "Tries again after", pauses or "no failure"
    yield "Gives up after", period(config.give_up_after_seconds)
    if config.max_age_seconds is not None:
        yield "Not older than", period(config.max_age_seconds)
    held = config.on_unknown is OnUnknown.HOLD
    yield "Without an answer", "somebody has to say" if held else "it is sent again"
    if config.timezone != "UTC":
        yield "Times in", config.timezone


def _own_settings(config: DestinationConfig) -> Iterator[tuple[str, str]]:
    """Yield the keys of its own block: of what may be secret the variables alone."""
    kind = find_destination(config.type)
    known = kind.Options.model_fields if kind is not None else {}
    fields = {field.alias or name: field for name, field in known.items()}
    for key, value in config.written.items():
        field = fields.get(key)
        yield key, _as_shown(value, is_open=field is not None and not _is_secret(field.annotation))


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


def _as_shown(value: Any, *, is_open: bool) -> str:
    if isinstance(value, Mapping):
        return ", ".join(map(str, value))
    if isinstance(value, list):
        return ", ".join(_as_shown(item, is_open=is_open) for item in value)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if text.startswith("-----BEGIN"):
        return "written as text"
    if is_open:
        return _VARIABLE.sub(r"${\1}", text)
    variables = dict.fromkeys(_VARIABLE.findall(text))
    return ", ".join(f"${{{name}}}" for name in variables) or MASK


def routes_to(name: str, config: Config) -> list[str]:
    """Return the names of the routes that send to a destination, in the order of routes.yaml."""
    return [route.name for route in config.routes if any(send.to == name for send in route.sends)]
