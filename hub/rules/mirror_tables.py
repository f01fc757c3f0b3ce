"""The tables of mirrors, brought up to date beside the hub's own: `hub migrate`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from hub.destinations.database.options import DatabaseOptions
from hub.errors import ConfigError, SendError
from hub.mirror.mirror import Migration, MirrorOptions, open_mirror
from hub.rules.load import load_config
from hub.settings import Settings
from hub.strings import one_line

MIGRATE_SECONDS = 30.0


def migrate_mirrors(settings: Settings) -> Iterator[str]:
    """Add what is missing in the mirrors' tables, and yield a line about each mirror.

    Nothing here fails a release: a mirror that cannot be reached is one line, and so are files with errors.
    """
    try:
        config = load_config(settings.config_path, settings.templates_path, settings.environment)
    except ConfigError:
        yield "mirrors were left as they are: the configuration has errors (hub check)"
        return
    for name, destination in config.destinations.items():
        if isinstance(destination.options, DatabaseOptions) and name in config.mirrors:
            yield f"{name}: {_migrated(destination.options.mirror, name)}"


def _migrated(options: MirrorOptions, name: str) -> str:
    try:
        with closing(open_mirror(options, name)) as mirror:
            if options.migrate is Migration.PRINT:
                count = len(mirror.pending(timeout_seconds=MIGRATE_SECONDS))
                return _words(count, f"wait for you: hub sync schema --sql --to {name}")
            return _words(len(mirror.migrate(timeout_seconds=MIGRATE_SECONDS)), "made")
    except SendError as error:
        return f"warning: {one_line(error.reason)}"


def _words(count: int, done: str) -> str:
    return f"{count} changes of its tables {done}" if count else "its tables are up to date"
