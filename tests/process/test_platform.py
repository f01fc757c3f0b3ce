"""A platform's way with a checkout: it installs requirements.txt, and runs the Procfile's lines."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests
from running import (
    Running,
    environment,
    get,
    post_event,
    run,
    wait_until_ready,
)
from servers.http_receiver import HttpReceiver
from servers.program import PASSWORD, free_port, wait_until
from servers.slack_receiver import SlackReceiver
from servers.smtp_server import SmtpServer

CHECKOUT = Path(__file__).parents[2]
NOT_DEPLOYED = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", "__pycache__", "build", "*.egg-info", "*.db*", "tests", "bench"
)

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A copy of the checkout, and a virtual environment made from its requirements.txt alone."""

    folder: Path
    programs: Path

    def line(self, process: str) -> str:
        """Return the Procfile's command of a process."""
        lines = (self.folder / "Procfile").read_text().splitlines()
        return dict(line.split(": ", 1) for line in lines)[process]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    folder = tmp_path_factory.mktemp("platform")
    shutil.copytree(CHECKOUT, folder / "app", ignore=NOT_DEPLOYED)
    routes = folder / "app/config/routes.yaml"
    # As a team does that wants its users welcomed: mail is sent, too.
    text = routes.read_text().replace("    enabled: false\n", "")
    # What is slow to answer on a busy machine must not be sent twice.
    routes.write_text(text.replace("  timeout: 10s ", "  timeout: 90s "))
    # The pip of these tests installs: one of its own would take longer than the rest of the environment.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "venv/bin/python",
        "install",
        "-qq",
        "--no-compile",
        "--disable-pip-version-check",
        "-r",
        "requirements.txt",
    ]
    subprocess.run(install, cwd=folder / "app", check=True, timeout=350)
    shutil.rmtree(folder / "app" / "hub")
    return Deployed(folder=folder / "app", programs=folder / "venv/bin")


@dataclass(frozen=True, kw_only=True)
class Receivers:
    """The servers that the shipped routes send to."""

    crm: HttpReceiver
    slack: SlackReceiver
    mail: SmtpServer

    def have_all(self, events: int) -> bool:
        return (
            len(self.crm.wait_for(events)) == events
            and len(self.slack.wait_for(events)) == events
            and len(self.mail.wait_for(events)) == events
        )


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with HttpReceiver() as crm, SlackReceiver() as slack, SmtpServer() as mail:
        yield Receivers(crm=crm, slack=slack, mail=mail)


@pytest.fixture
def database_url(new_postgres_database: Callable[..., str]) -> str:
    """An empty database, as platforms name it."""
    return new_postgres_database(None).replace("postgresql://", "postgres://", 1)


@pytest.fixture
def env(deployed: Deployed, receivers: Receivers, database_url: str, tmp_path: Path) -> dict[str, str]:
    env = environment(
        tmp_path,
        DATABASE_URL=database_url,
        PORT=str(free_port()),
        CRM_WEBHOOK_URL=receivers.crm.url,
        SLACK_WEBHOOK_URL=receivers.slack.webhook_url,
        SMTP_URL=receivers.mail.url,
        EMAIL_FROM="hub@example.com",
        EMAIL_TO="team@example.com",
        DYNO="web.1",
    )
    return {**env, "PATH": f"{deployed.programs}:/usr/bin:/bin"}


def connections(database_url: str) -> int:
    """Return the number of connections of the hub's processes."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hub' "
            "AND datname = current_database()"
        ).fetchone()
        return int(row[0]) if row else 0


def test_the_release_phase_makes_the_database_and_checks_the_routes(
    deployed: Deployed, env: dict[str, str]
) -> None:
    release = run(deployed.line("release"), deployed.folder, env)

    assert release.returncode == 0, release.stdout + release.stderr
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_web_alone_delivers(deployed: Deployed, env: dict[str, str], receivers: Receivers) -> None:
    port = int(env["PORT"])
    with Running(deployed.line("web"), deployed.folder, env) as web:
        wait_until_ready(port, web)
        answers = [post_event(port, message_id=f"msg_{number}") for number in range(8)]

        assert [(answer.status_code, answer.json()["deliveries"]) for answer in answers] == [(200, 3)] * 8
        assert receivers.have_all(8)
        assert all_delivered(port, 24)
        connection_count = connections(env["DATABASE_URL"])
        print(f"PostgreSQL connections of two web processes and a worker: {connection_count}")
        assert connection_count <= 9
        # Behind one proxy, which is believed: it never redirects to https by itself.
        answer = get(port, "/login", **{"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"})
        assert (answer.status_code, answer.headers.get("Location")) == (200, None)
        web.stop()
        assert web.pids() == []


def test_web_and_worker_apart_deliver(deployed: Deployed, env: dict[str, str], receivers: Receivers) -> None:
    port = int(env["PORT"])
    with (
        Running("hub web", deployed.folder, env) as web,
        Running(deployed.line("worker"), deployed.folder, env) as first,
        Running(deployed.line("worker"), deployed.folder, env) as second,
    ):
        wait_until_ready(port, web)
        for number in range(8):
            assert post_event(port, message_id=f"msg_{number}").json()["deliveries"] == 3

        assert receivers.have_all(8)
        assert all_delivered(port, 24)
        connection_count = connections(env["DATABASE_URL"])
        print(f"PostgreSQL connections of two web processes and two workers: {connection_count}")
        assert connection_count <= 12
        for program in (first, second, web):
            program.stop()
        assert [*web.pids(), *first.pids(), *second.pids()] == []


def test_a_first_deploy_without_any_secret_serves(deployed: Deployed, env: dict[str, str]) -> None:
    """Clerk shows the signing secret only when the endpoint exists, so the hub comes first."""
    keep = ("PATH", "HOME", "LANG", "PORT", "DATABASE_URL", "DYNO")
    bare = {name: env[name] for name in keep}
    port = int(env["PORT"])
    with Running(deployed.line("web"), deployed.folder, bare) as web:
        wait_until_ready(port, web)
        answer = post_event(port)

        assert answer.status_code == 503
        assert answer.json()["error"] == "not_configured"
        assert "CLERK_WEBHOOK_SIGNING_SECRET" in answer.json()["message"]
        assert answer.headers["Retry-After"]
        assert re.search(r"http\S+/\S+", web.text)


def all_delivered(port: int, count: int) -> bool:
    def delivered() -> bool:
        answer = requests.get(
            f"http://127.0.0.1:{port}/api/deliveries?state=delivered&limit=500",
            headers={"Authorization": f"Bearer {PASSWORD}"},
            timeout=30,
        )
        return len(answer.json()["items"]) == count

    return bool(wait_until(delivered, f"{count} deliveries to be delivered"))
