"""The mirrors of a configuration, the source that fills each, and those of its tables that are fed."""

from __future__ import annotations

from dataclasses import dataclass

from hub.destinations.database.options import DatabaseOptions
from hub.errors import HubError, NotFound
from hub.humanize import did_you_mean, enumerated, listed, there_are
from hub.mirror.mirror import MirrorOptions
from hub.model.config import BackendAccess, Config, SourceConfig
from hub.model.routing import Route
from hub.rules.mirrors import fed_tables
from hub.sync.lists import LISTED_TABLES


@dataclass(frozen=True, kw_only=True)
class Target:
    """A mirror that can be filled and compared. `tables` are fed whole and can be listed, parents first."""

    destination: str
    options: MirrorOptions
    verify_seconds: float | None
    source: SourceConfig
    access: BackendAccess
    tables: tuple[str, ...]


def find_target(config: Config, name: str | None) -> Target:
    """Return the mirror of that name, or the only one; raises HubError with the names that there are.

    Its source is that of the routes that mirror into it, else the only one with a secret key.
    """
    names = config.mirrors
    if not names:
        raise HubError(
            "no route mirrors into a database: add a destination of type database, and a route to it"
        )
    if name is None and len(names) > 1:
        raise HubError(f"there are {enumerated(names)}: say which with --to")
    chosen = names[0] if name is None else name
    if chosen not in names:
        raise NotFound(f'no route mirrors into "{chosen}"{did_you_mean(chosen, names, there_are(names, ""))}')
    destination = config.destinations[chosen]
    if not isinstance(destination.options, DatabaseOptions):
        raise HubError(f"{chosen} is not configured: {destination.fault or 'its url is not set'}")
    listed_by_clerk = listed_tables(config, chosen)
    if not listed_by_clerk:
        raise HubError(
            f"no table of {chosen} can be filled or compared: each comes from events alone, or lacks some "
            "that no route sends there; hub check names them"
        )
    source = source_of(config, chosen)
    return Target(
        destination=chosen,
        options=destination.options.mirror,
        verify_seconds=destination.options.verify_seconds,
        source=source,
        access=access_of(source),
        tables=listed_by_clerk,
    )


def listed_tables(config: Config, destination: str) -> tuple[str, ...]:
    """Return the tables of a mirror that are fed whole and that Clerk lists, parents first."""
    fed = fed_tables(config, destination)
    return tuple(table for table in LISTED_TABLES if table in fed)


def source_of(config: Config, destination: str | None = None) -> SourceConfig:
    """Return the source that feeds a mirror, else the only one with a secret key; raises HubError."""
    feeding = [route for route in config.routes if _mirrors_into(route, destination)]
    names = {name for route in feeding for name in route.sources}
    named = [source for source in config.sources.values() if source.name in names]
    if len(named) == 1:
        return named[0]
    with_key = [source for source in named or config.sources.values() if source.backend is not None]
    if len(with_key) == 1:
        return with_key[0]
    if not with_key:
        clerks = listed(source.name for source in named or config.sources.values()) or "a source"
        raise HubError(f"no source has a secret_key: write secret_key: ${{CLERK_SECRET_KEY}} under {clerks}")
    raise HubError(
        f"{enumerated([source.name for source in with_key])} have a secret_key each: "
        "name the one under source of the routes that mirror"
    )


def access_of(source: SourceConfig) -> BackendAccess:
    """Return the way to a source's API; raises HubError where it has no key that can be used."""
    backend = source.backend
    if backend is None:
        raise HubError(f"the source {source.name} has no secret_key: write secret_key: ${{CLERK_SECRET_KEY}}")
    if not backend.secret_key:
        raise HubError(f"secret_key of the source {source.name}: {backend.fault}")
    return backend


def _mirrors_into(route: Route, destination: str | None) -> bool:
    return route.enabled and any(send.to == destination and send.mirrored is not None for send in route.sends)
