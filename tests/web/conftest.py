"""A real store, real rules and the real app, for every test of the web."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import given
import pytest
from flask.testing import FlaskClient
from given_web import PASSWORD, World, a_config

from hub.settings import Settings
from hub.store.open import open_store
from hub.web.sessions import keep_session_key


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    store.migrate()
    world = World(store=store, config=a_config(), settings=Settings(password=PASSWORD))
    yield world
    world.close()
    store.close()


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app().test_client()


@pytest.fixture
def read_only_world(new_postgres_database: Callable[..., str]) -> Iterator[World]:
    """A hub whose database began to read only after it had started once."""
    url = new_postgres_database()
    with closing(open_store(url)) as store:
        keep_session_key(store)
    given.let_only_read(url)
    with closing(open_store(url)) as store:
        yield World(store=store, config=a_config(), settings=Settings(password=PASSWORD))
