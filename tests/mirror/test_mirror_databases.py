"""A mirror on real databases: what they refuse is told in a sentence, and nothing is lost or half written."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import given
import pytest
from given_mirror import (
    SECONDS,
    Place,
    apply,
    deletion,
    membership,
    new_mirror,
    organization,
    own_change,
    stored_state,
    user,
)
from servers.pooler import Pooler

from hub.errors import About, Pause, Reject, Retry, SendError
from hub.mirror.changes import Change
from hub.mirror.mirror import SAMPLES_INSTANCE, Migration, Mirror


def refusal(mirror: Mirror, change: Change, kind: type[SendError], seconds: float = SECONDS) -> str:
    """The words in which a change is refused."""
    with pytest.raises(kind) as refused:
        mirror.apply(change, instance_id=None, timeout_seconds=seconds)
    return str(refused.value)


# -- rows ------------------------------------------------------------------------------------------


def test_values_come_back_as_they_were(mirror: Mirror) -> None:
    values = {
        "first_name": "Zoë 😀 'a' \\ %s",
        "banned": True,
        "locked": None,
        "created_at": -62135596799999,
        "updated_at": 253402300799999,
        "lockout_expires_in_seconds": 2**63 - 1,
        "public_metadata": {"tag": ["😀", 1.5, None]},
    }
    change = replace(user("u"), values=values)
    apply(mirror, change)
    row = mirror.find("users", ["u"], timeout_seconds=SECONDS)["u"]

    assert {name: row[name] for name in values} == values


def test_ids_compare_by_bytes(mirror: Mirror) -> None:
    for row_id in ("user_aB", "user_Ab", "user_ab"):
        assert apply(mirror, user(row_id)) == "inserted"


def test_columns_that_only_events_carry_stay(mirror: Mirror) -> None:
    apply(mirror, replace(user("u"), values={"first_name": "Ada", "last_name": "L"}))
    apply(mirror, replace(user("u", 2, event_id=""), values={"first_name": "Eve"}))
    row = mirror.find("users", ["u"], timeout_seconds=SECONDS)["u"]

    assert (row["first_name"], row["last_name"]) == ("Eve", "L")


def test_a_deletion_is_kept_of_what_is_not_mirrored(place: Place) -> None:
    with closing(place.mirror(tables=("organization_memberships",))) as mirror:
        assert apply(mirror, deletion("users", "u", 5)) == "deleted"
        assert apply(mirror, membership("m", "u", "o")) == "inserted"
        row = mirror.find("organization_memberships", ["m"], timeout_seconds=SECONDS)["m"]
        tombstones = mirror.tombstones("users", ["u", "v"], timeout_seconds=SECONDS)

    assert (row["deleted_at"], tombstones) == (5, {"u": 5})


def test_a_row_that_is_made_anew_is_deleted_as_before(mirror: Mirror, place: Place) -> None:
    apply(mirror, deletion("users", "u", 5))
    place.execute(f"DELETE FROM {place.name(mirror, 'users')}")
    apply(mirror, user("u"))

    assert [state[0] for state in stored_state(mirror, [[user("u")]]).values()] == [5]


def test_an_object_that_lives_after_all_is_revived(mirror: Mirror) -> None:
    apply(mirror, user("u"))
    apply(mirror, deletion("users", "u", 5))
    mirror.revive(user("u", 2, seen_at=6, event_id=""), timeout_seconds=SECONDS)
    row = mirror.find("users", ["u"], timeout_seconds=SECONDS)["u"]

    assert (row["deleted_at"], row["first_name"]) == (None, "2/6/")
    assert len(mirror.set_rows("user_emails", ["u"], timeout_seconds=SECONDS)["u"]) == 1
    assert mirror.tombstones("users", ["u"], timeout_seconds=SECONDS) == {}


def test_a_deletion_after_an_object_was_seen_alive_stays(mirror: Mirror) -> None:
    apply(mirror, user("u"))
    apply(mirror, deletion("users", "u", 5))
    mirror.revive(user("u", 2, seen_at=4, event_id=""), timeout_seconds=SECONDS)

    assert mirror.find("users", ["u"], timeout_seconds=SECONDS)["u"]["deleted_at"] == 5
    assert mirror.set_rows("user_emails", ["u"], timeout_seconds=SECONDS) == {}
    assert mirror.tombstones("users", ["u"], timeout_seconds=SECONDS) == {"u": 5}


def test_a_deletion_is_a_write_of_its_row(place: Place, mirror: Mirror) -> None:
    apply(mirror, user("u"))
    place.execute(f"UPDATE {place.name(mirror, 'users')} SET _synced_at = '2020-01-01 00:00:00'")
    apply(mirror, deletion("users", "u", 5))

    assert mirror.newest("users", timeout_seconds=SECONDS) > 1_700_000_000_000


def test_more_children_than_one_transaction_marks(place: Place) -> None:
    with closing(place.mirror(tables=("organization_memberships",))) as mirror:
        page = [membership(f"m{number:04}", "u", "o") for number in range(501)]
        mirror.apply_page(page, state={}, timeout_seconds=SECONDS)
        apply(mirror, deletion("users", "u", 5))

        assert mirror.count("organization_memberships", timeout_seconds=SECONDS) == 0


def test_a_test_message_leaves_nothing(mirror: Mirror) -> None:
    effect = mirror.apply(user("u"), instance_id="ins_1", timeout_seconds=SECONDS, keep=False)
    mirror.claim_instance("ins_2", timeout_seconds=SECONDS)

    assert effect.value == "inserted"
    assert mirror.find("users", ["u"], timeout_seconds=SECONDS) == {}


def test_ranges_hold_the_rows_created_within_them(mirror: Mirror) -> None:
    page = [replace(user(f"u{at}"), values={"created_at": at}) for at in (1, 2, 3, 4, None)]
    mirror.apply_page(page, state={"place": {"after": "u3"}}, timeout_seconds=SECONDS)
    apply(mirror, deletion("users", "u2", 5))

    def ids(after: int | None, until: int | None) -> list[str]:
        return sorted(row["id"] for row in mirror.live("users", after, until, timeout_seconds=SECONDS))

    assert ids(1, 3) == ["u3"]
    assert ids(None, 3) == ["u1", "u3"]
    assert ids(3, None) == ["u4", "uNone"]
    assert ids(None, None) == ["u1", "u3", "u4", "uNone"]
    assert "raw" not in mirror.find("users", ["u1"], timeout_seconds=SECONDS)["u1"]
    assert mirror.state("place", timeout_seconds=SECONDS) == {"after": "u3"}
    assert abs((mirror.newest("users", timeout_seconds=SECONDS) or 0) / 1000 - time.time()) < 300


# -- instances ---------------------------------------------------------------------------------------


def test_a_mirror_belongs_to_one_instance(place: Place, mirror: Mirror) -> None:
    apply(mirror, user("u"), "ins_1")
    with (
        closing(new_mirror(place.url, schema=mirror.options.schema, tables=("users",))) as other,
        pytest.raises(Pause) as refused,
    ):
        apply(other, user("v"), "ins_2")

    assert "ins_1" in str(refused.value)
    assert "ins_2" in str(refused.value)
    assert mirror.find("users", ["v"], timeout_seconds=SECONDS) == {}


def test_a_sample_claims_nothing(mirror: Mirror) -> None:
    with pytest.raises(Reject, match="a sample"):
        apply(mirror, user("u"), SAMPLES_INSTANCE)

    assert apply(mirror, user("u"), "ins_1") == "inserted"


# -- tables ------------------------------------------------------------------------------------------


def test_only_what_is_missing_is_added(place: Place, mirror: Mirror) -> None:
    first = mirror.migrate(timeout_seconds=SECONDS)
    table = place.name(mirror, "users")
    place.execute(f"ALTER TABLE {table} ADD COLUMN plan varchar(9) DEFAULT 'free'")
    place.execute(f"ALTER TABLE {table} DROP COLUMN last_name")
    lacking = mirror.pending(timeout_seconds=SECONDS)
    apply(mirror, replace(user("u"), values={"last_name": "L"}))
    apply(mirror, replace(user("u", 2), values={"last_name": "M"}))

    assert len(first) > 5
    assert len(lacking) == 1
    assert "last_name" in lacking[0]
    assert place.execute(f"SELECT plan, last_name FROM {table}") == [("free", "M")]
    assert mirror.pending(timeout_seconds=SECONDS) == []


def test_a_table_that_somebody_dropped_is_made_anew(place: Place, mirror: Mirror) -> None:
    apply(mirror, user("u"))
    place.execute(f"DROP TABLE {place.name(mirror, 'users')}")

    assert apply(mirror, user("u")) == "inserted"


def test_a_mirror_that_only_prints_waits_for_its_tables(place: Place) -> None:
    with closing(place.mirror(migrate=Migration.PRINT)) as mirror:
        before = refusal(mirror, user("u"), Pause)
        for statement in mirror.pending(timeout_seconds=SECONDS):
            place.execute(statement)
        after = apply(mirror, user("u"))

    assert "missing; run what `hub sync schema --sql` prints, and it goes on by itself" in before
    assert after == "inserted"


def test_a_column_that_cannot_hold_its_values_pauses_its_table(server: Place) -> None:
    with closing(server.mirror(tables=("users", "organizations"))) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        table = server.name(mirror, "users")
        server.execute(f"ALTER TABLE {table} DROP COLUMN banned")
        server.execute(f"ALTER TABLE {table} ADD COLUMN banned date")
        reason = refusal(mirror, user("u"), Pause)

        assert f"{table}.banned is date, which cannot hold yes or no" in reason
        assert apply(mirror, organization("o")) == "inserted"
        assert mirror.lacking(["users", "organizations"], timeout_seconds=SECONDS) == {"users"}


def test_a_schema_gives_the_public_nothing(places: Callable[[str], Place]) -> None:
    place = places("postgres")
    with closing(place.mirror()) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        schema = mirror.options.schema
    place.execute("DROP ROLE IF EXISTS stranger")
    place.execute("CREATE ROLE stranger")

    assert place.execute(
        f"SELECT has_schema_privilege('stranger', '{schema}', 'USAGE'), "
        f"has_table_privilege('stranger', '{schema}.users', 'SELECT')"
    ) == [(False, False)]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_hubs_own_database_is_none_for_a_mirror(kind: str, request: pytest.FixtureRequest) -> None:
    with closing(new_mirror(request.getfixturevalue(f"{kind}_store_url"))) as mirror:
        assert "a database of the hub's own store" in refusal(mirror, user("u"), Pause)
        with pytest.raises(Pause, match="a database of the hub's own store"):
            mirror.write(own_change("deliveries"), timeout_seconds=SECONDS)


# -- refusals ----------------------------------------------------------------------------------------


def test_a_value_that_no_column_holds_is_this_rows_alone(mirror: Mirror) -> None:
    for values in (
        {"first_name": "\ud800"},
        {"public_metadata": {"a": "\ud800"}},
        {"lockout_expires_in_seconds": 2**63},
        {"created_at": 253402300800000},
    ):
        with pytest.raises(Retry) as refused:
            apply(mirror, replace(user("u"), values=values))

        assert refused.value.about is About.MESSAGE
    assert apply(mirror, user("u")) == "inserted"


def test_nul_is_this_rows_alone_on_postgres(places: Callable[[str], Place]) -> None:
    with closing(places("postgres").mirror()) as mirror:
        for values in ({"first_name": "a\0b"}, {"public_metadata": {"a": "\0"}}):
            with pytest.raises(Retry) as refused:
                apply(mirror, replace(user("u"), values=values))

            assert refused.value.about is About.MESSAGE


def test_an_emoji_on_three_bytes_is_this_rows_alone(places: Callable[[str], Place]) -> None:
    place = places("mariadb")
    with closing(place.mirror()) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        table = place.name(mirror, "users")
        place.execute(f"ALTER TABLE {table} MODIFY first_name longtext CHARACTER SET utf8mb3")
        with pytest.raises(Retry) as refused:
            apply(mirror, replace(user("u"), values={"first_name": "😀"}))

    assert (refused.value.about, refused.value.reason) == (
        About.MESSAGE,
        "a text has a character that its column cannot hold (first_name, 1366)",
    )


def test_a_unique_index_of_the_users_refuses_one_row_and_all_of_it(place: Place, mirror: Mirror) -> None:
    apply(mirror, replace(user("u"), values={"create_organizations_limit": 7}))
    table = place.name(mirror, "users")
    place.execute(f"CREATE UNIQUE INDEX mine_{mirror.options.schema} ON {table} (create_organizations_limit)")
    with pytest.raises(Retry) as refused:
        apply(mirror, replace(user("v", 9), values={"create_organizations_limit": 7}))

    assert refused.value.about is About.MESSAGE
    assert "a unique index" in refused.value.reason
    assert "7" not in refused.value.reason.replace(mirror.options.schema, "").replace("2067", "")
    assert [*stored_state(mirror, [[user("u"), user("v")]])] == ["u"]
    assert mirror.set_rows("user_emails", ["v"], timeout_seconds=SECONDS) == {}


def test_mysql_would_take_rows_for_others_by_a_unique_index(places: Callable[[str], Place]) -> None:
    place = places("mariadb")
    with closing(place.mirror()) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        place.execute(
            f"CREATE UNIQUE INDEX mine ON {place.name(mirror, 'users')} (create_organizations_limit)"
        )

        assert "has the unique index mine, by which rows would be taken for others" in refusal(
            mirror, user("u"), Pause
        )


def test_a_trigger_that_raises_refuses_the_row(places: Callable[[str], Place]) -> None:
    place = places("postgres")
    with closing(place.mirror()) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        place.execute(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'not %', NEW.first_name; END $$"
        )
        table = place.name(mirror, "users")
        place.execute(f"CREATE TRIGGER t BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()")

        assert refusal(mirror, user("u"), Retry) == "a trigger refuses it (P0001)"


def test_a_table_that_is_locked_is_tried_later(place: Place, mirror: Mirror) -> None:
    apply(mirror, user("u"))
    table = place.name(mirror, "users")
    lock = {
        "sqlite": "BEGIN EXCLUSIVE",
        "postgres": f"BEGIN; LOCK TABLE {table}",
        "mariadb": f"LOCK TABLES {table} WRITE",
    }
    with place.connection() as connection:
        connection.cursor().execute(lock[place.dialect])
        words = refusal(mirror, user("u", 2), Retry, 1.5)
        connection.cursor().execute("UNLOCK TABLES" if place.dialect == "mariadb" else "ROLLBACK")

    assert words
    assert apply(mirror, user("u", 2)) == "updated"


def test_tables_change_under_a_lock_for_a_second_at_most(server: Place) -> None:
    with closing(server.mirror()) as mirror, server.connection() as reader:
        mirror.migrate(timeout_seconds=SECONDS)
        table = server.name(mirror, "users")
        server.execute(f"ALTER TABLE {table} DROP COLUMN last_name")
        reader.cursor().execute("BEGIN")
        reader.cursor().execute(f"SELECT * FROM {table}")
        began = time.monotonic()
        with pytest.raises(Retry):
            mirror.migrate(timeout_seconds=SECONDS)

        assert time.monotonic() - began < SECONDS / 2
        reader.cursor().execute("ROLLBACK")
        assert len(mirror.migrate(timeout_seconds=SECONDS)) == 1


@pytest.mark.parametrize("url", ["mysql://u:p@127.0.0.1:{}/app", "postgresql://u:p@127.0.0.1:{}/app"])
def test_a_database_that_is_away_or_hangs_is_tried_later(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = url.format(listener.getsockname()[1])
        with closing(new_mirror(place)) as mirror:
            began = time.monotonic()
            hanging = refusal(mirror, user("u"), Retry, 1.0)
            seconds = time.monotonic() - began
    with given.refusing_port() as port, closing(new_mirror(url.format(port))) as mirror:
        away = refusal(mirror, user("u"), Retry)

    assert "did not answer within 1 s" in hanging
    assert seconds < 20
    assert "refused" in away
    assert "u:p" not in away


def test_a_login_that_is_refused_pauses(places: Callable[[str], Place]) -> None:
    url = places("mariadb").url
    for wrong, words in (
        (url.replace("not-a-secret", "wrong"), "Access denied"),
        (f"{url}x", "Unknown database"),
    ):
        with closing(new_mirror(wrong)) as mirror:
            reason = refusal(mirror, user("u"), Pause)

        assert words in reason
        assert "wrong" not in reason


def test_a_connection_that_was_cut_while_idle_is_replaced(server: Place) -> None:
    with closing(server.mirror()) as mirror:
        apply(mirror, user("u"))
        cut = {
            "postgres": "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
            "WHERE application_name = 'hub' AND datname = current_database()",
            "mariadb": "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR 1094 BEGIN END; "
            "FOR one IN (SELECT id FROM information_schema.processlist "
            "WHERE id <> connection_id() AND db = database()) DO KILL one.id; END FOR; END",
        }
        others = {
            "postgres": "SELECT count(*) FROM pg_stat_activity "
            "WHERE application_name = 'hub' AND datname = current_database()",
            "mariadb": "SELECT count(*) FROM information_schema.processlist "
            "WHERE id <> connection_id() AND db = database()",
        }
        server.execute(cut[server.dialect])
        given.until(lambda: server.execute(others[server.dialect]) == [(0,)])

        assert apply(mirror, user("u", 2)) == "updated"


def test_a_pooler_lends_its_connections_to_a_mirror(places: Callable[[str], Place]) -> None:
    with Pooler(places("postgres").url) as pooler, closing(Place("postgres", pooler.url).mirror()) as mirror:
        effects = [apply(mirror, user("u", number)) for number in range(1, 6)]
        row = mirror.find("users", ["u"], timeout_seconds=SECONDS)["u"]

    assert effects == ["inserted", *["updated"] * 4]
    assert (row["created_at"], row["_updated_at"]) == (1, 5)


def test_a_missing_driver_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "hub.mirror.engine.mysql", raising=False)
    monkeypatch.setitem(sys.modules, "pymysql", None)

    with pytest.raises(Pause, match=r"MySQL needs its driver: pip install 'fanout-hub\[mysql\]'"):
        new_mirror("mysql://u:p@127.0.0.1/app")
