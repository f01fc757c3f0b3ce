"""The user's configuration, changed for a demo: nothing leaves this machine, and samples are chosen."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from hub import catalog
from hub.model.config import Config, SourceConfig
from hub.model.destination import DestinationConfig
from hub.model.routing import event_matches


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An event of the catalog, to be sent by a source."""

    source: SourceConfig
    event_type: str


def confined(config: Config, addresses: Collection[str]) -> Config:
    """Return the configuration with all destinations but the fakes switched off, their addresses gone.

    `addresses` are the fakes' hosts and ports. Rate limits are lifted: they spare real services.
    """
    destinations = {
        name: _confined(destination, addresses) for name, destination in config.destinations.items()
    }
    return replace(config, destinations=destinations)


def samples_to_send(config: Config) -> list[Sample]:
    """Return one sample of each event that an enabled route names, in the order of the routes.

    A pattern stands for all that it matches in the catalog; events that a source ignores are left out.
    """
    samples = {
        (source.name, event_type): Sample(source=source, event_type=event_type)
        for route in config.routes
        if route.enabled
        for source in _sources_of(config, route.sources)
        for pattern in route.events
        for event_type in catalog.event_types()
        if event_matches(pattern, event_type)
        and not any(event_matches(ignored, event_type) for ignored in source.ignore)
    }
    return list(samples.values())


def _sources_of(config: Config, names: tuple[str, ...]) -> Iterator[SourceConfig]:
    """Yield the sources that a route names; the first of all where it names none."""
    named = [source for source in config.sources.values() if source.name in names]
    yield from named if names else list(config.sources.values())[:1]


def _confined(destination: DestinationConfig, addresses: Collection[str]) -> DestinationConfig:
    if destination.options is None or _is_fake(destination.options, addresses):
        return replace(destination, rate_limit=None)
    return replace(destination, enabled=False, options=None)


def _is_fake(options: BaseModel, addresses: Collection[str]) -> bool:
    """Return whether a destination can reach nothing but fakes.

    Some types have an address of their own for when none is written, so one with options but without any
    address may reach anything.
    """
    if not type(options).model_fields:
        return True
    values = options.model_dump(exclude_unset=True).values()
    written = [address for address in map(_address, values) if address is not None]
    return bool(written) and all(address in addresses for address in written)


def _address(value: object) -> str | None:
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    return address_of(text) if isinstance(text, str) and "://" in text else None


def address_of(url: str) -> str:
    """Return host and port of a URL, or the file that it names."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path
