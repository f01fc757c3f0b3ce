"""An instance of Clerk's on loopback, its API, and a mirror on each dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
        wait=waits.append,
        rate=1e9,
    )
    yield reader
    reader.close()


@pytest.fixture
def open_mirrors(empty_url: str) -> Iterator[Callable[..., Mirror]]:
    """Opens mirrors on the test's database, as other processes would."""
    opened: list[Mirror] = []

    def another(**options: object) -> Mirror:
        given = {"url": empty_url, "tables": LISTED_TABLES, **options}
        opened.append(open_mirror(MirrorOptions(**given)))
        return opened[-1]

    yield another
    for mirror in opened:
        mirror.close()


@pytest.fixture
def mirroring(open_mirrors: Callable[..., Mirror], waits: list[float]) -> Mirroring:
    return Mirroring(open_mirrors(), "app-db", waits.append)
