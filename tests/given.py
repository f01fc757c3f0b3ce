"""Events, configurations and rules made by hand, for tests to begin with."""

from __future__ import annotations

import itertools
import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from hub import catalog
from hub.delivery.retry import after_error
from hub.destinations.base import find_destination
from hub.errors import Reject, Retry
from hub.ingest.route import Rules, load_rules
from hub.model.config import Config, SigningSecrets, SourceConfig
from hub.model.delivery import Claim
from hub.model.destination import DestinationConfig
from hub.model.event import Event, new_id
from hub.model.routing import Route, RoutedSend, Routing, Send, positioned
from hub.store.engine.postgres import PostgresStore
from hub.store.repositories.events import RoutedEvent
from hub.store.repositories.queue import ClaimRequest
from hub.store.store import Store, Transaction
from hub.templating.lazy_summary import LazySummary
from hub.templating.sandbox import variables

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def event(type_: str = "user.created", *, data: Any = None, **changes: Any) -> Event:
    """An event that just came in, under a new message id."""
    now = datetime.now(UTC)
    body = {"object": "event", "type": type_, "data": {"id": "user_1"} if data is None else data}
    given = {
        "id": new_id("evt", now),
        "source": "clerk",
        "message_id": f"msg_{next(_numbers)}",
        "type": type_,
        "payload": json.dumps(body).encode(),
        "received_at": now,
    }
    return Event(**{**given, **changes})


def source(
    name: str = "clerk",
    *,
    secrets: tuple[str, ...] = (SECRET,),
    missing: tuple[str, ...] = (),
    fault: str = "",
    **changes: Any,
) -> SourceConfig:
    variables = missing or ("CLERK_WEBHOOK_SIGNING_SECRET",)
    signing = SigningSecrets(secrets=secrets, variables=variables, missing=missing, fault=fault)
    given = {"name": name, "type": "clerk", "path": "/api/webhooks", "signing": signing}
    return SourceConfig(**{**given, **changes})


def destination(
    name: str = "log", *, type_: str = "console", url: str = "", **changes: Any
) -> DestinationConfig:
    """A destination that is configured; `url` makes it an `http` one."""
    type_ = "http" if url else type_
    destination_class = find_destination(type_)
    assert destination_class is not None
    given = {
        "name": name,
        "type": type_,
        "options": destination_class.Options.model_validate({"url": url} if url else {}),
        "retry_seconds": (5.0, 300.0, 1800.0),
        "timeout_seconds": 10.0,
        "give_up_after_seconds": 3 * 86400.0,
        "concurrency": destination_class.concurrency,
    }
    return DestinationConfig(**{**given, **changes})


def route(name: str = "all", events: tuple[str, ...] = ("*",), *sends: Send | str, **changes: Any) -> Route:
    blocks = tuple(Send(to=send) if isinstance(send, str) else send for send in sends or ("log",))
    return Route(name=name, events=events, sends=positioned(blocks), **changes)


def config(
    *routes: Route,
    destinations: tuple[DestinationConfig, ...] = (),
    sources: tuple[SourceConfig, ...] = (),
    **changes: Any,
) -> Config:
    """A configuration; without destinations it has the console `log`, without sources Clerk."""
    return Config(
        version="1",
        sources={block.name: block for block in sources or (source(),)},
        destinations={block.name: block for block in destinations or (destination(),)},
        routes=routes,
        **changes,
    )


def rules(*routes: Route, **parts: Any) -> Rules:
    return load_rules(config(*routes, **parts))


def routing(*names: str, route: str = "all") -> Routing:
    """Return the routing of an event that one route owes to the named destinations."""
    sends = tuple(
        RoutedSend(route=route, send=send) for send in positioned([Send(to=name) for name in names])
    )
    return Routing(routes=(route,), sends=sends)


def of_version(send: Send, version: str, route: str = "all") -> Routing:
    """Return the routing of an event to one send block by a version of the files."""
    return Routing(routes=(route,), sends=(RoutedSend(route=route, send=send),), version=version)


def keep(transaction: Transaction, event: Event, routing: Routing) -> bool:
    """Keep an event with what the rules say of it; False where it is known."""
    (is_new,) = transaction.events.insert([RoutedEvent(event=event, routing=routing)])
    return is_new


def claim(
    store: Store,
    name: str = "log",
    count: int = 1,
    *,
    first_count: int = 0,
    token: str = "",
    lease: timedelta = timedelta(seconds=25),
) -> list[Claim]:
    """Claim what is due of a destination: their attempts have begun."""
    request = ClaimRequest(
        destination=name,
        count=count,
        first_count=first_count,
        token=token or f"token {next(_numbers)}",
        lease=lease,
    )
    with store.transaction() as transaction:
        pending = transaction.queue.claim([request])
    claims, unreadable = pending.read()
    assert unreadable == []
    return claims


def fail(store: Store, name: str, reason: str, *, status: int | None = None, is_last: bool = False) -> Claim:
    """Fail the next attempt at a destination now, with `is_last` for good; its claim."""
    (its_claim,) = claim(store, name)
    kind = Reject if is_last else Retry
    with store.read() as snapshot:
        now = snapshot.now
    settlement = after_error(
        its_claim, kind(reason, status=status), destination(name), now=now, chance=0.5, seconds=0.1
    )
    store.write(lambda transaction: transaction.queue.settle([settlement]))
    return its_claim


def seen(event: Event, route: str = "welcome") -> dict[str, Any]:
    """The variables of a condition."""
    return variables(event, route, LazySummary(lambda: catalog.summarise(event)))


def routed(*names: str) -> RoutedEvent:
    """A new event that one route owes to the named destinations."""
    return RoutedEvent(event=event(), routing=routing(*names))


def until(condition: Callable[[], Any], seconds: float = 90) -> Any:
    """The condition's value as soon as it is true; fails after `seconds`."""
    ends = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < ends, f"waited {seconds:g} s in vain"
        time.sleep(0.01)
    return value


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections: it is taken, so that nobody else can listen there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def waits_for_a_lock(connection: psycopg.Connection[Any]) -> bool:
    """Return True where any session of the server that a connection leads to waits for a lock."""
    rows = connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1").fetchall()
    return bool(rows)


class Ear:
    """Listens for a store's wake-ups; `heard` counts them."""

    def __init__(self, store: Store) -> None:
        self.heard: list[None] = []
        self._listener = store.listen(lambda: self.heard.append(None))
        # Where it had to connect first it says that something may have been missed.
        until(lambda: self.heard or not isinstance(store, PostgresStore))
        self.heard.clear()

    def hears(self, seconds: float) -> bool:
        """Return True as soon as there is a wake-up, False after `seconds` without."""
        ends = time.monotonic() + seconds
        while not self.heard and (remaining := ends - time.monotonic()) > 0:
            number = self._listener.fileno()
            select.select([number] if number is not None else [], [], [], min(remaining, 0.02))
            self._listener.hear()
        return bool(self.heard)

    def close(self) -> None:
        self._listener.close()


def let_only_read(postgres_url: str) -> None:
    """Let every session that begins from now on only read, as providers do when a disk fills."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
