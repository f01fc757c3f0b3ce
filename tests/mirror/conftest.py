"""A database of each kind for all tests of mirrors, which have schemas of their own in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from given_mirror import Place

from hub.mirror.mirror import Mirror

DIALECTS = ("sqlite", "postgres", "mariadb")
SERVERS = ("postgres", "mariadb")


@pytest.fixture(scope="session")
def places(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Place]:
    made: dict[str, Place] = {}

    def place(dialect: str) -> Place:
        if dialect not in made:
            folder = tmp_path_factory.mktemp("app")
            make: Callable[[], str] = {
                "sqlite": lambda: f"sqlite:///{folder / 'app.db'}",
                "postgres": lambda: request.getfixturevalue("new_postgres_database")(None),
                "mariadb": lambda: request.getfixturevalue("new_mariadb_database")(),
            }[dialect]
            made[dialect] = Place(dialect, make())
        return made[dialect]

    return place


@pytest.fixture(params=DIALECTS)
def place(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    return places(request.param)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, places: Callable[[str], Place]) -> Place:
    return places(request.param)


@pytest.fixture
def mirror(place: Place) -> Iterator[Mirror]:
    with closing(place.mirror()) as made:
        yield made


@pytest.fixture
def administer(server: Place, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Run statements as somebody who may give rights."""
    if server.dialect == "postgres":
        return lambda *statements: [server.execute(statement) for statement in statements] and None
    execute: Callable[..., None] = request.getfixturevalue("mariadb_server").execute
    return execute


@pytest.fixture
def poor(server: Place, administer: Callable[..., None]) -> Iterator[tuple[str, str]]:
    """The URL of a role that has no rights yet, and its name as a GRANT has it."""
    if server.dialect == "postgres":
        administer("CREATE ROLE poor LOGIN")
        yield server.url.replace("postgres:@", "poor:@"), "poor"
        administer("DROP OWNED BY poor", "DROP ROLE poor")
        return
    administer("CREATE USER poor@'%' IDENTIFIED BY 'poor'")
    yield server.url.replace("hub:not-a-secret", "poor:poor"), "'poor'@'%'"
    administer("DROP USER poor@'%'")
