"""A problem that stops a start is told in one line, without a traceback; others do not stop it."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import requests
from running import (
    ROUTES,
    Running,
    environment,
    get,
    run,
    wait_until_ready,
    write_configuration,
)
from servers.program import free_port, is_ready, wait_until

from hub.errors import SettingsError
from hub.process.start import refuse_ephemeral_disk
from hub.settings import load_settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_configuration(tmp_path)


def refused(command: str, folder: Path, **more: str) -> list[str]:
    """The lines of a start that must fail; warnings of the configuration are none of them."""
    process = run(
        f"hub {command}", folder, environment(folder, **{"CRM_WEBHOOK_URL": "http://127.0.0.1:9", **more})
    )

    assert process.returncode == 1, process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    assert process.stdout == ""
    return process.stderr.splitlines()


def test_a_port_in_use(folder: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]

        cure = "stop what uses it, or set PORT to another"
        expected = f"hub: cannot listen on 0.0.0.0:{port}: address already in use; {cure}"

        for command in ("serve", "web"):
            assert refused(command, folder, PORT=str(port)) == [expected]


def test_an_address_of_another_machine(folder: Path) -> None:
    reason = "cannot assign requested address; set HUB_BIND to an address of this machine"

    assert refused("web", folder, HUB_BIND="192.0.2.1") == [f"hub: cannot listen on 192.0.2.1:8000: {reason}"]


@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_postgresql_that_does_not_answer(folder: Path, command: str) -> None:
    port = free_port()
    (line,) = refused(command, folder, DATABASE_URL=f"postgres://hub:hidden@127.0.0.1:{port}/hub", PORT="0")

    assert line.startswith("hub: the database cannot be reached: ")
    assert "DATABASE_URL" in line
    assert "hidden" not in line


def test_a_newer_sqlite_database(folder: Path, sqlite_url: str) -> None:
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9_0001'")

    for command in ("migrate", "worker"):
        (line,) = refused(command, folder, PORT="0", DATABASE_URL=sqlite_url)
        assert line.startswith("hub: the database is at v9_0001")
        assert "deploy that version" in line


def test_a_newer_postgresql_database(folder: Path, new_postgres_database: Callable[..., str]) -> None:
    url = new_postgres_database()
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9_0001'")
    (line,) = refused("serve", folder, DATABASE_URL=url, PORT="0")

    assert line.startswith("hub: the database is at v9_0001")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PORT": "http"}, "PORT is 'http'; it must be a whole number from 0 to 65535"),
        (
            {"DATABASE_URL": "mysql://db/hub"},
            "DATABASE_URL must begin with sqlite:///, postgresql:// or postgres://; it begins with mysql:",
        ),
    ],
)
def test_a_setting_that_cannot_be_used(folder: Path, variables: dict[str, str], expected: str) -> None:
    assert refused("serve", folder, **variables) == [f"hub: {expected}"]


@pytest.mark.parametrize("variable", ["RENDER", "RAILWAY_ENVIRONMENT", "FLY_APP_NAME"])
def test_every_platform_empties_its_disk(variable: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} is set"):
        refuse_ephemeral_disk(load_settings({variable: "1", "DATABASE_URL": "sqlite:////hub.db"}))


def test_sqlite_on_a_disk_that_a_deploy_empties(folder: Path) -> None:
    (line,) = refused("serve", folder, DYNO="1", DATABASE_URL="sqlite:////hub.db")

    assert line.startswith("hub: DYNO is set")
    assert "PostgreSQL" in line
    assert "HUB_EPHEMERAL_DISK=accept" in line
    assert not Path("/hub.db").exists()


@pytest.mark.skipif(not Path("/dev/shm").is_mount(), reason="needs a volume in memory")
def test_a_volume_in_memory_is_no_place_for_events() -> None:
    in_memory = load_settings({"DYNO": "web.1", "DATABASE_URL": "sqlite:////dev/shm/new/hub.db"})
    with pytest.raises(SettingsError, match="is emptied with every deploy"):
        refuse_ephemeral_disk(in_memory)
    refuse_ephemeral_disk(replace(in_memory, database_url="postgresql://db/hub"))
    refuse_ephemeral_disk(replace(in_memory, platform=None))


def test_an_ephemeral_disk_that_was_accepted(folder: Path) -> None:
    port = free_port()
    env = environment(folder, DYNO="web.1", HUB_EPHEMERAL_DISK="accept", PORT=str(port))
    with Running("hub serve", folder, env) as running:
        wait_until_ready(port, running)

        assert get(port, "/healthz").status_code == 200


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_every_problem_of_the_routes(folder: Path, command: str) -> None:
    broken = ROUTES.replace("send: crm", "send: crn").replace("retry: [1s]", "retry: [soon]")
    write_configuration(folder, broken)
    lines = refused(command, folder, PORT="0")

    assert [line.split(": ")[0] for line in lines] == ["config/routes.yaml:11:13", "config/routes.yaml:15:11"]
    assert 'did you mean "crm"?' in lines[1]
    assert not (folder / "hub.db").exists()


def test_routes_that_are_not_there(folder: Path) -> None:
    (folder / "config" / "routes.yaml").unlink()
    (line,) = refused("serve", folder)

    assert line.startswith("config/routes.yaml:1:1: error[")
    assert "HUB_CONFIG" in line


def test_variables_that_are_not_set_stop_nothing(folder: Path) -> None:
    port = free_port()
    env = environment(folder, PORT=str(port))
    del env["CLERK_WEBHOOK_SIGNING_SECRET"]
    with Running("hub serve", folder, env) as running:
        wait_until_ready(port, running)

        assert "CRM_WEBHOOK_URL is not set" in running.text
        assert "CLERK_WEBHOOK_SIGNING_SECRET is not set" in running.text


def test_without_a_password_serve_prints_a_link_that_opens_the_page_once(folder: Path) -> None:
    port = free_port()
    env = environment(folder, PORT=str(port))
    del env["HUB_PASSWORD"]
    with Running("hub serve", folder, env) as running:
        wait_until_ready(port, running)
        path = "/login/" + running.wait_for_text("set HUB_PASSWORD").partition("/login/")[2].split()[0]

        first, second = get(port, path), get(port, path)

        assert (first.status_code, first.headers["Location"]) == (303, "/")
        assert second.status_code == 410


READ_BY_LIBRARIES = {
    "FLASK_DEBUG": "1",
    "FORWARDED_ALLOW_IPS": "everybody",
    "GUNICORN_CMD_ARGS": "--bind nowhere --workers many --access-logfile -",
    "GUNICORN_FD": "x",
    "GUNICORN_PID": "x",
    "LISTEN_FDS": "x",
    "LISTEN_PID": "x",
    "PROMETHEUS_MULTIPROC_DIR": "/nowhere",
    "SCRIPT_NAME": "/elsewhere",
    "SENDFILE": "perhaps",
    "WEB_CONCURRENCY": " ",
}


def test_variables_of_libraries_have_no_effect_and_an_address_of_ipv6_is_served(folder: Path) -> None:
    port = free_port()
    env = environment(folder, PORT=str(port), HUB_BIND="[::1]", **READ_BY_LIBRARIES)
    del env["HUB_PASSWORD"]
    with Running("hub serve", folder, env) as running:
        text = running.wait_for_text("set HUB_PASSWORD")
        url = f"http://[::1]:{port}"
        wait_until(lambda: is_ready(url), "the hub to be ready", explain=lambda: running.text)

        assert f"the hub serves {url}\n" in text
        assert f"status page, once: {url}/login/" in text
        assert requests.get(f"{url}/elsewhere", timeout=30).status_code == 404
        assert requests.get(f"{url}/healthz", timeout=30).status_code == 200
        triggered = run("hub trigger user.created", folder, env)
        assert "1 delivery" in triggered.stdout, triggered.stderr
        assert "Traceback" not in running.text
