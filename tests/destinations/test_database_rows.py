"""Rows in a database of the user's own: SQLite here; tests/mirror has what is other on other databases."""

import json
import sqlite3
from contextlib import closing

import pytest
from sending import attempt

from hub import catalog
from hub.destinations.base import ShownContext, parts_of
from hub.destinations.database.destination import DatabaseDestination
from hub.destinations.database.options import DatabaseOptions
from hub.errors import Pause, Reject, Retry, SendError, TemplateError
from hub.model.delivery import RAW
from hub.model.event import HUB_SOURCE
from hub.model.parts import Role

INSTANCE = "ins_2x0ours"
EVENT = "evt_019caa1b5a00a1b2c3d4e5f60718"


def destination(tmp_path, **options):
    url = f"sqlite:///{tmp_path / 'app.db'}"
    return DatabaseDestination(DatabaseOptions.model_validate({"url": url, **options}), "app-db")


def sent(event_type, changes=None, **facts):
    """An attempt of the sample of a type, of an instance that is not the samples'."""
    values = {"instance_id": INSTANCE, **(changes or {})}
    payload = catalog.sample_payload(event_type, values)
    usual = {"event_id": EVENT, "event_type": event_type, "event_source": "clerk", "payload": payload}
    return attempt(**{**usual, **facts})


def rows(tmp_path, statement):
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        return connection.execute(statement).fetchall()


USER = catalog.sample("user.updated")["data"]


def test_the_receipt_says_what_became_of_the_row(tmp_path):
    mirror = destination(tmp_path)
    newer = {"data.updated_at": USER["updated_at"] + 1, "data.first_name": "Maja"}
    deletion = {"data.id": USER["id"]}
    events = [sent("user.updated"), sent("user.updated", newer), sent("user.updated")]
    events.append(sent("user.deleted", deletion))
    receipts = [mirror.send({RAW: True}, event).detail for event in events]
    mirror.close()

    ends = ["inserted", "updated", "kept the newer one", "deleted"]
    assert receipts == [f"users: {end}" for end in ends]
    [(name, mail, deleted_at)] = rows(
        tmp_path, "select first_name, primary_email, deleted_at from clerk_users"
    )
    assert (name, mail, bool(deleted_at)) == ("Maja", "mara.lindqvist@example.com", True)
    assert rows(tmp_path, "select count(*) from clerk_user_emails") == [(0,)]


def test_a_table_that_is_mirrored_no_longer_gets_deletions_alone(tmp_path):
    mirror = destination(tmp_path, tables=["roles"])
    receipts = [mirror.send({RAW: True}, sent(name)).detail for name in ("user.updated", "user.deleted")]
    mirror.close()

    assert receipts == ["users: not among the tables any more", "users: deleted"]


def test_a_sample_claims_no_mirror(tmp_path):
    mirror = destination(tmp_path)
    with pytest.raises(Reject, match="a sample"):
        mirror.send({RAW: True}, attempt(**of_sample("user.created")))
    mirror.send({RAW: True}, sent("user.updated"))
    with pytest.raises(Pause, match=rf"{INSTANCE}, and this is of ins_other"):
        mirror.send({RAW: True}, sent("user.updated", {"instance_id": "ins_other"}))
    mirror.close()


def of_sample(event_type):
    return {"event_id": EVENT, "event_type": event_type, "payload": catalog.sample_payload(event_type)}


def test_an_object_without_an_id_is_dead_at_once_and_says_why(tmp_path):
    mirror = destination(tmp_path)
    with pytest.raises(Reject, match="the id of the object is missing"):
        mirror.send({RAW: True}, sent("user.deleted", {"data.id": None}))
    mirror.close()


@pytest.mark.parametrize("event_type", ["user.created", catalog.TEST])
def test_a_test_is_written_and_rolled_back(tmp_path, event_type):
    mirror = destination(tmp_path)
    payload = b'{"type": "hub.test", "data": {"destination": "app-db"}}'
    if event_type != catalog.TEST:
        payload = catalog.sample_payload(event_type)
    facts = {"event_id": EVENT, "event_type": event_type, "event_source": HUB_SOURCE, "payload": payload}
    receipt = mirror.send({RAW: True}, attempt(**facts))
    mirror.close()

    assert receipt.detail == "users: inserted, and rolled back: it was a test"
    assert rows(tmp_path, "select count(*) from clerk_users") == [(0,)]


FIELDS = {
    "table": "members",
    "key": {"clerk_id": "{{ data.id }}"},
    "set": {"email": "{{ data | primary_email }}", "locked": "{{ data.locked }}"},
    "on_delete": {"left_at": "{{ event.timestamp }}"},
}


@pytest.fixture
def own_table(tmp_path):
    """A table of the user's own, and the destination that writes it."""
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.execute("create table members (clerk_id text, email text, locked boolean, left_at text)")
        connection.commit()
    place = destination(tmp_path)
    yield place
    place.close()


def composed(renderer, event_type, fields=FIELDS, **facts):
    return DatabaseDestination.compose(None, fields, renderer(event_type=event_type, **facts))


