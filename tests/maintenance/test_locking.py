"""Workers settle, rescue, give up, prune and notify at once: they wait for each other, never in a circle."""

from __future__ import annotations

import contextlib
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import given
from sqlalchemy import text, update

from hub import operator
from hub.delivery.batch import Batch, Completion
from hub.delivery.cycle import run_cycle
from hub.errors import Conflict, NotFound, Reject, Retry
from hub.health.notifier import Notifier
from hub.ingest.fanout import fan_out
from hub.maintenance.clock import SteadyClock
from hub.maintenance.expire import expire
from hub.maintenance.prune import prune_batch
from hub.maintenance.rescue import Rescue
from hub.model.delivery import NotBegun, Receipt, State
from hub.model.routing import Send
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import deliveries

NAMES = ("a", "b", "c", "d")
SECONDS = 2.0
RESULTS = (Receipt(detail="ok"), Retry("503"), Reject("410"), NotBegun())


def test_whatever_workers_do_at_once_none_waits_in_a_circle(postgres_store_url: str) -> None:
    """PostgreSQL would end a circle by an error."""
    stores = [open_store(postgres_store_url) for _ in range(4)]
    places = tuple(given.destination(name, retry_seconds=(0.01,), concurrency=4) for name in NAMES)
    rules = given.rules(
        given.route("all", ("*",), *NAMES), destinations=places, problems=(Send(to="a"), Send(to="b"))
    )
    reversed_rules = replace(
        rules, config=replace(rules.config, destinations=dict(reversed(rules.config.destinations.items())))
    )
    began_at = time.monotonic()
    done = dict.fromkeys(("cycles", "events", "rescues", "acts"), 0)

    def goes_on() -> bool:
        longest = SECONDS if min(done.values()) > 2 else 60
        return time.monotonic() < began_at + longest

    def cycles(number: int) -> None:
        mine = (rules, reversed_rules)[number].config.destinations
        completions: tuple[Completion, ...] = ()
        while goes_on():
            with stores[number].transaction() as transaction:
                transaction.destinations.mark_configured(dict.fromkeys(mine, random.random() < 0.9))
            batch = Batch(
                completions=completions, destinations=mine, configs=mine, threads=16, counts_dead=True
            )
            result = run_cycle(stores[number], batch)
            completions = tuple(
                Completion(claim=claim, result=random.choice(RESULTS), seconds=0.1) for claim in result.claims
            )
            done["cycles"] += 1

    def events() -> None:
        while goes_on():
            link = {"url": "https://example.com/?ticket=abcdef"}
            fan_out(given.event("invitation.created", data=link), rules, stores[2])
            done["events"] += 1
            time.sleep(0.002)

    def maintain(number: int) -> None:
        store, its_rules = stores[number], (rules, reversed_rules)[number]
        rescue, notifier = Rescue(store), Notifier(store, "")
        while goes_on():
            lose_some(store)
            rescue.run(its_rules)
            expire(store, its_rules, SteadyClock(store, 0.0))
            prune_batch(store, timedelta(0))
            notifier.notify(its_rules)
            done["rescues"] += 1

    def act() -> None:
        while goes_on():
            with stores[3].read() as reading:
                seen = [record.id for record in reading.delivery_list.records(limit=5)]
            for delivery_id in seen:
                with contextlib.suppress(Conflict, NotFound):
                    random.choice((operator.cancel, retry))(stores[3], delivery_id)
            done["acts"] += 1

    def retry(store: Store, delivery_id: str) -> None:
        operator.retry(store, rules, delivery_id)

    with ThreadPoolExecutor(6) as pool:
        runs = [pool.submit(cycles, 0), pool.submit(cycles, 1), pool.submit(events), pool.submit(act)]
        runs += [pool.submit(maintain, 0), pool.submit(maintain, 1)]
        for run in runs:
            run.result()

    for store in stores:
        store.close()

    assert min(done.values()) > 2, done


def lose_some(store: Store) -> None:
    """Let leases of deliveries run out, and let others have waited too long."""
    free = "SELECT id FROM deliveries WHERE state = '{state}' ORDER BY due_at LIMIT 3 FOR UPDATE SKIP LOCKED"
    with store.transaction() as transaction:
        for state, values in (
            (State.SENDING, {"lease_until": given.NOON}),
            (State.PENDING, {"owed_since": given.NOON - timedelta(days=900)}),
        ):
            which = text(f"id IN ({free.format(state=state)})")
            transaction.session.connection.execute(update(deliveries).where(which).values(values))
