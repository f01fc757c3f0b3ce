"""A good edit is swapped in as a whole, a bad one not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.authority import Authority
from sqlalchemy import delete, select

from hub.config.files import unpack
from hub.errors import ConfigError
from hub.health.facts import LAST_LOOK, REFUSED_EDIT
from hub.ingest.route import Rules
from hub.model.config import Config
from hub.model.problem import Severity
from hub.rules.reload import (
    KEEP_AGAIN_SECONDS,
    SEE_SECONDS,
    SETTLE_SECONDS,
    TELL_SECONDS,
    Reloader,
    Serving,
    begin,
)
from hub.rules.versions import kept_files
from hub.settings import Settings
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import versions

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${SECRET:-whsec_c2VjcmV0c2VjcmV0c2VjcmV0}"}
destinations:
  log: {type: console}
routes:
  - {name: NAME, events: user.created, send: [{to: log, template: console/user}]}
"""


class World:
    """The user's files, a store, and a process that watches them; `clock` passes by hand."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.store = store
        self.settings = Settings(config_path=folder / "routes.yaml", templates_path=folder / "templates")
        self.template = folder / "templates/console/user.j2"
        self.template.parent.mkdir(parents=True)
        self.clock = 0.0
        self.swapped: list[Rules] = []
        self.write("first")
        self.edit_template("{{ data.id }}")
        self.reloader = self.process()

    def write(self, name: str) -> None:
        self.settings.config_path.write_text(ROUTES.replace("NAME", name))

    def edit_template(self, text: str) -> None:
        self.template.write_text(text)

    def begin(self) -> Serving:
        return begin(self.settings, lambda: kept_files(self.store), same)

    def process(self) -> Reloader:
        return Reloader(self.settings, self.store, self.begin(), same, self.swapped.append)

    def settle(self) -> None:
        """Let the watch see the files, and see them again once they have settled."""
        self.reloader.poll(self.clock)
        self.clock += SETTLE_SECONDS
        self.reloader.poll(self.clock)

    @property
    def route(self) -> str:
        return self.reloader.rules().config.routes[0].name

    @property
    def refused(self) -> list[str]:
        return [problem.code for problem in self.reloader.serving().refused]


def same(config: Config) -> Config:
    return config


@pytest.fixture
def world(tmp_path: Path, sqlite_url: str) -> Iterator[World]:
    store = open_store(sqlite_url)
    store.migrate()
    yield World(tmp_path, store)
    store.close()


def kept_versions(world: World) -> list[str]:
    """The versions that the store has, in the order in which they began to serve."""
    with world.store.read() as snapshot:
        rows = select(versions.c.version).order_by(versions.c.served_at)
        return list(snapshot.session.connection.execute(rows).scalars())


def test_a_good_edit_serves_once_it_has_settled(world: World) -> None:
    world.settle()
    before = world.reloader.serving()
    world.write("second")
    world.reloader.poll(world.clock)
    world.reloader.poll(world.clock + SETTLE_SECONDS * 0.9)

    assert world.reloader.serving() is before

    world.reloader.poll(world.clock + SETTLE_SECONDS)

    assert world.route == "second"
    assert world.reloader.serving().since > before.since
    assert [rules.config.routes[0].name for rules in world.swapped] == ["second"]


def test_files_that_go_on_changing_wait(world: World) -> None:
    world.settle()
    for name in ("a", "ab", "abc"):
        world.write(name)
        world.reloader.poll(world.clock)
        world.clock += SETTLE_SECONDS * 0.9

    assert world.route == "first"

    world.settle()

    assert world.route == "abc"


def test_a_template_is_part_of_the_version(world: World) -> None:
    world.settle()
    version = world.reloader.rules().config.version
    world.edit_template("{{ data.id }} is here")
    world.settle()

    assert world.reloader.rules().config.version != version
    assert world.reloader.rules().config.templates["console/user.j2"] == "{{ data.id }} is here"


def test_a_bad_edit_is_refused_with_all_its_problems_until_it_is_mended(world: World) -> None:
    world.settle()
    world.settings.config_path.write_text(ROUTES.replace("log:", "lag:").replace("events", "event"))
    world.edit_template("{{ data.id ")
    world.settle()

    assert world.route == "first"
    assert world.refused == ["unknown-key", "unknown-destination", "template-syntax"]
    serving = world.reloader.serving()
    assert serving.refused_at is not None
    assert serving.refused_files is not None
    assert b"lag:" in serving.refused_files.content

    world.edit_template("{{ data.id }}")
    world.write("mended")
    world.settle()

    assert (world.route, world.refused) == ("mended", [])
    assert world.reloader.serving().refused_files is None


def test_a_bad_edit_that_is_taken_back_is_forgotten(world: World) -> None:
    world.settle()
    since = world.reloader.serving().since
    world.settings.config_path.write_text("version: 2")
    world.settle()

    assert "bad-version" in world.refused

    world.write("first")
    world.settle()

    assert (world.route, world.refused) == ("first", [])
    assert world.reloader.serving().since == since


def test_a_file_that_is_gone_is_refused(world: World) -> None:
    world.settle()
    world.settings.config_path.unlink()
    world.settle()

    assert (world.route, world.refused) == ("first", ["unreadable-file"])


def test_the_store_is_told_once_a_minute_that_the_files_are_looked_at(world: World) -> None:
    looks = []
    for clock in (0.0, TELL_SECONDS - 1, TELL_SECONDS):
        world.reloader.tell_look(clock)
        with world.store.read() as snapshot:
            looks.append(snapshot.settings.get(LAST_LOOK))

    assert looks[0] == looks[1]
    assert looks[1] is not None
    assert looks[1] < looks[2]


def test_a_pipe_in_the_place_of_a_file_is_refused_and_ends_no_watch(world: World) -> None:
    world.settle()
    for path in (world.settings.config_path, world.template):
        text = path.read_text()
        path.unlink()
        os.mkfifo(path)
        world.settle()

        assert world.route == "first"
        assert "unreadable-file" in world.refused

        path.unlink()
        path.write_text(text)
        world.settle()

        assert (world.route, world.refused) == ("first", [])


def test_the_same_bytes_written_again_change_nothing(world: World) -> None:
    world.settle()
    before = world.reloader.serving()
    os.utime(world.settings.config_path, (1, 1))
    world.settle()

    assert world.reloader.serving() is before


def test_a_process_that_restarts_serves_the_last_good_files(world: World) -> None:
    world.settle()
    world.write("second")
    world.edit_template("second: {{ data.id }}")
    world.settle()
    world.edit_template("{{ data.id ")
    serving = world.begin()

    assert serving.rules.config.routes[0].name == "second"
    assert serving.rules.config.templates["console/user.j2"] == "second: {{ data.id }}"
    assert [problem.code for problem in serving.refused] == ["template-syntax"]

    world.reloader = world.process()
    world.settle()

    assert (world.route, world.refused) == ("second", ["template-syntax"])


def test_what_was_never_good_does_not_start(world: World) -> None:
    world.settings.config_path.write_text("version: 2")

    with pytest.raises(ConfigError, match="version"):
        world.begin()


def test_no_change_of_the_environment_makes_the_last_good_files_bad(world: World) -> None:
    world.settle()
    world.settings.config_path.write_text("version: 2")
    world.settings = Settings(
        config_path=world.settings.config_path,
        templates_path=world.settings.templates_path,
        environment={"SECRET": "no secret"},
    )
    serving = world.begin()
    (source,) = serving.rules.config.sources.values()

    assert [problem.code for problem in serving.refused if problem.severity is Severity.ERROR] == [
        *("missing-key", "bad-version")
    ]
    assert (source.signing.secrets, source.signing.missing) == ((), ("SECRET",))


def test_each_edit_is_logged_once_by_all_processes_together(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    other = world.process()
    for clock in (0.0, SETTLE_SECONDS):
        world.reloader.poll(clock)
        other.poll(clock)
    world.write("second")
    for clock in (1.0, 1.0 + SETTLE_SECONDS):
        world.reloader.poll(clock)
        other.poll(clock)
    world.edit_template("{{ data.id ")
    for clock in (2.0, 2.0 + SETTLE_SECONDS):
        world.reloader.poll(clock)
        other.poll(clock)

    log = "".join(capfd.readouterr())
    assert [log.count(name) for name in ("config.reloaded", "config.refused", "config.problem")] == [1, 1, 1]


def test_an_edit_serves_once_the_store_has_it_for_deliveries_name_it(world: World) -> None:
    world.settle()
    database = Path(world.store.url.removeprefix("sqlite:///"))
    away = database.rename(database.with_suffix(".gone"))
    world.store.close()
    world.write("second")
    world.settle()
    away.rename(database)
    world.reloader.poll(world.clock + KEEP_AGAIN_SECONDS - 0.1)

    assert world.route == "first"

    world.reloader.poll(world.clock + KEEP_AGAIN_SECONDS)

    assert world.route == "second"
    assert world.reloader.rules().config.version in kept_versions(world)


def test_what_the_store_missed_while_it_was_away_it_is_told_again(world: World) -> None:
    world.settle()
    database = Path(world.store.url.removeprefix("sqlite:///"))
    away = database.rename(database.with_suffix(".gone"))
    world.store.close()
    world.write("second")
    world.settle()
    world.reloader.poll(world.clock)
    away.rename(database)
    world.reloader.poll(world.clock + KEEP_AGAIN_SECONDS)
    world.template.unlink()

    assert world.begin().rules.config.routes[0].name == "second"


def test_the_last_good_files_are_kept_by_whoever_starts(world: World) -> None:
    world.settle()

    kept = unpack(kept_files(world.store) or b"", world.settings.config_path, world.settings.templates_path)

    assert kept == world.reloader.serving().files
    assert kept.version == world.reloader.rules().config.version


def kept_refusal(world: World) -> str | None:
    with world.store.read() as snapshot:
        return snapshot.settings.get(REFUSED_EDIT)


def test_a_refusal_that_was_mended_before_a_restart_is_over_for_all(world: World) -> None:
    world.settle()
    world.edit_template("{{ data.id")
    world.settle()
    assert "template-syntax" in (kept_refusal(world) or "")
    world.edit_template("{{ data.id }}")
    world.reloader = world.process()
    world.settle()

    assert kept_refusal(world) == ""


def test_what_was_refused_at_a_start_is_kept_for_all_to_tell(world: World) -> None:
    world.settle()
    world.edit_template("{{ data.id")
    world.reloader = world.process()
    world.settle()

    assert world.refused == ["template-syntax"]
    assert "template-syntax" in (kept_refusal(world) or "")


def test_a_version_is_in_the_store_before_it_serves(world: World) -> None:
    world.settle()
    kept: list[list[str]] = []
    world.reloader = Reloader(
        world.settings, world.store, world.begin(), same, lambda rules: kept.append(kept_versions(world))
    )
    world.settle()
    world.edit_template("second")
    world.settle()

    assert kept == [kept_versions(world)]
    assert kept[0][1] == world.reloader.rules().config.version


def test_a_version_that_serves_again_is_the_last_good_one(world: World) -> None:
    world.settle()
    for name in ("second", "first"):
        world.write(name)
        world.settle()
    world.edit_template("{{ data.id ")

    assert world.begin().rules.config.routes[0].name == "first"
    assert len(kept_versions(world)) == 2


def test_a_process_tells_from_time_to_time_which_version_it_goes_by(world: World) -> None:
    world.settle()
    world.reloader.poll(world.clock)
    with world.store.transaction() as transaction:
        transaction.session.connection.execute(delete(versions))
    world.reloader.poll(world.clock + SEE_SECONDS - 1)

    assert kept_versions(world) == []

    world.reloader.poll(world.clock + SEE_SECONDS)

    assert kept_versions(world) == [world.reloader.rules().config.version]


def test_a_renewed_certificate_serves_without_an_edit(world: World) -> None:
    file = world.settings.config_path.parent / "ca.pem"
    old, new = Authority("old").cert, Authority("new").cert
    file.write_text(old)
    crm = "  crm: {type: http, url: https://crm.test, ca_cert: ca.pem}\nroutes:"
    text = ROUTES.replace("NAME", "first").replace("routes:", crm).replace("[{to: log", "[crm, {to: log")
    world.settings.config_path.write_text(text)
    world.settle()
    versions = [world.reloader.rules().config.version]
    served = []
    for renewed in (old, "broken", new):
        file.write_text(renewed)
        world.settle()
        options: Any = world.reloader.rules().config.destinations["crm"].options
        served.append((options.ca_cert, world.refused))
        versions.append(world.reloader.rules().config.version)

    assert served == [(old, []), (old, ["bad-value"]), (new, [])]
    assert len(set(versions)) == 1
