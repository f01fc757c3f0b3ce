"""Rows wait for a right or a column of their table alone, and say which statement lets them go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

import pytest
from given_mirror import SECONDS, Place, apply, new_mirror, organization, own_change, user

from hub.errors import Pause, SendError
from hub.mirror.changes import Change, OwnChange
from hub.mirror.mirror import Mirror

ALL = "SELECT, INSERT, UPDATE, DELETE"
TABLES = ("users", "organizations")
COLUMNS = {"users": "last_name", "organizations": "slug"}


def wait(mirror: Mirror, change: Change | OwnChange) -> Pause:
    """The wait of a row that is refused."""
    with pytest.raises(Pause) as refused:
        write(mirror, change)
    return refused.value


def write(mirror: Mirror, change: Change | OwnChange) -> str:
    if isinstance(change, OwnChange):
        return mirror.write(change, timeout_seconds=SECONDS).value
    return apply(mirror, change)


def still_lacking(mirror: Mirror, needs: Sequence[str]) -> set[str]:
    return mirror.lacking(needs, timeout_seconds=SECONDS)


def statements_of(error: SendError) -> list[str]:
    """The statements that a reason asks for."""
    _, _, cure = error.reason.partition("; run ")
    return cure.replace(", and it goes on", "; it goes on").split("; ")[:-1]


def granted_on(server: Place, mirror: Mirror, rights: str, grantee: str) -> list[str]:
    """The statements that give a role rights to every table of a mirror."""
    if server.dialect == "mariadb":
        return [f"GRANT {rights} ON {server.url.rpartition('/')[2]}.* TO {grantee}"]
    schema = mirror.options.schema
    return [
        f"GRANT USAGE ON SCHEMA {schema} TO {grantee}",
        f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO {grantee}",
    ]


def test_a_column_that_the_role_may_not_add_is_waited_for(
    server: Place, administer: Callable[..., None], poor: tuple[str, str]
) -> None:
    url, grantee = poor
    with (
        closing(server.mirror(tables=TABLES)) as owner,
        closing(new_mirror(url, schema=owner.options.schema, tables=TABLES)) as mirror,
    ):
        owner.migrate(timeout_seconds=SECONDS)
        administer(*granted_on(server, owner, ALL, grantee))
        for table in TABLES:
            server.execute(f"ALTER TABLE {server.name(owner, table)} DROP COLUMN {COLUMNS[table]}")
        if server.dialect == "postgres":
            server.execute(f"ALTER TABLE {server.name(owner, 'organizations')} OWNER TO poor")
        else:
            table = server.name(owner, "organizations")
            administer(*in_database(server, [f"GRANT ALTER ON {table} TO {grantee}"]))
        refused = wait(mirror, user("u"))
        others = write(mirror, organization("o"))
        before = still_lacking(mirror, refused.needs)
        owner.migrate(timeout_seconds=SECONDS)

        column = f"{server.name(owner, 'users')}.last_name"
        assert refused.needs == ("users",)
        assert refused.reason.startswith(f"{column} is missing and cannot be added here (the database says: ")
        assert "; run what `hub sync schema --sql` prints as a role that may" in refused.reason
        assert (others, before) == ("inserted", {"users"})
        assert still_lacking(mirror, refused.needs) == set()
        assert write(mirror, user("u")) == "inserted"


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
@pytest.mark.parametrize("is_there", [False, True])
def test_a_schema_that_the_role_may_not_make_is_waited_for(
    is_there: bool, server: Place, poor: tuple[str, str]
) -> None:
    schema = f"theirs_{is_there}".lower()
    if is_there:
        server.execute(f"CREATE SCHEMA {schema}")
    with closing(new_mirror(poor[0], schema=schema, tables=("users",))) as mirror:
        refused = wait(mirror, user("u"))
        before = still_lacking(mirror, refused.needs)
        if not is_there:
            server.execute(f"CREATE SCHEMA {schema}")
        server.execute(f"GRANT ALL ON SCHEMA {schema} TO poor")

        assert "missing and cannot be added here (the database says: permission denied for" in refused.reason
        assert set(refused.needs) == before == {"users", "user_emails", "user_phones"}
        assert still_lacking(mirror, refused.needs) == set()
        assert write(mirror, user("u")) == "inserted"


def test_a_right_to_a_table_is_waited_for(
    server: Place, administer: Callable[..., None], poor: tuple[str, str]
) -> None:
    url, grantee = poor
    with (
        closing(server.mirror(tables=TABLES)) as owner,
        closing(new_mirror(url, schema=owner.options.schema, tables=TABLES)) as mirror,
    ):
        owner.migrate(timeout_seconds=SECONDS)
        administer(*granted_on(server, owner, "SELECT", grantee))
        refused = wait(mirror, organization("o"))
        before = still_lacking(mirror, refused.needs)
        administer(*in_database(server, statements_of(refused)))
        after = still_lacking(mirror, refused.needs)
        written = write(mirror, organization("o"))
        others = wait(mirror, user("u"))
        administer(*in_database(server, statements_of(others)))

        table = server.name(owner, "organizations")
        assert f"INSERT and UPDATE on {table}" in refused.reason
        assert {f"{table}(=INSERT)", f"{table}(=UPDATE)"} <= set(refused.needs)
        assert (before, after) == (set(refused.needs), set())
        assert written == "inserted"
        assert f"{server.name(owner, 'user_emails')}(=DELETE)" in others.needs
        assert write(mirror, user("u")) == "inserted"
        assert write(mirror, user("u", 2, mails=0)) == "updated"


def in_database(server: Place, statements: Sequence[str]) -> list[str]:
    """The statements as somebody runs them who is in that database."""
    use = [] if server.dialect == "postgres" else [f"USE {server.url.rpartition('/')[2]}"]
    return [*use, *statements]


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
def test_a_schema_that_the_role_may_not_use_is_waited_for(server: Place, poor: tuple[str, str]) -> None:
    with (
        closing(server.mirror(tables=("organizations",))) as owner,
        closing(new_mirror(poor[0], schema=owner.options.schema, tables=("organizations",))) as mirror,
    ):
        owner.migrate(timeout_seconds=SECONDS)
        refused = wait(mirror, organization("o"))
        for statement in statements_of(refused):
            server.execute(statement)

        assert f"run GRANT USAGE ON SCHEMA {owner.options.schema} TO poor; GRANT " in refused.reason
        assert still_lacking(mirror, refused.needs) == set()
        assert write(mirror, organization("o")) == "inserted"


def test_a_column_of_the_users_that_needs_a_value_is_waited_for(place: Place) -> None:
    with closing(place.mirror(tables=TABLES)) as mirror:
        table = place.name(mirror, "users")
        for statement in mirror.pending(timeout_seconds=SECONDS):
            is_users = statement.startswith(f"CREATE TABLE {table} ")
            place.execute(statement.replace("(", "(plan varchar(9) NOT NULL, ", 1) if is_users else statement)
        refused = wait(mirror, user("u"))
        others = write(mirror, organization("o"))
        before = still_lacking(mirror, refused.needs)
        for statement in statements_of(refused) or [f"ALTER TABLE {table} DROP COLUMN plan"]:
            place.execute(statement)

        assert refused.needs == (f"{table}(!plan)",)
        assert refused.reason.startswith(f"{table}.plan may not be empty and has no default; ")
        assert (others, before) == ("inserted", {f"{table}(!plan)"})
        assert still_lacking(mirror, refused.needs) == set()
        assert write(mirror, user("u")) == "inserted"


def test_a_column_of_ones_own_table_that_needs_a_value_is_waited_for(place: Place) -> None:
    with closing(place.mirror()) as mirror:
        name = f"filled_{mirror.options.schema}"
        place.execute(f"CREATE TABLE {name} (clerk_id varchar(9), name varchar(9), plan integer NOT NULL)")
        refused = wait(mirror, own_change(name))
        before = still_lacking(mirror, refused.needs)
        for statement in statements_of(refused) or [f"ALTER TABLE {name} DROP COLUMN plan"]:
            place.execute(statement)

        assert refused.needs == (f"{name}(!plan)",)
        assert before == {f"{name}(!plan)"}
        assert still_lacking(mirror, refused.needs) == set()
        assert write(mirror, own_change(name)) == "inserted"


def test_a_right_to_ones_own_table_is_waited_for(
    server: Place, administer: Callable[..., None], poor: tuple[str, str]
) -> None:
    url, grantee = poor
    database = server.url.rpartition("/")[2]
    with closing(server.mirror()) as owner, closing(new_mirror(url)) as mirror:
        name = f"granted_{owner.options.schema}"
        server.execute(f"CREATE TABLE {name} (clerk_id varchar(9), name varchar(9))")
        server.execute("DROP TABLE IF EXISTS hub_versions")
        administer(*in_database(server, [f"GRANT SELECT ON {name} TO {grantee}"]))
        without_versions = wait(mirror, own_change(name))
        no_versions = still_lacking(mirror, without_versions.needs)
        write(owner, own_change(name))
        if server.dialect == "mariadb":
            administer(f"GRANT SELECT ON {database}.hub_versions TO {grantee}")
        versions = still_lacking(mirror, without_versions.needs)
        refused = wait(mirror, own_change(name))
        administer(*in_database(server, statements_of(refused)))

        assert f"there is no hub_versions beside {name} for this role (" in without_versions.reason
        assert (no_versions, versions) == ({f"{name}()"}, set())
        assert f"{name}(=INSERT)" in refused.needs
        assert still_lacking(mirror, refused.needs) == set()
        assert write(mirror, own_change(name)) == "updated"


def test_where_nobody_may_log_in_all_waits_for_somebody(
    server: Place, poor: tuple[str, str], administer: Callable[..., None]
) -> None:
    """No table can be asked for: that the login is right again is seen by resuming alone."""
    url = poor[0].replace("poor:@", "nobody:@").replace("poor:poor", "poor:wrong")
    with closing(new_mirror(url)) as mirror:
        assert wait(mirror, user("u")).needs == ()
