"""Runs commands in this process as a shell would, and one hub that they speak to."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import case_files
import given
import pytest
import structlog
from click.testing import CliRunner, Result
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.program import PASSWORD, Program, free_port
from shell import ROUTES, Run, Served, bare_environment, shipped_environment

from hub.__main__ import main


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run the program in this process, in an empty folder: `run("preview", "user.created", env={...})`."""
    monkeypatch.chdir(tmp_path)
    logs, handlers = structlog.get_config(), logging.root.handlers[:]

    def invoke(*arguments: str, env: Mapping[str, str] | None = None, stdin: str | None = None) -> Result:
        chosen = dict(shipped_environment() if env is None else env)
        unset = dict.fromkeys(name for name in os.environ if name not in chosen)
        return CliRunner().invoke(main, arguments, input=stdin, env={**unset, **chosen})

    yield invoke
    # A command points the log at its own standard error, which is closed by now.
    structlog.configure(**logs)
    logging.root.handlers[:] = handlers


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "templates").mkdir()
    (folder / "routes.yaml").write_text(ROUTES)
    statuses: dict[str, int] = {}

    def respond(request: ReceivedRequest) -> CannedResponse:
        return CannedResponse(status=statuses.get(request.path, 200), body=b"taken by\nthe fake")

    with HttpReceiver(respond=respond) as receiver:
        port = free_port()
        environment = bare_environment(
            HUB_CONFIG=str(folder / "routes.yaml"),
            HUB_TEMPLATES=str(folder / "templates"),
            DATABASE_URL=f"sqlite:///{folder / 'hub.db'}",
            CLERK_WEBHOOK_SIGNING_SECRET=given.SECRET,
            CRM_WEBHOOK_URL=receiver.url,
        )
        url = f"http://127.0.0.1:{port}"
        serving = {**environment, "PORT": str(port), "HUB_PASSWORD": PASSWORD, "HUB_LOG_LEVEL": "warning"}
        with Program(["serve"], folder, serving) as program:
            program.wait_until_ready(url)
            yield Served(url=url, environment=environment, receiver=receiver, statuses=statuses)


@pytest.fixture
def run_cases(tmp_path: Path, run: Run) -> Run:
    """Run `hub test` on these files: `run_cases(cases, "--json", routes=routes)`."""

    def invoke(cases: str, *arguments: str, routes: str = case_files.USER, **env: str) -> Result:
        (tmp_path / "routes.yaml").write_text(case_files.ROUTES + routes)
        (tmp_path / "routes.test.yaml").write_text(cases)
        return run("test", *arguments, env=bare_environment(HUB_CONFIG="routes.yaml", **env))

    return invoke