def test_an_own_row_is_found_by_its_key_and_gets_what_set_or_on_delete_has(tmp_path, own_table, renderer):
    live, gone = (catalog.sample(name)["data"] for name in ("user.updated", "user.deleted"))
    gone = {**gone, "id": live["id"]}
    messages = [composed(renderer, "user.updated"), composed(renderer, "user.deleted", data=gone)]
    receipts = [
        own_table.send(messages[0], sent("user.updated")).detail,
        own_table.send(messages[0], sent("user.updated")).detail,
        own_table.send(messages[1], sent("user.deleted", {"data.id": live["id"]})).detail,
        own_table.send(messages[0], sent("user.updated")).detail,
    ]

    [(clerk_id, email, locked, left_at)] = rows(tmp_path, "select * from members")
    assert (clerk_id, email, locked) == (live["id"], "mara.lindqvist@example.com", 0)
    assert left_at.startswith("2")
    ends = ["inserted", "updated", "deleted", "kept the newer one"]
    assert receipts == [f"members: {end}" for end in ends]


def test_a_test_of_an_own_row_is_rolled_back(tmp_path, own_table, renderer):
    message = composed(renderer, "user.updated")
    receipt = own_table.send(message, sent("user.updated", event_source=HUB_SOURCE))

    assert receipt.detail == "members: inserted, and rolled back: it was a test"
    assert rows(tmp_path, "select count(*) from members") == [(0,)]


@pytest.mark.parametrize(
    ("key", "words"),
    [("{{ data.username }}", "renders to nothing"), ("{{ data.email_addresses }}", "to a structure")],
)
def test_a_key_that_fits_no_row_makes_no_message(renderer, key, words):
    data = {**USER, "username": None}
    with pytest.raises(TemplateError, match=words):
        composed(renderer, "user.updated", {**FIELDS, "key": {"id": key}}, data=data)


def shown(event_type, message=None, **written):
    context = ShownContext(
        event_type=event_type, payload=catalog.sample_payload(event_type).decode(), written=written
    )
    return parts_of({RAW: True} if message is None else message, "database", context)


def test_the_row_is_shown_as_it_would_be():
    user, emails, phones, note = shown("user.updated")
    row = json.loads(user.text)

    assert [part.label for part in (user, emails, phones)] == ["users", "user_emails", "user_phones"]
    assert (row["username"], row["updated_at"]) == ("mara", "2026-06-10T17:12:41.337Z")
    assert "external_id" not in row
    assert len(json.loads(emails.text)) == 2
    assert (note.role, note.text.startswith("users also has raw")) == (Role.NOTE, True)


def test_a_deletion_is_shown_with_what_becomes_of_the_row(renderer):
    row, note = shown("user.deleted", on_delete="blank")
    own, own_note = shown(
        "user.deleted", composed(renderer, "user.deleted", {**FIELDS, "on_delete": "delete"})
    )

    assert sorted(json.loads(row.text)) == ["deleted_at", "id"]
    assert note.text == "all other columns but the id are cleared"
    assert (own.label, own_note.text) == ("members", "this row is deleted")


def test_what_is_no_object_is_shown_as_no_row():
    assert [part.text for part in shown("email.created")] == [
        "no row: no table has what email.created is about"
    ]


@pytest.mark.parametrize(
    ("url", "environment", "is_own"),
    [
        ("sqlite:///a/../hub.db", {}, True),
        ("sqlite:///app.db", {}, False),
        (
            "postgresql://me:x@DB/app",
            {"DATABASE_URL": "postgres://other:y@db:5432/app?sslmode=require"},
            True,
        ),
        ("postgresql://me:x@db/app", {"DATABASE_URL": "postgres://me:x@db:5432/hub"}, False),
        ("mysql://me:x@db/app", {"DATABASE_URL": "postgres://me:x@db/app"}, False),
    ],
)
def test_the_hubs_own_database_is_told_by_its_place(url, environment, is_own):
    options = DatabaseOptions(url=url)

    assert (DatabaseDestination.unusable_key(options, environment) is not None) == is_own


@pytest.mark.parametrize("broken", ["missing folder", "another table", "no database"])
def test_a_database_that_cannot_be_used_is_one_clear_reason(tmp_path, broken):
    path = tmp_path / "app.db"
    if broken == "missing folder":
        path = tmp_path / "gone" / "app.db"
    elif broken == "no database":
        path.write_bytes(b"this is a text, not a database, and has been for a while" * 20)
    mirror = DatabaseDestination(DatabaseOptions(url=f"sqlite:///{path}"), "app-db")
    if broken == "another table":
        mirror.send({RAW: True}, sent("user.created"))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("drop table clerk_users")
            connection.execute("create table clerk_users (id integer primary key)")
            connection.commit()
    with pytest.raises(SendError) as raised:
        mirror.send({RAW: True}, sent("user.updated"))
    mirror.close()

    assert isinstance(raised.value, Pause | Retry)
    assert str(tmp_path) not in str(raised.value)


def test_it_is_described_without_a_secret():
    urls = ("postgresql://me:s3cret@db.example.com/app", "mysql://me:s3cret@db/app", "sqlite:////data/app.db")

    described = [DatabaseDestination(DatabaseOptions(url=url), "x").describe() for url in urls[::2]]

    assert described == ["db.example.com", "app.db"]
