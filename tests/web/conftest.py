"""A real store, real rules and the real app, for every test of the web."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from given_web import PASSWORD, World, a_config

from hub.settings import Settings
from hub.store.open import open_store


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = open_store(f"sqlite:///{tmp_path / 'hub.db'}")
    store.migrate()
    yield World(store=store, config=a_config(), settings=Settings(password=PASSWORD))
    store.close()


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.app().test_client()
