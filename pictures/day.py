"""A hub with a day behind it and four destinations in trouble, served on loopback: for pictures and tests."""

from __future__ import annotations

import random
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from werkzeug.serving import make_server

from hub import catalog
from hub.config.files import read_files
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules, load_rules, match
from hub.maintenance.heartbeat import beat
from hub.maintenance.index import Indexer
from hub.model.delivery import State
from hub.model.event import Event, new_id
from hub.model.filter import Filter
from hub.preview.renderings import render_all
from hub.rules.load import check_files, usable_config
from hub.rules.reload import Serving
from hub.settings import Settings
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import attempts, deliveries, destinations, sources
from hub.web import create_app

CONFIG = Path(__file__).parent / "config"
PASSWORD = "correct horse battery"  # noqa: S105 - of a hub that lives as long as a picture takes
ENVIRONMENT = {
    "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.test/services/T0/B0/x",
    "SLACK_BOT_TOKEN": "xoxb-not-a-token-of-anybody",
    "SMTP_URL": "smtp://hub:harbor-mail@smtp.harbor.example:587",
    "CRM_WEBHOOK_URL": "https://crm.harbor.example/hooks/contacts",
}
PUBLIC_URL = "https://hub.harbor.example"

PEOPLE = (
    *("Mara Lindqvist", "Jane Roe", "Noor Haddad", "Tomás Vega", "Aiko Tanaka", "Ben Okafor"),
    *("Léa Fontaine", "Ivo Marković", "Sunita Rao", "Owen Hughes", "Zoë Brandt", "Kemal Aydin"),
)
TYPES = (
    *("user.created", "user.created", "waitlistEntry.created", "organizationInvitation.created"),
    *("organizationInvitation.accepted", "subscription.updated", "paymentAttempt.updated", "user.deleted"),
)
"""The types that come in turn; people sign up most."""

FAILED, UNKNOWN, DELIVERED = "failed", "unknown", "delivered"


@dataclass(frozen=True, kw_only=True)
class Day:
    """The hub: where it answers, its store, and the ids of what it is known by."""

    url: str
    store: Store
    rules: Rules
    event: str
    dead: str
    owed: dict[str, str]
    """The newest delivery to each destination, by its name."""


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A delivery as fan-out made it."""

    id: str
    destination: str
    at: datetime
    message: dict[str, Any] | None


@contextmanager
def served_day(folder: Path, *, half_hours: int = 48, refused: str = "") -> Iterator[Day]:
    """Serve the hub from a database in a folder, with so many half hours behind it; one without any is new.

    `refused` is an edit of its routes that has mistakes.
    """
    settings = Settings(
        password=PASSWORD, environment=ENVIRONMENT, public_url=PUBLIC_URL if half_hours else ""
    )
    now = datetime.now(UTC)
    files = replace(
        read_files(CONFIG / "routes.yaml", CONFIG / "templates"),
        path=settings.config_path,
        templates_folder=settings.templates_path,
    )
    serving = Serving(
        rules=load_rules(usable_config(files, ENVIRONMENT)), since=now - timedelta(hours=5), files=files
    )
    if refused:
        edit = replace(files, content=refused.encode())
        problems = check_files(edit, ENVIRONMENT).problems
        serving = replace(
            serving, refused=problems, refused_at=now - timedelta(minutes=3), refused_files=edit
        )
    store = open_store(f"sqlite:///{folder / 'hub.db'}")
    store.migrate()
    owed = _live(store, serving.rules, now, half_hours) if half_hours else []
    is_over = threading.Event()
    worker = threading.Thread(target=_beat, args=(store, is_over))
    worker.start()
    server = make_server("127.0.0.1", 0, create_app(store, lambda: serving, settings), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Day(
            url=f"http://127.0.0.1:{server.port}",
            store=store,
            rules=serving.rules,
            **_to_look_at(store),
            owed={one.destination: one.id for one in owed},
        )
    finally:
        is_over.set()
        server.shutdown()
        for one in (thread, worker):
            one.join()
        store.close()


def _beat(store: Store, is_over: threading.Event) -> None:
    """Give a worker's signs of life, and nothing else of one."""
    while not is_over.is_set():
        beat(store, "pictures", datetime.now(UTC))
        is_over.wait(10)


