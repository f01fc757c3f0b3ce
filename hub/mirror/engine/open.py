"""The way from a mirror's URL to its engine: each driver is an extra, and imported where it is needed."""

from __future__ import annotations

from hub.databases.url import MysqlUrl, PostgresUrl, SqliteUrl, parse_mirror_url
from hub.errors import Pause, StoreError
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sqlite import SqliteEngine


def open_engine(url: str, connections: int) -> Engine:
    """Return the engine of a URL. Raises Pause where it is none, or its driver is not installed."""
    try:
        parts = parse_mirror_url(url, "url")
    except StoreError as error:
        raise Pause(str(error)) from error
    match parts:
        case SqliteUrl():
            return SqliteEngine(parts.path, connections)
        case PostgresUrl():
            return _postgres(parts, connections)
        case MysqlUrl():
            return _mysql(parts, connections)


def _postgres(parts: PostgresUrl, connections: int) -> Engine:
    try:
        from hub.mirror.engine.postgres import PostgresEngine
    except ImportError as error:
        raise _no_driver("PostgreSQL", "postgres") from error
    return PostgresEngine(parts, connections)


def _mysql(parts: MysqlUrl, connections: int) -> Engine:
    try:
        from hub.mirror.engine.mysql import MysqlEngine
    except ImportError as error:
        raise _no_driver("MySQL", "mysql") from error
    return MysqlEngine(parts, connections)


def _no_driver(database: str, extra: str) -> Pause:
    return Pause(f"{database} needs its driver: pip install 'fanout-hub[{extra}]'")
