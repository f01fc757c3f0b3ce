"""The mirror that a command of `hub sync` is about: the only one, or the one that `--to` names."""

from __future__ import annotations

from hub.destinations.database.options import DatabaseOptions
from hub.errors import HubError
from hub.humanize import did_you_mean, enumerated
from hub.model.config import Config
from hub.model.destination import DestinationConfig

TO_HELP = "The destination, where several are databases."


def mirror_of(config: Config, name: str | None) -> DestinationConfig:
    """Return the database of that name, or the only one; raises HubError where it is not clear which."""
    databases = {key: value for key, value in config.destinations.items() if value.type == "database"}
    if name is not None:
        if name in databases:
            return databases[name]
        raise HubError(
            f'no database is called "{name}"{did_you_mean(name, databases, _there_are(databases))}'
        )
    if not databases:
        raise HubError("there is no mirror; add a destination with type: database")
    if len(databases) > 1:
        raise HubError(f"there are several databases; choose one: --to {' or --to '.join(databases)}")
    return next(iter(databases.values()))


def options_of(destination: DestinationConfig) -> DatabaseOptions:
    """Return the options of a database; raises HubError where a variable in them is missing or no good."""
    if not isinstance(destination.options, DatabaseOptions):
        raise HubError(f"{destination.name} is not configured: {destination.fault}")
    return destination.options


def _there_are(databases: dict[str, DestinationConfig]) -> str:
    return f"; there is {enumerated(list(databases))}" if databases else "; add one with type: database"
