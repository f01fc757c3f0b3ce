"""The executor of an attempt: render, begin, send, and hand back what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from queue import SimpleQueue

import structlog

from hub.catalog.redaction import SHORTEST_SECRET
from hub.delivery.batch import Completion
from hub.delivery.completion_queue import CompletionQueue
from hub.delivery.earlier import EarlierEvents
from hub.delivery.in_flight import InFlight
from hub.delivery.render import RenderContext, builtin, plainer, render, with_values
from hub.delivery.threads import BUSY_SECONDS, Threads
from hub.delivery.versions import Versions
from hub.destinations.base import Destination, find_destination
from hub.errors import (
    Reject,
    Retry,
    SendError,
    StoreError,
    TemplateError,
    ThreadBusy,
    Unknown,
    VariableNotSet,
    VersionUnusable,
)
from hub.ingest.route import Rules
from hub.model.age import too_old
from hub.model.delivery import MARKS, Claim, Message, NotBegun, Receipt, SendContext
from hub.model.destination import DestinationConfig
from hub.model.thread import THREAD, Thread
from hub.store.store import Store

HANDOVER = timedelta(minutes=10)
"""So long after an event a process that has the files of its version, or understands them, is waited for: two
releases run side by side, or the store was away when a version began to serve."""

ELSEWHERE_SECONDS = 5.0
"""The wait of a delivery that another process is to claim."""

log = structlog.get_logger()


class Executor:
    """Makes attempts, any number at once. Each ends as one completion; none raises anything.

    A destination that is sent to stays ready, with its connections, until its configuration changes.
    """

    def __init__(
        self, in_flight: InFlight, completions: CompletionQueue, store: Store, public_url: str
    ) -> None:
        self._in_flight = in_flight
        self._completions = completions
        self._store = store
        self._versions = Versions(store)
        self._threads = Threads(store)
        self._public_url = public_url
        self._lock = threading.Lock()
        self._ready: dict[str, tuple[DestinationConfig, Destination]] = {}

    def attempt(self, claim: Claim, config: DestinationConfig, rules: Rules, at: datetime) -> None:
        """Make one attempt of a claim; `at` is when it was claimed, by the store's clock.

        Until `begin` it may be taken back, from then on it is being sent: never both. Where that comes too
        late, no attempt was made, and a message that was rendered is kept.
        """
        context = RenderContext(
            event=claim.event,
            route=claim.route,
            link=f"{self._public_url}/events/{claim.event.id}" if self._public_url else "",
            timezone=config.timezone,
            earlier=EarlierEvents(store=self._store, event=claim.event),
            routes=rules.config.routes,
        )
        thread: Thread | None = None
        began_at = time.monotonic()
        if claim.valid_until is not None and self._is_too_old(claim, at):
            return
        try:
            claim = self._rendered(claim, config, rules, at, context)
            message = claim.message or {}
            if MARKS in message:
                message = with_values(message, type_of(config), rules.config.environment)
            if THREAD in message:
                thread = self._joined(claim, message, config)
        except VariableNotSet as error:
            self._put_unbegun(claim, NotBegun(needs=error.names))
            return
        except ThreadBusy as busy:
            self._put_unbegun(claim, NotBegun(reason=str(busy), wait_seconds=BUSY_SECONDS))
            return
        except TemplateError as error:
            waits = isinstance(error, VersionUnusable) and _may_go_elsewhere(claim, rules, at)
            wait_seconds = ELSEWHERE_SECONDS if waits else None
            reason = rules.mask(f"template failed: {error}")
            self._put_unbegun(claim, NotBegun(reason=reason, wait_seconds=wait_seconds))
            return
        except StoreError:
            self._put_unbegun(claim, NotBegun(wait_seconds=ELSEWHERE_SECONDS))
            return
        except Exception as error:
            log.exception("delivery.not_rendered", delivery=claim.id)
            reason = f"the hub could not make this message ({type(error).__name__}); its log says more"
            self._put_unbegun(claim, NotBegun(reason=reason))
            return
        now = at + timedelta(seconds=time.monotonic() - began_at)
        is_late = claim.valid_until is not None and self._is_too_old(claim, now)
        if is_late or not self._in_flight.begin(claim):
            if thread is not None:
                self._threads.leave(claim, thread)
            self._put_unbegun(claim)
            return
        began_at = time.monotonic()
        result = self._send(claim, message, config, rules, at, config.timeout_seconds, thread)
        if isinstance(result, Reject) and result.form:
            ends_at = began_at + config.timeout_seconds
            claim, result = self._send_plainer(claim, config, rules, at, result, ends_at, context, thread)
        seconds = time.monotonic() - began_at
        if thread is not None:
            self._threads.leave(claim, thread, result)
        self._completions.put(Completion(claim=claim, result=result, seconds=seconds))

    def close(self) -> None:
        """Let go of the connections to destinations."""
        for _, destination in self._ready.values():
            destination.close()

    def _put_unbegun(self, claim: Claim, result: NotBegun = NotBegun()) -> None:  # noqa: B008 - frozen
        """Hand back a claim of which nothing was sent, unless the worker took it back itself."""
        if self._in_flight.take_back(claim):
            self._completions.put(Completion(claim=claim, result=result))

    def _is_too_old(self, claim: Claim, now: datetime) -> bool:
        """Return True where the event of a claim is too old to be sent: then that is handed back."""
        reason = too_old(claim.event, claim.valid_until, now)
        if reason is not None:
            self._put_unbegun(claim, NotBegun(reason=reason, too_old=True))
        return reason is not None

    def _joined(self, claim: Claim, message: Message, config: DestinationConfig) -> Thread | None:
        """Return a message's thread, joined; None where the place ties messages by itself."""
        place = type_of(config).thread_place(config.options, message)  # type: ignore[arg-type]
        if place is None:
            return None
        return self._threads.join(claim, place, message[THREAD], config.timeout_seconds)

    def _rendered(
        self, claim: Claim, config: DestinationConfig, rules: Rules, at: datetime, context: RenderContext
    ) -> Claim:
        """Return the claim with its message, made of the files of the version that decided it."""
        if claim.message is not None:
            return claim
        kind, sandbox = type_of(config), rules.sandbox
        try:
            if claim.send.fields and claim.version not in (None, rules.config.version):
                sandbox = self._versions.sandbox(claim.version)
            rendered = render(claim.send, context, kind, config.options, sandbox)
        except VersionUnusable as error:
            if not kind.read_by_people or _may_go_elsewhere(claim, rules, at):
                raise
            warning, today = f"template failed: {error}", rules.sandbox
            rendered = builtin(claim.send, context, kind, config.options, today, warning)
        degraded = rendered.degraded and rules.mask(rendered.degraded)
        claim = replace(claim, message=rendered.message, degraded=degraded)
        self._in_flight.keep_message(claim)
        return claim

    def _send_plainer(
        self,
        claim: Claim,
        config: DestinationConfig,
        rules: Rules,
        at: datetime,
        refusal: Reject,
        ends_at: float,
        context: RenderContext,
        thread: Thread | None,
    ) -> tuple[Claim, Receipt | SendError]:
        """Send a message whose form was refused in plainer forms, until one is taken or the time is over.

        The claim then has the message that was sent last, or is to be sent by the next attempt.
        """
        result: Receipt | SendError = refusal
        kind, reason = type_of(config), rules.mask(refusal.reason)
        kept = claim.message or {}
        for form in plainer(kept, claim.send, context, kind, config.options, rules.sandbox, reason):
            claim = replace(claim, message=form.message, degraded=form.degraded)
            remaining_seconds = ends_at - time.monotonic()
            if remaining_seconds <= 0:
                late = f"{refusal.reason}; no time was left to send it in a plainer form"
                return claim, Retry(late, status=refusal.status, answer=refusal.answer)
            message = form.message
            if MARKS in message:
                message = with_values(message, kind, rules.config.environment)
            result = self._send(claim, message, config, rules, at, remaining_seconds, thread)
            if not (isinstance(result, Reject) and result.form):
                break
        return claim, result

    def _send(
        self,
        claim: Claim,
        message: Message,
        config: DestinationConfig,
        rules: Rules,
        at: datetime,
        timeout_seconds: float,
        thread: Thread | None,
    ) -> Receipt | SendError:
        """Send; the one boundary where a destination's own errors become an outcome."""
        context = SendContext(
            delivery_id=claim.id,
            event_id=claim.event.id,
            event_type=claim.event.type,
            event_source=claim.event.source,
            payload=claim.event.payload,
            attempt_number=claim.attempts,
            rendering=claim.rendering,
            at=at,
            timeout_seconds=timeout_seconds,
            accepted=claim.accepted,
            thread=thread,
            valid_seconds=None if claim.valid_until is None else (claim.valid_until - at).total_seconds(),
            mask=rules.mask,
        )
        try:
            receipt = self._destination(config).send(message, context)
            is_telling = len(receipt.answer) >= SHORTEST_SECRET
            return replace(receipt, answer=rules.mask(receipt.answer)) if is_telling else receipt
        except SendError as error:
            error.answer = rules.mask(error.answer)
            return error
        except Exception as error:
            log.exception("delivery.failed_inside", delivery=claim.id, destination=claim.destination)
            return Unknown(f"the hub failed while sending ({type(error).__name__}); its log says more")

    def _destination(self, config: DestinationConfig) -> Destination:
        with self._lock:
            known = self._ready.get(config.name)
            if known is None or known[0] is not config:
                # One that an attempt still uses is not closed here; it goes with its last user.
                known = (config, type_of(config)(config.options, config.name))  # type: ignore[arg-type]
                self._ready[config.name] = known
            return known[1]


class ThreadPool:
    """Threads that render and send; unlike those of the library, one that hangs lets its process end."""

    def __init__(self, size: int, name: str = "send") -> None:
        self._size = size
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle: SimpleQueue[None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job as soon as a thread is free; it raises nothing."""
        # Where little is to do few threads do it: what they need is at hand.
        if len(self._threads) < self._size:
            if self._idle.empty():
                self._threads.append(threading.Thread(target=self._run, name=self._name, daemon=True))
                self._threads[-1].start()
            else:
                self._idle.get()
        self._jobs.put(job)

    def close(self) -> None:
        """Let the threads end once they have done what they are at."""
        for _ in self._threads:
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            if len(self._threads) < self._size:
                self._idle.put(None)


def _may_go_elsewhere(claim: Claim, rules: Rules, at: datetime) -> bool:
    """Return True where another process may be able to render what this one is not."""
    return claim.version != rules.config.version and at - claim.event.received_at < HANDOVER


def type_of(config: DestinationConfig) -> type[Destination]:
    """Return the class of a destination whose configuration was checked."""
    destination_type = find_destination(config.type)
    if destination_type is None:
        raise LookupError(f"no destination type {config.type}: the configuration was not checked")
    return destination_type
