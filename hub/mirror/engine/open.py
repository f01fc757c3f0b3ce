"""The way from a mirror's URL to its engine: each driver is an extra, and imported where it is needed."""

from __future__ import annotations

from hub.databases.url import MysqlUrl, PostgresUrl, SqliteUrl, parse_mirror_url
from hub.errors import Pause, StoreError
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sqlite import SqliteEngine
from hub.transport.certificates import NO_CERTIFICATES, Certificates


def open_engine(url: str, connections: int, certificates: Certificates = NO_CERTIFICATES) -> Engine:
    """Return the engine of a URL. Raises Pause where it is none, or its driver is not installed."""
    try:
        parts = parse_mirror_url(url, "url")
    except StoreError as error:
        raise Pause(str(error)) from error
    match parts:
        case SqliteUrl():
            return SqliteEngine(parts.path, connections)
        case PostgresUrl():
            return _postgres(parts, connections, certificates)
        case MysqlUrl():
            return _mysql(parts, connections, certificates)


def _postgres(parts: PostgresUrl, connections: int, certificates: Certificates) -> Engine:
    try:
        from hub.mirror.engine.postgres import PostgresEngine
    except ImportError as error:
        raise _no_driver("PostgreSQL", "postgres") from error
    return PostgresEngine(parts, connections, certificates)


def _mysql(parts: MysqlUrl, connections: int, certificates: Certificates) -> Engine:
    try:
        from hub.mirror.engine.mysql import MysqlEngine
    except ImportError as error:
        raise _no_driver("MySQL", "mysql") from error
    return MysqlEngine(parts, connections, certificates)


def _no_driver(database: str, extra: str) -> Pause:
    return Pause(f"{database} needs its driver: pip install 'fanout-hub[{extra}]'")