def _to_look_at(store: Store) -> dict[str, str]:
    """Return the newest sign-up, and the dead letter that was tried most often; empty where there is none."""
    with store.read() as snapshot:
        came = [one.id for one in snapshot.event_list.records() if one.type == "user.created"]
        dead = snapshot.delivery_list.records(Filter(state=State.DEAD))
    tried = sorted(dead, key=lambda one: one.attempts, reverse=True)
    return {"event": next(iter(came), ""), "dead": tried[0].id if tried else ""}


def _live(store: Store, rules: Rules, now: datetime, half_hours: int) -> list[Owed]:
    """Take the events of so long in, and settle what they are owed as a worker would have."""
    chance = random.Random(7)  # noqa: S311 - the same day each time
    owed: list[Owed] = []
    for number, at in enumerate(_moments(chance, now, half_hours)):
        event = _event(TYPES[number % len(TYPES)], PEOPLE[chance.randrange(len(PEOPLE))], at)
        fan_out(event, rules, store)
        owed += _owed(event, rules, store)
    with store.transaction() as transaction:
        connection = transaction.session.connection
        for one in owed:
            values, tries = _fate(one, now, chance)
            connection.execute(update(deliveries).where(deliveries.c.id == one.id).values(**values))
            rows = [_attempt(one, number, attempt) for number, attempt in enumerate(tries, 1)]
            if rows:
                connection.execute(insert(attempts), rows)
        _set_states(connection, now)
    Indexer(store).run()
    return owed


def _moments(chance: random.Random, now: datetime, half_hours: int) -> list[datetime]:
    """Return the moments at which something came: more by day than by night, the last just now."""
    ages: list[float] = []
    for half_hour in range(half_hours):
        busy = 1 + 5 * abs(24 - half_hour) / 24
        ages += [half_hour * 1800 + chance.random() * 1800 for _ in range(round(busy * chance.random()) + 1)]
    of_late = [18, 22, 140, *range(240, 2000, 80)]
    return [now - timedelta(seconds=age) for age in sorted([*ages, *of_late], reverse=True)]


def _event(type_: str, person: str, at: datetime) -> Event:
    first, _, last = person.partition(" ")
    plain = unicodedata.normalize("NFD", first.lower()).encode("ascii", "ignore").decode()
    address = f"{plain}@example.com"
    changes: dict[str, Any] = {}
    if type_ == "user.created":
        changes = {"data.first_name": first, "data.last_name": last}
        changes |= {f"data.email_addresses[{place}].email_address": address for place in _primary(type_)}
    elif type_.startswith(("waitlist", "organizationInvitation")):
        changes = {"data.email_address": address}
    return Event(
        id=new_id("evt", at),
        source="clerk",
        message_id=new_id("msg", at),
        type=type_,
        payload=catalog.sample_payload(type_, changes, timestamp_ms=int(at.timestamp() * 1000)),
        received_at=at,
    )


def _primary(type_: str) -> list[int]:
    """Return the places of a sample's primary address among all."""
    data = catalog.sample(type_)["data"]
    addresses = data["email_addresses"]
    return [place for place, one in enumerate(addresses) if one["id"] == data["primary_email_address_id"]]


def _owed(event: Event, rules: Rules, store: Store) -> list[Owed]:
    messages = render_all(match(rules, event), event, rules, PUBLIC_URL)
    by_place = {(one.route, one.destination.name): one.message for one in messages}
    with store.read() as snapshot:
        statement = select(deliveries.c.id, deliveries.c.route, deliveries.c.destination)
        rows = snapshot.session.connection.execute(statement.where(deliveries.c.event_id == event.id)).all()
    return [
        Owed(
            id=row.id,
            destination=row.destination,
            at=event.received_at,
            message=by_place[row.route, row.destination],
        )
        for row in rows
    ]


Tried = tuple[float, str, int | None, str, str | None]
"""Seconds after the event, outcome, status, detail and answer of an attempt."""


