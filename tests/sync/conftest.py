"""An instance of Clerk's on loopback, its API, and a mirror."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.backend_api import SECRET_KEY, ClerkServer

from hub.mirror.mirror import Mirror, MirrorOptions, open_mirror
from hub.model.config import BackendAccess
from hub.sync.api import BackendApi
from hub.sync.lists import LISTED_TABLES
from hub.sync.mirroring import Mirroring


@pytest.fixture
def clerk() -> Iterator[ClerkServer]:
    """An instance that is empty."""
    with ClerkServer() as server:
        yield server


@pytest.fixture
def waits() -> list[float]:
    """The pauses that were asked for, none of which was made."""
    return []


@pytest.fixture
def api(clerk: ClerkServer, waits: list[float]) -> Iterator[BackendApi]:
    reader = BackendApi(
        BackendAccess(secret_key=SECRET_KEY, api_url=clerk.api_url),
        wait=lambda seconds: waits.append(seconds) if seconds else None,
        rate=1e9,
    )
    yield reader
    reader.close()


@pytest.fixture
def mirror_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: a SQLite file, or of the dialect that a test asks for."""
    match getattr(request, "param", "sqlite"):
        case "sqlite":
            return f"sqlite:///{tmp_path / 'app.db'}"
        case "postgres":
            return str(request.getfixturevalue("new_postgres_database")(None))
        case _:
            return str(request.getfixturevalue("new_mariadb_database")())


@pytest.fixture
def open_mirrors(mirror_url: str) -> Iterator[Callable[..., Mirror]]:
    """Opens mirrors on the test's database, as other processes would."""
    opened: list[Mirror] = []

    def another(**options: object) -> Mirror:
        given = {"url": mirror_url, "tables": LISTED_TABLES, **options}
        opened.append(open_mirror(MirrorOptions(**given)))
        return opened[-1]

    yield another
    for mirror in opened:
        mirror.close()


@pytest.fixture
def mirroring(open_mirrors: Callable[..., Mirror], waits: list[float]) -> Mirroring:
    return Mirroring(open_mirrors(), "app-db", waits.append)
