"""A real store, real rules and the real app, for every test of the web."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import given
import pytest
from flask.testing import FlaskClient
from given_web import PASSWORD, World, a_config
from playwright.sync_api import Browser, expect

from hub.settings import Settings
from hub.store.open import open_store
from hub.web.sessions import keep_session_key
from pictures.browser import find_program, opened


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests of a process: to start one and to end it takes longer than most of them."""
    program = find_program()
    if program is None:
        pytest.skip("no Chromium or Chrome is installed here: the page was not tried in a browser")
    # A machine that is busy with other tests is slow.
    expect.set_options(timeout=30_000)
    with opened(program) as chromium:
        yield chromium


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
