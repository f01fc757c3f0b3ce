"""The hub's HTTP API for commands: of a hub far away, or the same app in this process on the local store."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import requests

from hub.client.sender import place
from hub.errors import Conflict, HubError, NotFound
from hub.ingest.route import load_rules
from hub.process import start
from hub.process.logs import set_up_logs
from hub.rules.load import load_config
from hub.rules.reload import Serving
from hub.settings import load_settings
from hub.terminal.printing import one_line
from hub.web import create_app

TIMEOUT_SECONDS = 30

Send = Callable[[str, str, Mapping[str, str]], tuple[int, bytes]]
"""Makes one request, given method, path and query, and returns the answer's status and body."""

Command = TypeVar("Command", bound=Callable[..., Any])


def api_options(command: Command) -> Command:
    """`--url` and `--json`, which every command of an operator takes."""
    url = click.option("--url", help="A hub far away, with HUB_PASSWORD set; else the local database.")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON, for tools.")
    return url(as_json(command))


class Api:
    """One hub's API. `where` names the hub in errors."""

    def __init__(self, send: Send, where: str) -> None:
        self._send = send
        self._where = where

    def call(self, method: str, path: str, **query: object) -> Any:
        """The answer's JSON; a query's None is left out.

        Raises HubError with what the API says: NotFound for 404, Conflict for 409.
        """
        given = {name: str(value) for name, value in query.items() if value is not None}
        status, content = self._send(method, path, given)
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if status == 200 and isinstance(body, dict):
            return body
        raise self._refusal(status, body if isinstance(body, dict) else {})

    def _refusal(self, status: int, body: Mapping[str, Any]) -> HubError:
        said = one_line(body.get("message"))
        if status == 401:
            return HubError(f"HUB_PASSWORD is not the password of {self._where}")
        if 300 <= status < 400:
            return HubError(f"{self._where} redirects elsewhere; give the final address as --url")
        if not said:
            return HubError(f"{self._where} answered {status}, but not as a hub does; is the --url right?")
        return {404: NotFound, 409: Conflict}.get(status, HubError)(said)


@contextmanager
def open_api(url: str | None) -> Iterator[Api]:
    """The API of the hub at a URL, or of the local database; raises HubError saying what is missing."""
    if url:
        with requests.Session() as session:
            yield Api(_far_away(session, url), f"the hub at {place(url)}")
        return
    settings = load_settings()
    set_up_logs(settings.log_format, "warning")
    with closing(start.open_existing(settings)) as store:
        config = load_config(settings.config_path, settings.templates_path, settings.environment)
        serving = Serving(rules=load_rules(config), since=datetime.now(UTC))
        password = secrets.token_urlsafe()
        app = create_app(store, lambda: serving, replace(settings, password=password))
        yield Api(_in_process(app.test_client(), password), "the local hub")


def _far_away(session: requests.Session, url: str) -> Send:
    password = os.environ.get("HUB_PASSWORD")
    if not password:
        raise HubError("set HUB_PASSWORD to the password of that hub")
    if not url.startswith(("http://", "https://")):
        raise HubError("--url must begin with https:// or http://")

    def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Given as `auth`: a netrc entry for the host would replace a mere header. A header is Latin-1.
        request.headers["Authorization"] = f"Bearer {password}".encode().decode("latin-1")
        return request

    def send(method: str, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            response = session.request(
                method,
                url.rstrip("/") + path,
                params=query,
                auth=authorise,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise HubError(f"{place(url)} did not answer within {TIMEOUT_SECONDS} s") from error
        except (requests.RequestException, ValueError) as error:
            raise HubError(f"no hub answers at {place(url)}; is the --url right, and the hub up?") from error
        return response.status_code, response.content

    return send


def _in_process(client: Any, password: str) -> Send:
    def send(method: str, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {password}"}
        response = client.open(path, method=method, query_string=query, headers=headers)
        return response.status_code, response.data

    return send
