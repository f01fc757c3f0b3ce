"""A destination's page in words: what failed of late, and how it is set up, without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from hub.humanize import counted, span
from hub.model.config import Config
from hub.model.delivery import Outcome
from hub.model.destination import DestinationConfig, OnUnknown
from hub.model.stats import FailureCause
from hub.web.serializers import describe

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def day_in_words(sent: int, failures: Sequence[FailureCause]) -> str:
    """Return the last day in numbers: `188 sent, 61 failed attempts, 2 without an answer`."""
    failed = sum(cause.attempts for cause in failures if cause.outcome is Outcome.FAILED)
    unknown = sum(cause.attempts for cause in failures if cause.outcome is Outcome.UNKNOWN)
    parts = [f"{sent:,} sent"]
    if failed:
        parts.append(counted(failed, "failed attempt"))
    if unknown:
        parts.append(f"{counted(unknown, 'attempt')} that may have arrived")
    return ", ".join(parts)


def settings_of(config: DestinationConfig | None) -> list[tuple[str, str]]:
    """Return how a destination is set up: of its own block the variables alone. Empty where it is gone."""
    return [] if config is None else list(_settings(config))


def _settings(config: DestinationConfig) -> Iterator[tuple[str, str]]:
    yield "Type", config.type
    if sends_to := describe(config):
        yield "Sends to", sends_to
    variables = dict.fromkeys(_VARIABLE.findall(json.dumps(dict(config.written), default=str)))
    if variables:
        yield "Set by", ", ".join(variables)
    yield "At once", str(config.concurrency)
    if config.rate_limit is not None:
        yield "At most", str(config.rate_limit)
    yield "Time to answer", span(config.timeout_seconds)
    yield "Tries", f"{len(config.retry_seconds) + 1}, for {span(config.give_up_after_seconds)} at most"
    if config.max_age_seconds is not None:
        yield "Not older than", span(config.max_age_seconds)
    held = config.on_unknown is OnUnknown.HOLD
    yield "Without an answer", "somebody has to say" if held else "it is sent again"


def routes_to(name: str, config: Config) -> list[str]:
    """Return the names of the routes that send to a destination, in the order of routes.yaml."""
    return [route.name for route in config.routes if any(send.to == name for send in route.sends)]
