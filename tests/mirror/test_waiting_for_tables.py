"""Rows wait for tables that a person makes or mends, those of other tables do not; then they go on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import given
import pytest
from given_mirror import SECONDS, Place, apply, deletion, membership, own_change, user
from working import working

from hub.destinations.database.options import DatabaseOptions
from hub.errors import Pause
from hub.health.assess import assess
from hub.health.doctor import Level, examine
from hub.health.facts import Facts, FileFacts, page_facts
from hub.health.waiting import WaitCode, why
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.mirror.changes import OwnChange, Version
from hub.mirror.mirror import Migration, Mirror
from hub.model.delivery import State
from hub.model.finding import FindingCode
from hub.model.records import DeliveryRecord
from hub.store.store import Store

FAULTS = {
    "sqlite": ["DROP COLUMN last_name"],
    "postgres": ["DROP COLUMN banned", "ADD COLUMN banned date"],
    "mariadb": ["DROP COLUMN last_name"],
}
MENDS = {"sqlite": [], "postgres": ["DROP COLUMN banned"], "mariadb": []}
"""What is done before that which `hub sync schema --sql` prints."""

LACKING = "_users.last_name is missing; run what `hub sync schema --sql --to app-db` prints, and it goes"
UNFIT = ".users.banned is date, which cannot hold yes or no; change that, and it goes on by itself"
WORDS = {"sqlite": LACKING, "postgres": UNFIT, "mariadb": LACKING}


@pytest.fixture
def store_url(place: Place, request: pytest.FixtureRequest) -> str:
    """The hub's own database, on the same dialect where it has that."""
    kind = "postgres" if place.dialect == "postgres" else "sqlite"
    return request.getfixturevalue(f"{kind}_store_url")


def rules(mirror: Mirror) -> Rules:
    chosen = mirror.options
    options = {"url": chosen.url, "schema": chosen.schema, "tables": list(chosen.tables)}
    database = replace(
        given.destination("app-db"),
        type="database",
        timeout_seconds=SECONDS,
        options=DatabaseOptions.model_validate({**options, "migrate": chosen.migrate.value}),
    )
    route = given.route("mirror", ("user.*", "organization.*"), "app-db")
    return given.rules(route, destinations=(database,))


def records(store: Store) -> Mapping[str, DeliveryRecord]:
    with store.read() as snapshot:
        return {record.type: record for record in snapshot.delivery_list.records()}


def facts_of(store: Store, today: Rules) -> Facts:
    with store.read() as snapshot:
        stats = snapshot.numbers.stats()
        return page_facts(store, snapshot, FileFacts(config=today.config), stats)


def test_rows_wait_for_their_table_alone_and_go_on_by_themselves(place: Place, store: Store) -> None:
    with closing(place.mirror(migrate=Migration.PRINT, tables=("users", "organizations"))) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        table, today = place.name(mirror, "users"), rules(mirror)
        for fault in FAULTS[place.dialect]:
            place.execute(f"ALTER TABLE {table} {fault}")
        with working(store, today):
            fan_out(given.event("user.created"), today, store)
            given.until(lambda: records(store)["user.created"].needs)
            fan_out(given.event("organization.created"), today, store)
            given.until(lambda: records(store)["organization.created"].state is State.DELIVERED)
            waiting = records(store)["user.created"]
            facts = given.until(lambda: (known := facts_of(store, today)).has_worker and known)
        wait = why(waiting, facts)
        [finding] = [finding for finding in assess(facts) if finding.subject == "app-db"]
        lines = [line for line in examine(facts, "routes.yaml") if line.level is Level.PROBLEM]
        for mend in MENDS[place.dialect]:
            place.execute(f"ALTER TABLE {table} {mend}")
        for statement in mirror.pending(timeout_seconds=SECONDS):
            place.execute(statement)
        # Another process, as after a deploy or a kill: what waits is in the store.
        with working(store, today):
            given.until(lambda: records(store)["user.created"].state is State.DELIVERED)

        assert (waiting.state, waiting.tries, waiting.due_at) == (State.PENDING, 0, None)
        assert wait is not None
        assert (wait.code, wait.resumes) == (WaitCode.NOT_CONFIGURED, True)
        assert WORDS[place.dialect] in wait.text
        assert (finding.code, finding.count) == (FindingCode.MIGRATION, 1)
        assert finding.headline == "users cannot be written to app-db"
        assert WORDS[place.dialect] in f"{finding.reason}; {finding.cure}"
        assert [line.advice for line in lines] == [finding.cure]
        assert [*mirror.find("users", ["user_1"], timeout_seconds=SECONDS)] == ["user_1"]
        assert facts_of(store, today).store.mirrors.waits == {}


