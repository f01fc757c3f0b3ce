"""The worker: runs cycles, hands what it claimed to the executor, and stops in good order.

One thread runs the cycles, which alone touch the queue; the threads of the pool make the attempts, outside
any transaction:

    cycle: settle, claim -> executor: render, begin, send -> completion queue -> cycle
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from hub.delivery.batch import Batch, Completion, CycleResult, without_words
from hub.delivery.completion_queue import CompletionQueue
from hub.delivery.cycle import run_cycle
from hub.delivery.executor import Executor, ThreadPool
from hub.delivery.in_flight import InFlight
from hub.errors import StoreError, StoreMigrated, Unknown, WritesRefused
from hub.ingest.route import Rules
from hub.model.delivery import NotBegun, Outcome, Settlement, State
from hub.model.destination import DestinationConfig
from hub.store.store import MIGRATED_MESSAGE, Store

GATHER_SECONDS = 0.02
"""While more is due than can be sent, a cycle waits so long for the attempts that are under way: it costs the
same for many as for one."""

STORE_PAUSE_SECONDS = 1.0
"""How long a worker waits before it asks a database again that did not answer."""

REFUSED_PAUSE_SECONDS = 4.0
"""How much longer it waits for one that takes no writes: that lasts, and the server logs each try."""

BUSY_SECONDS, BUSY_POLL_SECONDS = 60.0, 0.1
"""For so long after it last claimed something a worker looks so often, where no wake-up reaches it."""

PUT_OFF = timedelta(minutes=5)
PUT_OFF_REASON = "the hub failed at this delivery and tries it later; its log says more"

DRAIN_SECONDS = 7.0
"""How long what is being sent may take once the worker is told to stop."""

log = structlog.get_logger()


class Worker:
    """Delivers what is due until it is told to stop. Any number may run on one store."""

    def __init__(
        self, store: Store, rules: Callable[[], Rules], *, threads: int, public_url: str = ""
    ) -> None:
        self.id = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.last_cycle_at: datetime | None = None
        self._store = store
        self._rules = rules
        self._threads = threads
        self._pool = ThreadPool(threads)
        self._completions = CompletionQueue()
        self._in_flight = InFlight()
        self._executor = Executor(self._in_flight, self._completions, store, public_url)
        self._stopping = threading.Event()
        self._configs: dict[str, DestinationConfig] = {}
        self._available: dict[str, DestinationConfig] = {}
        self._known: Rules | None = None
        self._is_registered = False
        self._more_waits = self._is_migrated = False
        self._claimed_at = float("-inf")

    def run(self) -> None:
        """Work until `stop` is called; then finish or give back what is under way."""
        listener = self._store.listen(self._completions.wake)
        log.info("worker.started", worker=self.id, threads=self._threads)
        try:
            while not (self._stopping.is_set() or self._is_migrated):
                self._completions.wait(self._cycle(), listener)
                if self._more_waits:
                    self._completions.gather(len(self._in_flight), GATHER_SECONDS)
            self._drain()
            if self._is_migrated:
                log.error("worker.idle", worker=self.id, reason=MIGRATED_MESSAGE)
                self._stopping.wait()
        finally:
            listener.close()
            self._pool.close()
            self._executor.close()
            self._completions.close()
            log.info("worker.stopped", worker=self.id)

    def stop(self) -> None:
        """Claim nothing more and let `run` return. Safe to call from a signal handler."""
        self._stopping.set()
        self._completions.wake()

    def _cycle(self) -> float:
        """Run one cycle; return for how many seconds there is nothing to do by time alone."""
        rules, completions = self._rules(), self._completions.take()
        if self._known is not rules:
            self._adopt(rules)
        batch = self._batch(rules, completions)
        try:
            if not self._is_registered:
                self._register(rules)
            return self._carry_out(batch, rules)
        except StoreError as error:
            self._completions.put_back(completions)
            self._is_migrated |= isinstance(error, StoreMigrated)
            log.error("worker.store_unavailable", worker=self.id, error=str(error))
            self._stopping.wait(REFUSED_PAUSE_SECONDS if isinstance(error, WritesRefused) else 0)
        except Exception:
            log.exception("worker.turn_failed", worker=self.id)
            self._settle_one_by_one(batch, rules)
        self._stopping.wait(STORE_PAUSE_SECONDS)
        return 0.0

    def _adopt(self, rules: Rules) -> None:
        """Serve a version's destinations from now on; what is under way goes by the version before."""
        configs = rules.config.destinations
        self._configs.update(configs)
        self._available = {name: config for name, config in configs.items() if is_available(config)}
        self._known, self._is_registered = rules, False

    def _register(self, rules: Rules) -> None:
        """Give every destination of a version its row, before the first cycle that locks it."""
        configured = {name: name in self._available for name in rules.config.destinations}
        with self._store.transaction() as transaction:
            transaction.destinations.mark_configured(configured)
        self._is_registered = True

    def _batch(self, rules: Rules, completions: tuple[Completion, ...]) -> Batch:
        under_way = self._in_flight.by_destination()
        under_way.subtract(completion.claim.destination for completion in completions)
        claims = not self._stopping.is_set() and not self._is_migrated
        return Batch(
            completions=completions,
            destinations=self._available if claims else {},
            configs=self._configs,
            threads=self._threads,
            in_flight=+under_way,
            counts_dead=bool(rules.config.problems),
        )

    def _carry_out(self, batch: Batch, rules: Rules) -> float:
        began_at = time.monotonic()
        result = run_cycle(self._store, batch)
        self.last_cycle_at = result.now
        self._more_waits = self._more_waits if result.more_waits is None else result.more_waits
        self._is_registered &= not result.lacks_row
        for claim in result.claims:
            self._in_flight.add(claim, began_at)
            config = self._configs[claim.destination]
            self._pool.submit(partial(self._executor.attempt, claim, config, rules, result.now))
        self._report(result)
        for delivery_id in result.unreadable:
            self._put_off(delivery_id)
        if result.claims:
            self._claimed_at = began_at
        is_busy = time.monotonic() - self._claimed_at < BUSY_SECONDS
        polls = is_busy and not self._store.has_wake_ups
        longest = BUSY_POLL_SECONDS if polls else self._store.slow_poll_seconds
        if result.next_at is None:
            return longest
        return min(max((result.next_at - result.now).total_seconds(), 0.0), longest)

    def _report(self, result: CycleResult) -> None:
        """Let go of what came to its end, and say so, once each."""
        for settlement in result.settlements:
            self._in_flight.remove(settlement.claim)
            log_settled(settlement, result.now)
        for claim in result.late:
            self._in_flight.remove(claim)
            log.warning("delivery.late", delivery=claim.id, destination=claim.destination)
        for state in result.paused:
            log.warning("destination.paused", destination=state.name, reason=state.paused_reason)

    def _put_off(self, delivery_id: str) -> None:
        """Let a delivery wait that nobody can read, so that it does not stop others."""
        log.error("delivery.unreadable", delivery=delivery_id)
        with contextlib.suppress(StoreError), self._store.transaction() as transaction:
            transaction.queue.put_off(delivery_id, PUT_OFF, PUT_OFF_REASON)

    def _settle_one_by_one(self, batch: Batch, rules: Rules) -> None:
        """Settle what a cycle failed at, so that one delivery does not stop all others.

        What fails alone is settled without its message and its answer, and what fails again is let go: once
        its lease runs out it counts as a dead worker's.
        """
        for completion in batch.completions:
            bare = without_words(completion)
            if not (self._settles(completion, batch, rules) or self._settles(bare, batch, rules)):
                self._in_flight.remove(completion.claim)

    def _settles(self, completion: Completion, batch: Batch, rules: Rules) -> bool:
        """Return False where a completion alone fails for another reason than the store's absence."""
        try:
            self._carry_out(replace(batch, completions=(completion,), destinations={}), rules)
        except StoreError:
            self._completions.put_back([completion])
        except Exception:
            log.exception("worker.delivery_failed", worker=self.id, deliveries=completion.claim.id)
            return False
        return True

    def _drain(self) -> None:
        """Take back what has not begun, finish what is being sent within bounds, and leave."""
        for claim in self._in_flight.take_back_all():
            self._completions.put(Completion(claim=claim, result=NotBegun()))
        # Of a store that was moved what is being sent is waited for, so that nothing is sent again there.
        longest = max((config.timeout_seconds for config in self._configs.values()), default=0.0)
        deadline = time.monotonic() + (longest if self._is_migrated else DRAIN_SECONDS)
        while len(self._in_flight) and time.monotonic() < deadline:
            self._cycle()
            self._completions.wait(0.1)
        for claim in self._in_flight.claims():
            error = Unknown("the hub stopped before the destination answered")
            self._completions.put(Completion(claim=claim, result=error, seconds=DRAIN_SECONDS))
        self._cycle()


def is_available(config: DestinationConfig) -> bool:
    """Return True for a destination that is switched on and configured."""
    return config.enabled and config.options is not None


def log_settled(settlement: Settlement, now: datetime) -> None:
    """Write the one line of an attempt."""
    claim, due_at = settlement.claim, settlement.due_at
    write = log.info if settlement.state in (State.DELIVERED, State.PENDING) else log.warning
    write(
        "delivery.attempted" if settlement.outcome else "delivery.settled",
        delivery=claim.id,
        event_id=claim.event.id,
        destination=claim.destination,
        attempt=claim.attempts if settlement.outcome else claim.attempts - 1,
        outcome=settlement.outcome or Outcome.FAILED,
        state=settlement.state,
        status=settlement.status,
        seconds=round(settlement.seconds, 3) if settlement.seconds is not None else None,
        reason=settlement.reason,
        next_in_seconds=round((due_at - now).total_seconds(), 1) if due_at else None,
        degraded=claim.degraded,
    )
