"""The places behind destinations, as their types tell them, without a secret."""

from __future__ import annotations

from hub.destinations.base import find_destination
from hub.model.destination import DestinationConfig


def describe(config: DestinationConfig) -> str | None:
    """Return where a destination sends to, as its type tells it; None while it is not configured."""
    return _asked(config, "describe")


def server_of(config: DestinationConfig) -> str | None:
    """Return the host that a destination talks to; that is where it sends to but for mail."""
    return _asked(config, "server")


def _asked(config: DestinationConfig, method: str) -> str | None:
    kind = find_destination(config.type)
    if kind is None or config.options is None:
        return None
    opened = kind(config.options, config.name)  # type: ignore[arg-type]  # its own, validated options
    try:
        place: str = getattr(opened, method)()
        return place
    finally:
        opened.close()
