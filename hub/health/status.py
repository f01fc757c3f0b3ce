"""The one word that says whether a destination takes messages."""

from __future__ import annotations

from enum import StrEnum

from hub.health.facts import Facts


class DestinationStatus(StrEnum):
    """A destination as configuration and store have it; removed is one that the configuration has no more."""

    OK = "ok"
    FAILING = "failing"
    PAUSED = "paused"
    NOT_CONFIGURED = "not_configured"
    DISABLED = "disabled"
    REMOVED = "removed"


def status_of(destination: str, facts: Facts) -> DestinationStatus:
    """Return the status of a destination, the reason that lasts longest first."""
    config, state = facts.destination_config(destination), facts.state(destination)
    if config is None:
        return DestinationStatus.REMOVED
    if not config.enabled:
        return DestinationStatus.DISABLED
    if not facts.is_configured(destination):
        return DestinationStatus.NOT_CONFIGURED
    if state.paused_at is not None:
        return DestinationStatus.PAUSED
    return DestinationStatus.FAILING if state.probe_at is not None else DestinationStatus.OK
