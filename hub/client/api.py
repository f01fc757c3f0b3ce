"""The hub's HTTP API for commands: of a remote hub, or the same app in this process on the local store."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import requests

from hub.client.url import origin
from hub.errors import Conflict, HubError, NotFound
from hub.ingest.route import load_rules
from hub.process import start
from hub.process.logs import set_up_logs
from hub.rules.load import load_config
from hub.rules.reload import Serving
from hub.settings import load_settings, read_environment
from hub.terminal.printing import inline
from hub.web import create_app

TIMEOUT_SECONDS = 30

Request = Callable[[str, str, Mapping[str, str]], tuple[int, bytes]]
"""Makes one request of a method, a path and a query, and returns status and body of the response."""

Command = TypeVar("Command", bound=Callable[..., Any])


def api_options(command: Command) -> Command:
    """Add `--url` and `--json`, which every command of an operator takes."""
    url = click.option("--url", help="A hub far away, with HUB_PASSWORD set; else the local database.")
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the API's JSON, for tools.")
    return url(as_json(command))


class Api:
    """One hub's API. `name` is that of the hub in errors."""

    def __init__(self, request: Request, name: str) -> None:
        self._request = request
        self._name = name

    def call(self, method: str, path: str, **query: object) -> Any:
        """Return the response's JSON; a query's None is left out.

        Raises HubError with the API's message: NotFound for 404, Conflict for 409.
        """
        arguments = {name: str(value) for name, value in query.items() if value is not None}
        status, content = self._request(method, path, arguments)
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if status == 200 and isinstance(body, dict):
            return body
        raise self._refusal(status, body if isinstance(body, dict) else {})

    def _refusal(self, status: int, body: Mapping[str, Any]) -> HubError:
        message = inline(body.get("message"))
        if status == 401:
            return HubError(f"HUB_PASSWORD is not the password of {self._name}")
        if 300 <= status < 400:
            return HubError(f"{self._name} redirects elsewhere; give the final address as --url")
        if not message:
            return HubError(f"{self._name} answered {status}, but not as a hub does; is the --url right?")
        return {404: NotFound, 409: Conflict}.get(status, HubError)(message)


@contextmanager
def open_api(url: str | None) -> Iterator[Api]:
    """Yield the API of the hub at a URL, or of the local database; raise HubError where it is not there."""
    if url:
        with requests.Session() as session:
            yield Api(_remote(session, url), f"the hub at {origin(url)}")
        return
    settings = load_settings()
    set_up_logs(settings.log_format, "warning")
    with closing(start.open_existing(settings)) as store:
        config = load_config(settings.config_path, settings.templates_path, settings.environment)
        serving = Serving(rules=load_rules(config), since=datetime.now(UTC))
        password = secrets.token_urlsafe()
        app = create_app(store, lambda: serving, replace(settings, password=password))
        yield Api(_in_process(app.test_client(), password), "the local hub")


def _remote(session: requests.Session, url: str) -> Request:
    password = read_environment().get("HUB_PASSWORD")
    if not password:
        raise HubError("set HUB_PASSWORD to the password of that hub")
    if not url.startswith(("http://", "https://")):
        raise HubError("--url must begin with https:// or http://")

    def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Given as `auth`: a netrc entry for the host would replace a mere header. A header is Latin-1.
        request.headers["Authorization"] = f"Bearer {password}".encode().decode("latin-1")
        return request

    def request(method: str, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
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
            raise HubError(f"{origin(url)} did not answer within {TIMEOUT_SECONDS} s") from error
        except (requests.RequestException, ValueError) as error:
            raise HubError(f"no hub answers at {origin(url)}; is the --url right, and the hub up?") from error
        return response.status_code, response.content

    return request


def _in_process(client: Any, password: str) -> Request:
    def request(method: str, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {password}"}
        response = client.open(path, method=method, query_string=query, headers=headers)
        return response.status_code, response.data

    return request
