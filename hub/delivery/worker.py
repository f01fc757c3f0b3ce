"""The worker: claim, render once, mark started, send, judge, settle, log once.

One thread does all that touches the store, a turn at a time; the sender threads render and send, outside
any transaction. A delivery's way through a worker:

    claim -> render (first attempt only) -> start -> send -> settle
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from hub.delivery import retry
from hub.delivery.batch import Done, News, Plan, Sent
from hub.delivery.cycle import take_short_turn, take_turn
from hub.delivery.executor import Errands, type_of
from hub.delivery.thread_pool import Inbox, Senders
from hub.errors import HubError, StoreError, StoreMoved, Unknown
from hub.health.notifier import Notifier
from hub.ingest.route import Rules
from hub.model.delivery import Claim, Message, Outcome, Settlement, State
from hub.model.destination import DestinationConfig
from hub.store.store import MOVED_WORDS, Store

BEAT_SECONDS = 10.0
"""How often a worker says that it lives."""

LOOK_AFTER_SECONDS = 5.0
"""How often a worker looks for leases that ran out."""

GIVE_UP_SECONDS = 60.0
"""How often a worker looks for what has waited too long: it reads all that is pending."""

PRUNE_SECONDS = 3600.0
"""How often a worker begins to remove what is older than the retention, a batch in each turn."""

GATHER_SECONDS = 0.02
"""While more is due than can be sent, a turn waits so long for the others that are under way: it costs the
same for many as for one."""

STORE_PAUSE_SECONDS = 1.0
"""How long a worker waits before it asks a database again that did not answer."""

PUT_OFF_SECONDS = 300.0
PUT_OFF_REASON = "the hub failed at this delivery and tries it later; its log says more"

DRAIN_SECONDS = 7.0
"""How long what is being sent may take once the worker is told to stop."""

log = structlog.get_logger()


class Worker:
    """Delivers what is due until it is told to stop. Any number may run on one store."""

    def __init__(
        self,
        store: Store,
        rules: Callable[[], Rules],
        *,
        threads: int,
        public_url: str = "",
        retention: timedelta = timedelta(days=30),
    ) -> None:
        self.id = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._store = store
        self._rules = rules
        self._threads = threads
        self._retention = retention
        self._senders = Senders(threads)
        self._inbox = Inbox()
        self._errands = Errands(self._inbox, public_url)
        self._notifier = Notifier(store, public_url)
        self._stopping = threading.Event()
        self._in_hand: dict[str, Claim] = {}
        self._sending: set[str] = set()
        self._configs: dict[str, DestinationConfig] = {}
        self._more_waits = self._has_moved = False
        self._marked: Rules | None = None
        self._seen_at = self._looked_at = self._gave_up_at = self._pruned_at = float("-inf")

    def run(self) -> None:
        """Work until `stop` is called; then finish or return what is in hand, and let go of the store."""
        listener = self._store.listen(self._inbox.ring)
        log.info("worker.started", worker=self.id, threads=self._threads)
        try:
            while not (self._stopping.is_set() or self._has_moved):
                self._inbox.wait(self._turn(), listener)
                if self._more_waits:
                    self._inbox.gather(len(self._in_hand), GATHER_SECONDS)
            self._drain()
            if self._has_moved:
                log.error("worker.idle", worker=self.id, reason=MOVED_WORDS)
                self._stopping.wait()
        finally:
            listener.close()
            self._senders.close()
            self._errands.close()
            self._inbox.close()
            log.info("worker.stopped", worker=self.id)

    def stop(self) -> None:
        """Claim nothing more and let `run` return; safe to call from a signal handler."""
        self._stopping.set()
        self._inbox.ring()

    # -- a turn -------------------------------------------------------------------------------

    def _turn(self, *, claims: bool = True) -> float:
        """One turn in one transaction; returns how many seconds there is nothing to do by time alone."""
        news = self._inbox.take()
        rules = self._rules()
        plan = (self._short_plan(rules, news) if claims else None) or self._plan(rules, news, claims=claims)
        try:
            return self._carry_out(plan, rules)
        except StoreError as error:
            self._inbox.put_back(news)
            self._has_moved |= isinstance(error, StoreMoved)
            log.error("worker.store_unavailable", worker=self.id, error=str(error))
        except Exception:
            log.exception("worker.turn_failed", worker=self.id)
            self._take_apart(plan, rules)
        self._stopping.wait(STORE_PAUSE_SECONDS)
        return 0.0

    def _carry_out(self, plan: Plan, rules: Rules) -> float:
        began = time.monotonic()
        if plan.passes_on:
            done = take_short_turn(self._store, plan)
            if done is None:
                # Not by way of what is heard next: one could follow the other, and nothing else be done.
                return self._carry_out(self._plan(rules, plan.news, claims=plan.claims), rules)
        else:
            done = self._store.write(lambda transaction: take_turn(transaction, plan))
        self._follow(plan, done, rules, began)
        return self._seconds_until(done)

    def _take_apart(self, plan: Plan, rules: Rules) -> None:
        """Do piece by piece what a turn failed at, so that one delivery does not stop all others.

        A result that fails again is let go: once its lease runs out it counts as a dead worker's. Of what is
        due the first is claimed alone; if that fails, it is put off.
        """
        self._looked_at = self._gave_up_at = self._pruned_at = time.monotonic()
        rest = replace(
            plan, destinations={}, passes_on={}, beats=False, looks_after=False, gives_up=False, prunes=None
        )
        for news in plan.news.each():
            if not self._works(replace(rest, news=news), rules):
                for claim in news.claims:
                    self._let_go(claim)
        for name, config in plan.destinations.items() if plan.claims else ():
            alone = replace(rest, news=News(), destinations={name: config}, threads=1, in_hand={})
            if not self._works(alone, rules):
                self._put_off(name)

    def _put_off(self, destination: str) -> None:
        later = timedelta(seconds=PUT_OFF_SECONDS)
        with contextlib.suppress(StoreError):
            self._store.write(
                lambda transaction: transaction.queue.put_off(destination, later, PUT_OFF_REASON)
            )

    def _works(self, plan: Plan, rules: Rules) -> bool:
        """Carry out a part of a turn; False where it fails for another reason than the store's absence."""
        try:
            self._carry_out(plan, rules)
        except StoreError:
            self._inbox.put_back(plan.news)
        except Exception:
            log.exception("worker.delivery_failed", worker=self.id, deliveries=_ids(plan.news))
            return False
        return True

    def _plan(self, rules: Rules, news: News, *, claims: bool) -> Plan:
        configs = rules.config.destinations
        self._configs.update(configs)
        settled = Counter(each.claim.destination for each in news.sent)
        settled.update(each.claim.destination for each in news.settled)
        held = Counter(claim.destination for claim in self._in_hand.values())
        available = {name: config for name, config in configs.items() if _is_available(config)}
        configured = {name: name in available for name in configs}
        beats, looks_after, gives_up, prunes = self._chores()
        return Plan(
            worker=self.id,
            threads=self._threads,
            destinations=available,
            configs=self._configs,
            news=news,
            in_hand=held - settled,
            compose=partial(self._compose, rules),
            configured=configured if self._marked is not rules else None,
            tells=frozenset(send.to for send in rules.config.problems),
            beats=beats,
            looks_after=claims and looks_after,
            gives_up=claims and gives_up,
            prunes=self._retention if claims and prunes else None,
            claims=claims,
        )

    def _short_plan(self, rules: Rules, news: News) -> Plan | None:
        """For a short turn; None where there is more to do than to start what fell due, or another way."""
        busy = {claim.destination for claim in self._in_hand.values()}
        if not news.due or news.claims or busy & news.due or self._more_waits or any(self._chores()):
            return None
        configs = {name: each for name, each in rules.config.destinations.items() if name in news.due}
        found = {name: self._passed_on(each) for name, each in configs.items()}
        messages = {name: message for name, message in found.items() if message is not None}
        free = self._threads - len(self._in_hand)
        if not len(news.due) == len(messages) <= free or self._marked is not rules:
            return None
        return Plan(
            worker=self.id,
            threads=self._threads,
            destinations=configs,
            configs=self._configs,
            news=news,
            in_hand={},
            passes_on=messages,
        )

    def _compose(self, rules: Rules, claim: Claim) -> Claim:
        return self._errands.compose(claim, self._configs[claim.destination], rules)

    def _chores(self) -> tuple[bool, bool, bool, bool]:
        """Whether it is time to beat, to look after leases, to give up and to prune."""
        clock = time.monotonic()
        return (
            clock - self._seen_at > BEAT_SECONDS,
            clock - self._looked_at > LOOK_AFTER_SECONDS,
            clock - self._gave_up_at > GIVE_UP_SECONDS,
            clock - self._pruned_at > PRUNE_SECONDS,
        )

    def _passed_on(self, config: DestinationConfig) -> Message | None:
        if not _is_available(config) or config.rate_limit is not None:
            return None
        return type_of(config).passes_on(config.options)

    def _follow(self, plan: Plan, done: Done, rules: Rules, began: float) -> None:
        """What a committed turn asks for: hand on the claimed and the started, say what became of others.

        `began` is when the leases did, by this process's clock.
        """
        clock = time.monotonic()
        self._more_waits = self._more_waits if done.more_waits is None else done.more_waits
        self._seen_at = clock if plan.beats else self._seen_at
        self._looked_at = clock if plan.looks_after else self._looked_at
        self._gave_up_at = clock if plan.gives_up else self._gave_up_at
        if plan.prunes is not None and not done.pruned:
            self._pruned_at = clock
        marked = self._marked if plan.configured is None else rules
        self._marked = None if done.unmarked else marked
        for claim in done.claimed:
            self._in_hand[claim.id] = claim
            if claim.message is None:
                config = self._configs[claim.destination]
                self._senders.submit(partial(self._errands.render, claim, config, rules))
        for claim in done.started:
            self._in_hand[claim.id] = claim
            self._sending.add(claim.id)
            config = self._configs[claim.destination]
            self._senders.submit(partial(self._errands.send, claim, config, done.now, began))
        for settlement in done.settlements:
            self._let_go(settlement.claim)
            _log_settled(settlement, done.now)
        for claim in done.late:
            self._let_go(claim)
            log.warning("delivery.late", delivery=claim.id, destination=claim.destination)
        for state in done.paused:
            log.warning("destination.paused", destination=state.name, reason=state.paused_reason)
        for name, count in (+done.gave_up).items():
            log.warning("deliveries.gave_up", destination=name, count=count)
        if plan.looks_after:
            self._notifier.notify(rules)

    def _let_go(self, claim: Claim) -> None:
        held = self._in_hand.get(claim.id)
        # A late claim's delivery may be in this worker's hands again, under another token.
        if held is not None and held.token == claim.token:
            del self._in_hand[claim.id]
            self._sending.discard(claim.id)

    def _seconds_until(self, done: Done) -> float:
        longest = self._store.slow_poll_seconds
        if done.next_at is None:
            return longest
        return min(max((done.next_at - done.now).total_seconds(), 0.0), longest)

    # -- stopping -----------------------------------------------------------------------------

    def _drain(self) -> None:
        """Return what was not started, finish what is being sent within bounds, and leave."""
        for claim in self._in_hand.values():
            if claim.id not in self._sending:
                self._inbox.put(settled=retry.returned(claim))
        # Of a store that was moved what is being sent is waited for, so that nothing is sent again there.
        longest = max((each.timeout_seconds for each in self._configs.values()), default=0.0)
        deadline = time.monotonic() + (longest if self._has_moved else DRAIN_SECONDS)
        while self._in_hand and time.monotonic() < deadline:
            self._turn(claims=False)
            self._inbox.wait(0.1)
        for claim in [claim for claim in self._in_hand.values() if claim.id in self._sending]:
            error = Unknown("the hub stopped before the destination answered")
            self._inbox.put(sent=Sent(claim=claim, seconds=DRAIN_SECONDS, result=error))
        self._turn(claims=False)
        with contextlib.suppress(HubError):
            self._store.write(lambda transaction: transaction.workers.leave(self.id))


def _is_available(config: DestinationConfig) -> bool:
    return config.enabled and config.options is not None


def _ids(news: News) -> str:
    return " ".join(claim.id for claim in news.claims)


def _log_settled(settlement: Settlement, now: datetime) -> None:
    """The one line of an attempt."""
    claim, due_at = settlement.claim, settlement.due_at
    say = log.info if settlement.state in (State.DELIVERED, State.PENDING) else log.warning
    say(
        "delivery.attempted" if settlement.outcome else "delivery.settled",
        delivery=claim.id,
        event_id=claim.event.id,
        destination=claim.destination,
        attempt=claim.attempts,
        outcome=settlement.outcome or Outcome.FAILED,
        state=settlement.state,
        status=settlement.status,
        seconds=round(settlement.seconds, 3) if settlement.seconds is not None else None,
        reason=settlement.reason,
        next_in_seconds=round((due_at - now).total_seconds(), 1) if due_at else None,
        degraded=claim.degraded,
    )
