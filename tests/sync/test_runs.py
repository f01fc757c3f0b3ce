"""A run over a whole mirror: what is owed is no drift, and the store keeps what was found out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import given
import pytest
from servers.backend_api import SECRET_KEY, ClerkServer

from hub.destinations.database.options import DatabaseOptions
from hub.errors import HubError, NotFound
from hub.mirror.tables import event_types_of
from hub.model.config import BackendAccess, Config
from hub.model.mirror import MirrorTable
from hub.model.routing import Route, Send
from hub.store.open import open_store
from hub.store.store import Store
from hub.sync.backfill import backfill
from hub.sync.pull import pull
from hub.sync.repair import MaxDeletes
from hub.sync.runs import keep_backfill, opened, verify
from hub.sync.targets import find_target

MAY_MS = 1_777_896_000_000
ACCESS = BackendAccess(secret_key=SECRET_KEY, api_url="http://127.0.0.1:9")


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    opened_store = open_store(sqlite_url)
    yield opened_store
    opened_store.close()


def config_of(folder: Path, *sources: tuple[str, BackendAccess | None], only: tuple[str, ...] = ()) -> Config:
    """A configuration with a mirror of users and roles, whose roles are fed in part."""
    tables = ["users", "roles"]
    options = DatabaseOptions.model_validate({"url": f"sqlite:///{folder / 'app.db'}", "tables": tables})
    mirror = replace(
        given.destination("app-db"), type="database", options=options, written={"url": "x", "tables": tables}
    )
    types = frozenset((*event_types_of("users"), "role.created"))
    route = Route(
        name="mirror",
        events=("user.*", "role.created"),
        sends=(Send(to="app-db", mirrored=types),),
        sources=only,
    )
    return given.config(
        route,
        destinations=(mirror,),
        sources=tuple(given.source(name, path=f"/{name}", backend=access) for name, access in sources),
    )


def test_what_is_owed_is_no_drift_and_the_rest_is_kept_and_mended(
    store: Store, clerk: ClerkServer, tmp_path: Path
) -> None:
    for number in range(3):
        clerk.add("users", f"user_{number}", MAY_MS + number)
    target = find_target(
        config_of(tmp_path, ("clerk", BackendAccess(secret_key=SECRET_KEY, api_url=clerk.api_url))), None
    )

    def users() -> MirrorTable:
        with store.read() as snapshot:
            return next(one for one in snapshot.mirrors.all()["app-db"] if one.name == "users")

    with opened(target, wait=lambda _: None, rate=1e9) as (api, mirroring):
        backfill(api, mirroring, target.tables)
        keep_backfill(store, target, mirroring, target.tables)
        filled = users()
        with store.transaction() as transaction:
            transaction.mirrors.keep("app-db", "invitations", missing=7, verified_at=transaction.now)
            transaction.mirrors.keep_failure("app-db", "Clerk was away")
        clerk.clock_ahead_seconds = 3600
        for number in range(2):
            clerk.change("users", f"user_{number}", first_name="New", updated_at=MAY_MS + 10)
        owed = given.event("user.updated", data={"id": "user_0"})
        store.write(lambda tx: given.keep(tx, owed, given.routing("app-db")))
        runs = [
            list(verify(store, target, api, mirroring, max_deletes=most, wait=lambda _: None))
            for most in (None, MaxDeletes(), None)
        ]

    with store.read() as snapshot:
        known = {table.name for table in snapshot.mirrors.all()["app-db"]}
        failures = snapshot.mirrors.failures()

    assert target.tables == ("users",)
    assert failures == {}
    assert known == {"users", "user_emails", "user_phones"}
    assert (filled.rows, filled.drift, filled.verified_at) == (3, 0, None)
    assert filled.backfilled_at is not None
    assert [[one.id for one in run[0].comparison.drift] for run in runs] == [["user_1"], ["user_1"], []]
    assert [sum(run[0].drift["users"].values()) for run in runs] == [1, 0, 0]
    assert (users().rows, users().stale, users().backfilled_at) == (3, 0, filled.backfilled_at)
    assert users().verified_at is not None


def test_a_mirror_of_another_instance_is_neither_compared_nor_written(
    store: Store, clerk: ClerkServer, tmp_path: Path
) -> None:
    clerk.add("users", "user_1", MAY_MS)
    access = BackendAccess(secret_key=SECRET_KEY, api_url=clerk.api_url)
    target = find_target(config_of(tmp_path, ("clerk", access)), None)
    with opened(target, wait=lambda _: None, rate=1e9) as (api, mirroring):
        backfill(api, mirroring, target.tables)
        clerk.instance_id = "ins_other"
        clerk.change("users", "user_1", first_name="Other", updated_at=MAY_MS + 10)
        with pytest.raises(HubError, match=r"ins_2xLoopback.*ins_other"):
            list(verify(store, target, api, mirroring, max_deletes=MaxDeletes(), wait=lambda _: None))
        with pytest.raises(HubError, match=r"ins_2xLoopback.*ins_other"):
            pull(api, mirroring, target.tables, "user_1")
        row = mirroring.mirror.find("users", ["user_1"], timeout_seconds=30)["user_1"]

    assert row["first_name"] != "Other"


@pytest.mark.parametrize(
    ("sources", "only", "name", "expected"),
    [
        ((("a", None), ("b", ACCESS)), (), None, "b"),
        ((("a", ACCESS), ("b", ACCESS)), ("a",), "app-db", "a"),
        (
            (("a", ACCESS), ("b", ACCESS)),
            (),
            None,
            "a and b have a secret_key each: name the one",
        ),
        (
            (("a", None),),
            (),
            None,
            "no source has a secret_key: write secret_key: ${CLERK_SECRET_KEY} un",
        ),
        ((("a", None), ("b", ACCESS)), ("a",), None, "the source a has no secret_key: write secret_key"),
        ((("a", ACCESS),), (), "app-bd", 'no route mirrors into "app-bd"; did you mean "app-db"?'),
    ],
)
def test_the_source_is_that_of_the_routes_or_the_only_one_with_a_key(
    tmp_path: Path,
    sources: tuple[tuple[str, BackendAccess | None], ...],
    only: tuple[str, ...],
    name: str | None,
    expected: str,
) -> None:
    config = config_of(tmp_path, *sources, only=only)
    try:
        chosen = find_target(config, name).source.name
    except (HubError, NotFound) as error:
        chosen = str(error)

    assert chosen.startswith(expected)