def test_a_deletion_waits_for_the_tables_of_what_hangs_on_it(place: Place) -> None:
    tables = ("users", "organization_memberships")
    with closing(place.mirror(migrate=Migration.PRINT, tables=tables)) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        place.execute(f"DROP TABLE {place.name(mirror, 'organization_memberships')}")
        needs = []
        for change in (deletion("users", "u", 9), membership("m", "u", "o")):
            with pytest.raises(Pause) as refused:
                apply(mirror, change)
            needs.append(refused.value.needs)
        written = apply(mirror, user("v"))
        lacking = mirror.lacking(tables, timeout_seconds=SECONDS)
        for statement in mirror.pending(timeout_seconds=SECONDS):
            place.execute(statement)

        assert needs == [("organization_memberships",)] * 2
        assert (written, lacking) == ("inserted", {"organization_memberships"})
        assert mirror.lacking(tables, timeout_seconds=SECONDS) == set()
        assert apply(mirror, deletion("users", "u", 9)) == "deleted"


def test_a_missing_index_holds_nothing(place: Place) -> None:
    with closing(place.mirror(migrate=Migration.PRINT)) as mirror:
        creations = mirror.pending(timeout_seconds=SECONDS)
        for statement in creations:
            if not statement.startswith("CREATE INDEX"):
                place.execute(statement)
        lacking = mirror.pending(timeout_seconds=SECONDS)

        assert lacking
        assert {statement.split()[1] for statement in lacking} == {"INDEX"}
        assert apply(mirror, user("u")) == "inserted"


def test_a_table_of_ones_own_is_waited_for_until_it_has_the_column(place: Place) -> None:
    column = place.dialect if place.dialect == "mariadb" else "seat, no (1)/%"
    quoted = column if place.dialect == "mariadb" else f'"{column}"'
    with closing(place.mirror()) as mirror:
        name = f"waited_{mirror.options.schema}"
        change = OwnChange(
            table=name,
            object="user",
            id="user_1",
            version=Version(1, 1, "msg_1"),
            is_deletion=False,
            key={"clerk_id": "user_1"},
            values={column: "1"},
        )
        needs = []
        for statement in (
            f"CREATE TABLE {name} (clerk_id varchar(50))",
            f"ALTER TABLE {name} ADD COLUMN {quoted} varchar(9)",
        ):
            with pytest.raises(Pause) as refused:
                mirror.write(change, timeout_seconds=SECONDS)
            needs += refused.value.needs
            before = mirror.lacking(needs, timeout_seconds=SECONDS)
            place.execute(statement)

            assert before == {needs[-1]}
        assert len(set(needs)) == 2
        assert mirror.lacking(needs, timeout_seconds=SECONDS) == set()
        assert mirror.write(change, timeout_seconds=SECONDS) == "inserted"


@pytest.mark.parametrize("gone", ["DROP TABLE {}", "ALTER TABLE {} DROP COLUMN name"])
def test_what_was_taken_from_ones_own_table_is_waited_for(place: Place, gone: str) -> None:
    with closing(place.mirror()) as mirror:
        name = f"taken_{mirror.options.schema}"
        place.execute(f"CREATE TABLE {name} (clerk_id varchar(9), name varchar(9))")
        mirror.write(own_change(name), timeout_seconds=SECONDS)
        place.execute(gone.format(name))
        with pytest.raises(Pause) as refused:
            mirror.write(own_change(name), timeout_seconds=SECONDS)

        assert refused.value.needs == (f"{name}()" if gone.startswith("DROP") else f"{name}(name)",)
