"""What keeps a demo on this machine, and which samples it sends: the user's configuration, seen by a demo."""

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
    """An event of the catalog to be sent by a source."""

    source: SourceConfig
    event_type: str


def confined(config: Config, addresses: Collection[str]) -> Config:
    """The configuration with every destination that is none of the stand-ins switched off, its address gone.

    `addresses` are the stand-ins' hosts and ports. Rate limits are lifted: they spare real places.
    """
    places = {name: _confined(place, addresses) for name, place in config.destinations.items()}
    return replace(config, destinations=places)


def samples_to_send(config: Config) -> list[Sample]:
    """One sample of each event that an enabled route names, in the order of the routes.

    A pattern stands for what it matches in the catalog; what a source ignores is left out.
    """
    found = {
        (source.name, event_type): Sample(source=source, event_type=event_type)
        for route in config.routes
        if route.enabled
        for source in _sources_of(config, route.sources)
        for pattern in route.events
        for event_type in catalog.event_types()
        if event_matches(pattern, event_type)
        and not any(event_matches(ignored, event_type) for ignored in source.ignore)
    }
    return list(found.values())


def _sources_of(config: Config, names: tuple[str, ...]) -> Iterator[SourceConfig]:
    """The sources that a route names; the first of all where it names none."""
    named = [source for source in config.sources.values() if source.name in names]
    yield from named if names else list(config.sources.values())[:1]


def _confined(place: DestinationConfig, addresses: Collection[str]) -> DestinationConfig:
    if place.options is None or _stays(place.options, addresses):
        return replace(place, rate_limit=None)
    return replace(place, enabled=False, options=None)


def _stays(options: BaseModel, addresses: Collection[str]) -> bool:
    """Whether a destination can reach nothing but stand-ins.

    Some types have an address of their own for when none is written, so one with options but without any
    address may reach anything.
    """
    if not type(options).model_fields:
        return True
    written = [_address(value) for value in options.model_dump(exclude_unset=True).values()]
    found = [address for address in written if address is not None]
    return bool(found) and all(address in addresses for address in found)


def _address(value: object) -> str | None:
    """Host and port of a URL; None for any other value."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(text, str) or "://" not in text:
        return None
    return urlsplit(text).netloc.rpartition("@")[2]
