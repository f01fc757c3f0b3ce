"""Databases for the tests: a SQLite file or a database of one real PostgreSQL, migrated, for each test."""

from __future__ import annotations

import gc
import itertools
import locale
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from hypothesis import settings

from hub.process.logs import set_up_logs
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import metadata

sys.path.insert(0, str(Path(__file__).parent))

from patience import USUAL_BOUNDS, USUAL_SETTINGS, be_patient

be_patient()

# Of a shell in which a hub runs, or will.
_OF_A_HUB = re.compile(
    r"(HUB|CLERK|CRM|SLACK|SMTP|EMAIL)_.*|PORT|DATABASE_URL|WEB_CONCURRENCY|DYNO|RENDER|RAILWAY_.*|FLY_.*"
)
for _name in filter(_OF_A_HUB.fullmatch, list(os.environ)):
    del os.environ[_name]

# What a test asks of its own servers goes to no proxy of this machine.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = f"{os.environ.get('NO_PROXY', '')},127.0.0.1,localhost,::1"

# A shell may name a locale that is not installed here, with which no PostgreSQL begins.
_locale = locale.setlocale(locale.LC_ALL)
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    os.environ["LC_ALL"] = "C"
locale.setlocale(locale.LC_ALL, _locale)

# A shell that runs this in the background ignores SIGINT, which every program started here would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("hub", deadline=None, derandomize=True, database=None, max_examples=60)
settings.register_profile("full", settings.get_profile("hub"), max_examples=500)
settings.load_profile("hub")

DIALECTS = ("sqlite", "postgres")

_FILLED = "SELECT name FROM unnest(%s::text[]) AS name WHERE pg_relation_size(name::regclass) > 0"
MIRROR_DIALECTS = (*DIALECTS, "mariadb")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="all at full length (make faults: the fault tests)")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--full"):
        settings.load_profile("full")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: while a test waits for a program or a clock, another runs."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--full` leave out what takes long and proves what a shorter test proves in another way."""
    if not config.getoption("--full"):
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("full")]
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = slow_first(items, workers)


SLOW = ("faults", "process", "journeys")
"""The folders of tests that start programs and wait for them."""


def slow_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Let each of so many workers, which get a part of the items each, begin with some of the slow files.

    What is quick is left for the end, when those that are done take over from the others.
    """
    rest = [item for item in items if item.path.parent.name not in SLOW]
    slow = [item for item in items if item.path.parent.name in SLOW]
    parts: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, (_, its_items) in enumerate(itertools.groupby(slow, key=lambda item: item.path)):
        parts[number % workers] += its_items
    for part in parts:
        count = max(len(items) // workers - len(part), 0)
        part += rest[:count]
        del rest[:count]
    return [*itertools.chain.from_iterable(parts), *rest]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL of its own for this run, on a Unix socket; its `hub_template` database is migrated."""
    from servers.postgres import started_postgres

    # Not below pytest's folder: run as root, the server is another user's, and pytest closes that to others.
    folder = tempfile.mkdtemp(prefix="hub-postgres-")
    server = started_postgres(f"{folder}/data")
    url = server.get_uri()
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in ("fsync = off", "full_page_writes = off", "max_connections = 300"):
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE hub_template")
        _migrate(_on_database(url, "hub_template"))
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def new_postgres_database(postgres_url: str) -> Callable[..., str]:
    """Makes a database and returns its URL: migrated, or empty with `template=None`."""
    numbers = itertools.count(1)

    def make(template: str | None = "hub_template") -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
        return _on_database(postgres_url, name)

    return make


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Any]:
    """A MariaDB of its own for this run; without one here the test is skipped, and counted so."""
    from servers.mariadb import MariaDb, missing

    reason = missing()
    if reason:
        pytest.skip(reason)
    with MariaDb() as server:
        yield server


@pytest.fixture(scope="session")
def new_mariadb_database(mariadb_server: Any) -> Callable[[], str]:
    """Makes an empty database and returns its URL."""
    make: Callable[[], str] = mariadb_server.new_database
    return make


@pytest.fixture(params=MIRROR_DIALECTS)
def mirror_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database for a mirror, of each kind; on SQLite the file is not there yet."""
    match request.param:
        case "sqlite":
            return f"sqlite:///{tmp_path / 'app.db'}"
        case "postgres":
            return str(request.getfixturevalue("new_postgres_database")(None))
        case _:
            return str(request.getfixturevalue("new_mariadb_database")())


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def shared_postgres_database(new_postgres_database: Callable[..., str]) -> str:
    """A database for all tests that leave nothing but rows behind: emptying one is faster than making one."""
    return new_postgres_database()


@pytest.fixture
def postgres_store_url(shared_postgres_database: str) -> str:
    """A migrated, empty PostgreSQL database."""
    with psycopg.connect(shared_postgres_database, autocommit=True) as connection:
        # Of an empty table too it takes longer than all else.
        filled = connection.execute(_FILLED, [list(metadata.tables)]).fetchall()
        if filled:
            connection.execute(f"TRUNCATE {', '.join(name for (name,) in filled)}")
    return shared_postgres_database


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated, empty SQLite database."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'hub.db')}"


@pytest.fixture
def sqlite_store_url(sqlite_url: str) -> str:
    """The same, as the counterpart of `postgres_store_url`."""
    return sqlite_url


@pytest.fixture(params=DIALECTS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables, on each dialect; on SQLite the file is not there yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    return request.getfixturevalue("new_postgres_database")(None)


@pytest.fixture(params=DIALECTS)
def store_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database, on each dialect."""
    return request.getfixturevalue(f"{request.param}_store_url")


@pytest.fixture
def open_stores(store_url: str) -> Iterator[Callable[..., Store]]:
    """Opens stores on the test's database, as other processes would, and closes them afterwards."""
    opened: list[Store] = []

    def another(connections: int = 3) -> Store:
        opened.append(open_store(store_url, connections))
        return opened[-1]

    yield another
    for store in opened:
        store.close()


@pytest.fixture
def store(open_stores: Callable[..., Store]) -> Store:
    """A store, on each dialect."""
    return open_stores()


@pytest.fixture
def usual_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own bounds, for a store that the test opens."""
    for settings_of_sessions, name, value in USUAL_SETTINGS:
        monkeypatch.setitem(settings_of_sessions, name, value)
    for place, name, value in USUAL_BOUNDS:
        monkeypatch.setattr(place, name, value)


@pytest.fixture
def nothing_left_over() -> None:
    """For a test that goes down to the limit of recursion.

    What others left for the garbage collector is finalized before: down there that is an error, which
    pytest counts as this test's.
    """
    gc.collect()


def _migrate(url: str) -> None:
    store = open_store(url)
    store.migrate()
    store.close()


def _on_database(url: str, name: str) -> str:
    """The server's URL, for another of its databases."""
    before, _, options = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}?{options}"


@pytest.fixture(autouse=True)
def no_log_left_over() -> Iterator[None]:
    """Take the log off the root logger that a test set up: its stream is closed with the test."""
    yield
    for handler in list(logging.root.handlers):
        if type(handler) is logging.StreamHandler:
            logging.root.removeHandler(handler)


@pytest.fixture
def plain_log() -> Iterator[None]:
    """The hub's own log: structlog's default writes every local variable beside a traceback."""
    set_up_logs("text", "warning")
    yield
    structlog.reset_defaults()