def _fate(owed: Owed, now: datetime, chance: random.Random) -> tuple[dict[str, Any], list[Tried]]:
    """Return the values of a delivery's row and its attempts."""
    age = now - owed.at
    made = {"created_at": owed.at, "owed_since": owed.at, "due_at": owed.at, "message": owed.message}
    broken: Tried = (0.3, FAILED, 500, "answered 500 Internal Server Error", "boom: database is on fire")
    match owed.destination:
        case "crm" if age < timedelta(minutes=34):
            tries = [broken, *((seconds, *broken[1:]) for seconds in (6.0, 310.0) if seconds < age.seconds)]
            due = {"due_at": now + timedelta(seconds=44), "reason": broken[3], "tries": len(tries)}
            return {**made, "state": "pending", "attempts": len(tries), **due}, tries
        case "crm" if chance.random() < 0.08:
            refused: Tried = (
                0.3,
                FAILED,
                422,
                "answered 422 Unprocessable Entity",
                '{"error":"email is not valid","field":"email"}',
            )
            tries = [(seconds, *refused[1:]) for seconds in (0.3, 5.4, 310, 2100, 9300, 27000, 63000, 80000)]
            tries = [broken, *(one for one in tries[1:] if one[0] < age.total_seconds())]
            reason = f"answered 422 Unprocessable Entity (attempt {len(tries)} of {len(tries)}, the last)"
            dead = {"state": "dead", "reason": reason, "attempts": len(tries), "tries": len(tries)}
            return {**made, **dead, "due_at": None}, tries
        case "warehouse" if age < timedelta(hours=2):
            tried: Tried = (0.4, UNKNOWN, None, "did not answer within 3 s", None)
            held = {"state": "held", "reason": "did not answer within 3 s", "attempts": 1, "tries": 1}
            return {**made, **held, "due_at": None}, [tried]
        case "alerts" if age < timedelta(hours=3):
            return {**made, "state": "pending", "message": None}, []
        case "partner":
            return {**made, "state": "pending", "message": None}, []
    arrived = owed.at + timedelta(seconds=0.3 + chance.random() / 5)
    sent = {"state": "delivered", "delivered_at": arrived, "finished_at": arrived, "attempts": 1, "tries": 1}
    return {**made, **sent, "due_at": None}, [(0.2, DELIVERED, 200, "answered 200 OK", "ok")]


def _attempt(owed: Owed, number: int, tried: Tried) -> dict[str, Any]:
    after, outcome, status, detail, answer = tried
    return {
        "delivery_id": owed.id,
        "number": number,
        "destination": owed.destination,
        "at": owed.at + timedelta(seconds=after),
        "seconds": 3.0 if outcome == UNKNOWN else 0.084,
        "outcome": outcome,
        "status": status,
        "detail": detail,
        "answer": answer,
    }


def _set_states(connection: Any, now: datetime) -> None:
    """Keep the states that the destinations are in, and that a sender is there."""
    connection.execute(insert(sources).values(name="clerk", accepted_at=now - timedelta(seconds=18)))
    usual: dict[str, Any] = {
        "configured": True,
        "failures": 0,
        "probe_at": None,
        "probes": 0,
        "paused_at": None,
        "paused_reason": None,
        "failing_since": None,
        "last_error": None,
        "last_answer": None,
    }
    states: dict[str, dict[str, Any]] = {
        "growth": {},
        "mail": {},
        "crm": {
            "failures": 31,
            "probe_at": now + timedelta(seconds=44),
            "probes": 6,
            "failing_since": now - timedelta(minutes=34),
            "last_error": "answered 500 Internal Server Error",
            "last_answer": "boom: database is on fire",
        },
        "warehouse": {},
        "alerts": {
            "paused_at": now - timedelta(hours=3),
            "paused_reason": "Slack answered invalid_auth: "
            "the token is not valid; put a new token into bot_token",
        },
        "partner": {"configured": False},
        "log": {},
    }
    rows = [{"name": name, **usual, **changes} for name, changes in states.items()]
    connection.execute(insert(destinations), rows)
