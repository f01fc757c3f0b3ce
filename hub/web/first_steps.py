"""The first steps of a hub that has sent nothing yet, each ticked once the hub saw it happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hub.health.facts import Facts
from hub.humanize import counted, enumerated
from hub.model.config import Config
from hub.settings import Settings
from hub.store.store import Transaction

SAMPLE = "waitlistEntry.created"


class StepKind(StrEnum):
    """A step, in the order in which they are taken."""

    REACH = "reach"
    SECRET = "secret"  # noqa: S105
    EVENT = "event"
    MESSAGE = "message"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step; the first that is not done stands `open`, with all that it takes."""

    kind: StepKind
    done: bool
    open: bool = False


def steps(config: Config, snapshot: Transaction) -> list[Step]:
    """Return the steps of a hub that never delivered anything; none of any other. Raises StoreError."""
    if snapshot.metrics.has_delivered():
        return []
    return steps_of(config, asked=snapshot.sources.was_asked(), has_event=snapshot.numbers.has_event())


def steps_of(config: Config, *, asked: bool, has_event: bool) -> list[Step]:
    """Return the steps before a first delivery, of what was seen to happen."""
    done = {
        StepKind.REACH: asked or has_event,
        StepKind.SECRET: all(source.signing.secrets for source in config.sources.values()),
        StepKind.EVENT: has_event,
        StepKind.MESSAGE: False,
    }
    first_open = next(kind for kind in StepKind if not done[kind])
    return [Step(kind=kind, done=done[kind], open=kind is first_open) for kind in StepKind]


def headline(steps: Sequence[Step]) -> str:
    """Return the title of a hub that is being set up: `3 steps to the first message`."""
    return f"{counted(sum(not step.done for step in steps), 'step')} to the first message"


def trigger_command(base_url: str) -> str:
    """Return the command that posts a sample to the hub at that URL, as it works in any shell."""
    is_default = base_url == Settings().local_url
    return f"hub trigger {SAMPLE}" + ("" if is_default else f" --url {base_url}")


def waits_for(facts: Facts) -> Mapping[str, str]:
    """Return the variables that each destination waits for, as part of a sentence."""
    configs = facts.config.destinations.values() if facts.config is not None else ()
    return {
        config.name: enumerated(config.missing)
        for config in configs
        if config.enabled and config.missing and not facts.is_configured(config.name)
    }
