"""The one word that says whether a destination takes messages."""

from __future__ import annotations

from enum import StrEnum

from hub.model.destination import DestinationConfig, DestinationState


class DestinationStatus(StrEnum):
    """A destination as configuration and store have it; removed is one that the configuration has no more."""

    OK = "ok"
    FAILING = "failing"
    PAUSED = "paused"
    NOT_CONFIGURED = "not_configured"
    DISABLED = "disabled"
    REMOVED = "removed"


def status_of(config: DestinationConfig | None, state: DestinationState | None) -> DestinationStatus:
    """Return the status of a destination, the reason that lasts longest first."""
    if config is None:
        return DestinationStatus.REMOVED
    if not config.enabled:
        return DestinationStatus.DISABLED
    if config.options is None:
        return DestinationStatus.NOT_CONFIGURED
    if state is not None and state.paused_at is not None:
        return DestinationStatus.PAUSED
    if state is not None and state.probe_at is not None:
        return DestinationStatus.FAILING
    return DestinationStatus.OK
