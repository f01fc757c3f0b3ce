"""The mirror: rows written in pages beside a bare insert of them, and events mirrored beside forwarded."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import create_engine, insert

from bench.databases import fresh_settings
from bench.endpoint import fast_endpoint
from bench.figure import Figure, Pair, dialect, paired
from bench.rates import in_threads
from bench.server import config_of, destination, worker
from hub import catalog
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules, load_rules
from hub.mirror.changes import Change
from hub.mirror.engine.column_types import to_json
from hub.mirror.engine.open import open_engine
from hub.mirror.engine.sql_tables import SqlTables
from hub.mirror.mirror import MirrorOptions, open_mirror
from hub.mirror.reading import change_of_event
from hub.model.event import Event, new_id
from hub.model.routing import Route, Send
from hub.settings import Settings
from hub.store.open import open_store
from hub.store.store import Store

PAGE = 500
CONCURRENCY = 4
SECONDS = 60.0
TYPE = "user.created"
INSTANCE = "ins_bench"


def pages_written(postgres_url: str | None, count: int = 6000) -> Figure:
    """Users written in pages, conditional and with their addresses ÷ a bare executemany of the same rows."""
    changes = [_user(number) for number in range(count)]
    pages = [changes[start : start + PAGE] for start in range(0, count, PAGE)]

    def measure() -> Pair:
        with _mirror_url(postgres_url) as url:
            return _mirrored_rows(url, pages), _bare_rows(url, pages)

    name = f"users/s mirrored in pages, {dialect(postgres_url)} ÷ a bare executemany"
    return Figure(name, 0.4, 0.6, *paired(measure), "users/s")


def events_mirrored(postgres_url: str | None, count: int = 2000) -> Figure:
    """Events of users mirrored by one worker ÷ the same forwarded to a fast HTTP endpoint."""

    def measure() -> Pair:
        return _mirrored_events(postgres_url, count), _forwarded_events(postgres_url, count)

    name = f"events/s mirrored, {dialect(postgres_url)} ÷ forwarded by HTTP"
    must, aim = (None, None) if postgres_url is None else (0.5, 0.8)
    return Figure(name, must, aim, *paired(measure), "events/s")


@contextmanager
def _mirror_url(postgres_url: str | None) -> Iterator[str]:
    """The URL of an empty database for a mirror."""
    if postgres_url is None:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield f"sqlite:///{Path(folder) / 'app.db'}"
        return
    name = f"bench_{time.monotonic_ns()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield postgres_url.replace("/postgres?", f"/{name}?")
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _data(number: int) -> dict[str, Any]:
    data: dict[str, Any] = catalog.sample(TYPE)["data"]
    return {**data, "id": f"user_{number:026d}"}


def _user(number: int) -> Change:
    return change_of_event(TYPE, _data(number), event_id="msg", timestamp_ms=1700000000000, leave_out=())


def _mirrored_rows(url: str, pages: Sequence[Sequence[Change]]) -> float:
    with closing(open_mirror(MirrorOptions(url=url, tables=("users",)))) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        began = time.monotonic()
        for page in pages:
            mirror.apply_page(page, state={"page": page[0].id}, timeout_seconds=SECONDS)
        return sum(map(len, pages)) / (time.monotonic() - began)


def _bare_rows(url: str, pages: Sequence[Sequence[Change]]) -> float:
    """The same rows, as SQLAlchemy hands them to the driver, in tables of the same columns."""
    with closing(open_mirror(MirrorOptions(url=url, schema="bare", tables=("users",)))) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
    tables = SqlTables(open_engine(url, 1), "bare", ("users",)).mirrored
    place = url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(place, json_serializer=to_json)
    batches = [_rows_by_table(page) for page in pages]
    began = time.monotonic()
    for rows in batches:
        with engine.begin() as connection:
            for name, of_table in rows.items():
                connection.execute(insert(tables[name]), of_table)
    seconds = time.monotonic() - began
    engine.dispose()
    return sum(map(len, pages)) / seconds


def _rows_by_table(page: Sequence[Change]) -> dict[str, list[dict[str, Any]]]:
    """The rows of users, of their emails and of their phones."""
    own = {"_updated_at": 1, "_seen_at": 1, "_event_id": "msg", "_synced_at": 1}
    rows = {"users": [{**change.values, "id": change.id, **own} for change in page]}
    for change in page:
        for name, of_user in change.rows.items():
            rows.setdefault(name, []).extend({**row, "user_id": change.id} for row in of_user)
    return rows


def _mirrored_events(postgres_url: str | None, count: int) -> float:
    """Events that are owed before the worker starts, until the last one's row is there."""
    with _mirror_url(postgres_url) as url, fresh_settings(postgres_url) as settings:
        rules = _rules("database", url)
        _owe(settings, rules, count)
        with closing(open_mirror(MirrorOptions(url=url, tables=("users",)))) as mirror:
            mirror.migrate(timeout_seconds=SECONDS)
            began = time.monotonic()
            with worker(settings, rules):
                while mirror.count("users", timeout_seconds=SECONDS) < count:
                    if time.monotonic() - began > 4 * SECONDS:
                        raise TimeoutError("not all events were mirrored")
                    time.sleep(0.05)
                return count / (time.monotonic() - began)


def _forwarded_events(postgres_url: str | None, count: int) -> float:
    with fast_endpoint() as endpoint, fresh_settings(postgres_url) as settings:
        rules = _rules("http", endpoint.url)
        _owe(settings, rules, count)
        began = time.monotonic()
        with worker(settings, rules):
            endpoint.expect(count, 4 * SECONDS)
            return float(count / (endpoint.last_at.value - began))


def _rules(type_: str, url: str) -> Rules:
    place = destination("to", url, CONCURRENCY, type_)
    route = Route(name="users", events=(TYPE,), sends=(Send(to="to", fields={}),))
    return load_rules(config_of({"to": place}, (route,)))


def _owe(settings: Settings, rules: Rules, count: int) -> None:
    """Take in events of as many users, as if they had been received."""
    numbers = itertools.count()

    def take_in(store: Store) -> None:
        now = datetime.now(UTC)
        body = {**catalog.sample(TYPE), "data": _data(next(numbers)), "instance_id": INSTANCE}
        event = Event(
            id=new_id("evt", now),
            source="clerk",
            message_id=new_id("msg", now),
            type=TYPE,
            payload=json.dumps(body).encode(),
            received_at=now,
        )
        fan_out(event, rules, store)

    with closing(open_store(settings.database_url)) as store:
        in_threads(lambda: take_in(store), count)
