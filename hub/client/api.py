"""The hub's HTTP API for commands: of a remote hub, or the same app in this process on the local store."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar, cast

import click
import requests

from hub.client.url import is_in_clear, origin
from hub.errors import Conflict, HubError, NotFound, StoreError
from hub.humanize import counted
from hub.process import start
from hub.process.logs import set_up_logs
from hub.rules.reload import Serving, current
from hub.rules.versions import kept_files, register_if_new
from hub.settings import Settings, load_settings, read_environment
from hub.store.store import Store
from hub.terminal.printing import inline, say
from hub.web import create_app
from hub.web.access import COMMAND_LINE_MARK

TIMEOUT_SECONDS = 30

ACT_SECONDS = 300
"""An act on many takes longer: thousands of them, batch by batch."""

Arguments = Mapping[str, str | list[str]]

Request = Callable[[str, str, Arguments, Any], tuple[int, bytes]]
"""Makes one request of a method, a path, a query and JSON, and returns status and body of the response."""

Command = TypeVar("Command", bound=Callable[..., Any])


def api_options(command: Command) -> Command:
    """Add `--url`, `--insecure` and `--json`, which every command of an operator takes.

    What the first two ask for arrives as the command's `hub`, for `open_api`.
    """

    @click.option("--url", help="A hub far away, with HUB_PASSWORD set; else the local database.")
    @click.option("--insecure", is_flag=True, help="Send HUB_PASSWORD to an http:// address in clear.")
    @click.option("--json", "as_json", is_flag=True, help="Print the API's JSON, for tools.")
    @wraps(command)
    def with_hub(url: str | None, insecure: bool, **arguments: Any) -> Any:
        return command(hub=RemoteHub(url=url, may_be_in_clear=insecure) if url else None, **arguments)

    return cast(Command, with_hub)


@dataclass(frozen=True, kw_only=True)
class RemoteHub:
    """A hub far away. The password goes to it in clear only where that was asked for."""

    url: str
    may_be_in_clear: bool = False


class Api:
    """One hub's API. `name` is that of the hub in errors."""

    def __init__(self, request: Request, name: str) -> None:
        self._request = request
        self._name = name

    def call(self, method: str, path: str, **query: object) -> Any:
        """Return the response's JSON; a query's None is left out, a tuple repeats it.

        Raises HubError with the API's message: NotFound for 404, Conflict for 409.
        """
        arguments = {
            name: [str(one) for one in value] if isinstance(value, tuple) else str(value)
            for name, value in query.items()
            if value is not None
        }
        return self._answer(*self._request(method, path, arguments, None))

    def act(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask for an act on many, and return the response's JSON; as `call`."""
        return self._answer(*self._request("POST", path, {}, body))

    def _answer(self, status: int, content: bytes) -> Any:
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
def open_api(hub: RemoteHub | None) -> Iterator[Api]:
    """Yield the API of a hub far away, or of the local database; raise HubError where it is not there."""
    if hub:
        with requests.Session() as session:
            yield Api(_remote(session, hub), f"the hub at {origin(hub.url)}")
        return
    settings = load_settings()
    set_up_logs(settings.log_format, "warning")
    with closing(start.open_existing(settings)) as store:
        serving = version_that_serves(settings, store)
        with contextlib.suppress(StoreError):  # where nothing can be written, nothing can be owed either
            register_if_new(store, serving.files)
        password = secrets.token_urlsafe()
        app = create_app(store, lambda: serving, replace(settings, password=password))
        yield Api(_in_process(app.test_client(), password), "the local hub")


def version_that_serves(settings: Settings, store: Store) -> Serving:
    """Return the version of the user's files by which the local hub works; a bad edit is a line of warning.

    Raises ConfigError where no version can serve.
    """
    serving = current(settings, lambda: kept_files(store))
    if serving.refused:
        problems = counted(len(serving.facts().refused), "error")
        say(f"hub: the last edit has {problems} and does not serve (hub check prints all)", err=True)
    return serving


def _remote(session: requests.Session, hub: RemoteHub) -> Request:
    url, password = hub.url, read_environment().get("HUB_PASSWORD")
    if not password:
        raise HubError("set HUB_PASSWORD to the password of that hub")
    if not url.startswith(("http://", "https://")):
        raise HubError("--url must begin with https:// or http://")
    if not hub.may_be_in_clear and is_in_clear(url):
        raise HubError(
            f"HUB_PASSWORD would go to {origin(url)} in clear, so nothing was sent: use an https:// address, "
            "or --insecure where nobody can listen on the way"
        )

    # A loopback address is spoken to directly: a proxy of the environment would get the password in clear.
    session.trust_env = not url.startswith("http://") or hub.may_be_in_clear

    def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Given as `auth`: a netrc entry for the host would replace a mere header. A header is Latin-1.
        request.headers["Authorization"] = f"Bearer {password}".encode().decode("latin-1")
        return request

    def request(method: str, path: str, query: Arguments, body: Any) -> tuple[int, bytes]:
        timeout = TIMEOUT_SECONDS if body is None else ACT_SECONDS
        try:
            response = session.request(
                method,
                url.rstrip("/") + path,
                params=query,
                json=body,
                auth=authorise,
                timeout=timeout,
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise HubError(f"{origin(url)} did not answer within {timeout} s") from error
        except (requests.RequestException, ValueError) as error:
            raise HubError(f"no hub answers at {origin(url)}; is the --url right, and the hub up?") from error
        return response.status_code, response.content

    return request


def _in_process(client: Any, password: str) -> Request:
    def request(method: str, path: str, query: Arguments, body: Any) -> tuple[int, bytes]:
        response = client.open(
            path,
            method=method,
            query_string=query,
            json=body,
            headers={"Authorization": f"Bearer {password}"},
            environ_overrides={COMMAND_LINE_MARK: True},
        )
        return response.status_code, response.data

    return request
