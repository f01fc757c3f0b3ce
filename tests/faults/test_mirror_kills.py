"""A mirror is filled and mended by processes that are killed at any moment: in the end it is as Clerk is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.conftest import Count
from servers.backend_api import SECRET_KEY, ClerkServer
from servers.mirror_filler import Filler
from sqlalchemy import create_engine, text

MAY_MS = 1_777_896_000_000
TABLES = ["users", "organizations"]


@pytest.fixture
def filler() -> Iterator[Filler]:
    with Filler() as program:
        yield program


def database(request: pytest.FixtureRequest, dialect: str, folder: Path) -> str:
    """An empty database of a dialect."""
    if dialect == "sqlite":
        return f"sqlite:///{folder / 'app.db'}"
    return str(request.getfixturevalue("new_postgres_database")(None))


def sql(url: str, *statements: str) -> None:
    """Run statements as somebody with a shell would, the names of tables in braces."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    prefix = "clerk_" if url.startswith("sqlite") else "clerk."
    names = {table: prefix + table for table in (*TABLES, "user_emails")}
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.format(**names)))
    engine.dispose()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("kills", "dialect"),
    [
        (3, "sqlite"),
        pytest.param(50, "sqlite", marks=pytest.mark.full),
        pytest.param(50, "postgres", marks=pytest.mark.full),
    ],
)
def test_a_backfill_and_a_repair_that_are_killed_leave_a_mirror_that_equals_clerk(
    request: pytest.FixtureRequest, filler: Filler, kills: int, dialect: str, count: Count, tmp_path: Path
) -> None:
    url, chance = database(request, dialect, tmp_path), random.Random(kills)
    objects = max(120, 12 * kills)
    with ClerkServer() as clerk:
        clerk.clock_ahead_seconds = 3600
        for number in range(objects):
            clerk.add("users", f"user_{number:05d}", MAY_MS + number // 3)
            clerk.add("organizations", f"org_{number:05d}", MAY_MS + number // 3)
        job = {"url": url, "api_url": clerk.api_url, "secret_key": SECRET_KEY, "tables": TABLES}
        killed = sum(
            filler.kill_after(chance.randint(1, 3), chance.uniform(0, 0.02), act="backfill", limit=5, **job)
            for _ in range(kills)
        )
        filler.run(act="backfill", limit=5, **job)

        assert killed == kills
        assert filler.run(act="verify", **job)["drift"] == []

        sql(
            url,
            "delete from {users} where id < 'user_00020'",
            "update {users} set first_name = 'X' where id > 'user_00020' and id < 'user_00040'",
            "delete from {organizations} where id like '%7'",
        )
        for number in range(41, 41 + 5 * kills):
            clerk.remove("users", f"user_{number:05d}")
        # As after the wait before the second look, which these jobs leave out: what was read in the same
        # second as a row was written is no newer than that row.
        clerk.clock_ahead_seconds += 10
        drift = len(filler.run(act="verify", **job)["drift"])
        killed = sum(
            filler.kill_after(chance.randint(1, 4), chance.uniform(0, 0.005), act="repair", **job)
            for _ in range(kills)
        )
        filler.run(act="repair", **job)

        assert drift == 20 + 19 + objects // 10 + 5 * kills
        assert killed >= kills // 2
        assert filler.run(act="verify", **job)["drift"] == []
    count(times=kills + killed)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_100_000_users_are_read_with_rests_and_a_restart_and_drift_is_found_to_the_row(
    empty_url: str, filler: Filler, count: Count
) -> None:
    users = 100_000
    with ClerkServer() as clerk:
        for number in range(users):
            clerk.add("users", f"user_{number:06d}", MAY_MS + number // 2)
        job = {"url": empty_url, "api_url": clerk.api_url, "secret_key": SECRET_KEY, "tables": ["users"]}
        clerk.limited_every = 20
        assert filler.kill_after(100, 0.02, act="backfill", **job)
        filled = filler.run(act="backfill", **job)
        requests = clerk.requests
        clerk.limited_every = 0
        clerk.clock_ahead_seconds = 3600
        compared = filler.run(act="verify", **job)
        sql(
            empty_url,
            "delete from {users} where id in ('user_000001', 'user_050000', 'user_099999')",
            "update {users} set username = 'x' where id in ('user_000002', 'user_050001', 'user_099998')",
            "delete from {user_emails} where user_id = 'user_033333'",
        )
        for id_ in ("user_000003", "user_050002", "user_099997"):
            clerk.remove("users", id_)
        clerk.clock_ahead_seconds += 10
        found_drift = filler.run(act="repair", **job)["drift"]
        again = filler.run(act="verify", **job)

    assert compared["drift"] == []
    assert found_drift == [
        ["user_emails", "idn_user_033333", "missing"],
        ["users", "user_000001", "missing"],
        ["users", "user_000002", "stale"],
        ["users", "user_000003", "extra"],
        ["users", "user_050000", "missing"],
        ["users", "user_050001", "stale"],
        ["users", "user_050002", "extra"],
        ["users", "user_099997", "extra"],
        ["users", "user_099998", "stale"],
        ["users", "user_099999", "missing"],
    ]
    assert again["drift"] == []
    assert requests < 240
    count(
        times=1,
        events=users,
        requests=requests,
        mib=filled["mib"],
        filled_seconds=filled["seconds"],
        filled_processor_seconds=filled["processor_seconds"],
        verify_seconds=compared["seconds"],
        verify_processor_seconds=compared["processor_seconds"],
        verify_mib=compared["mib"],
    )
