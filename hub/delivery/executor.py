"""What sender threads do for a worker: make a message, and send one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import datetime

import structlog

from hub.delivery import retry
from hub.delivery.batch import Sent
from hub.delivery.cycle import LEASE_MARGIN
from hub.delivery.render import render
from hub.delivery.thread_pool import Inbox
from hub.destinations.base import Destination, find_destination
from hub.errors import SendError, TemplateError, Unknown
from hub.ingest.route import Rules
from hub.model.delivery import Attempt, Claim, Receipt
from hub.model.destination import DestinationConfig

log = structlog.get_logger()


class Errands:
    """Whatever comes of one is put into the inbox; none of them raises anything.

    A destination that is sent to stays ready, with its connections, until its configuration changes.
    """

    def __init__(self, inbox: Inbox, public_url: str) -> None:
        self._inbox = inbox
        self._public_url = public_url
        self._lock = threading.Lock()
        self._ready: dict[str, tuple[DestinationConfig, Destination]] = {}

    def render(self, claim: Claim, config: DestinationConfig, rules: Rules) -> None:
        """Make the message of a first attempt; where none can be made, the delivery is dead."""
        try:
            rendered = self._rendered(claim, config, rules)
        except TemplateError as error:
            self._inbox.put(settled=retry.after_render_failure(claim, f"template failed: {error}"))
        except Exception as error:
            log.exception("delivery.not_rendered", delivery=claim.id)
            reason = f"the hub could not make this message ({type(error).__name__}); its log says more"
            self._inbox.put(settled=retry.after_render_failure(claim, reason))
        else:
            self._inbox.put(rendered=rendered)

    def compose(self, claim: Claim, config: DestinationConfig, rules: Rules) -> Claim:
        """With its message, where a send block asks for the built-in one: nothing of the user's runs."""
        if claim.message is not None or claim.send.fields:
            return claim
        try:
            return self._rendered(claim, config, rules)
        except Exception:  # noqa: BLE001 - `render` meets it again, and says what it is
            return claim

    def send(self, claim: Claim, config: DestinationConfig, at: datetime, leased: float) -> None:
        """One attempt; the one boundary where a destination's own errors become an outcome.

        `at` is when it was started by the store's clock, `leased` when its lease began by this process's.
        """
        began = time.monotonic()
        if began - leased > LEASE_MARGIN.total_seconds():
            # The process was halted. It could outlast its lease, and its successor sends the same.
            self._inbox.put(settled=retry.not_sent(claim))
            return
        result: Receipt | SendError
        try:
            attempt = _attempt(claim, config, at)
            result = self._destination(config).send(claim.message or {}, attempt)
        except SendError as error:
            result = error
        except Exception as error:
            log.exception("delivery.failed_inside", delivery=claim.id, destination=claim.destination)
            result = Unknown(f"the hub failed while sending ({type(error).__name__}); its log says more")
        self._inbox.put(sent=Sent(claim=claim, seconds=time.monotonic() - began, result=result))

    def close(self) -> None:
        """Let go of the connections to destinations."""
        for _, destination in self._ready.values():
            destination.close()

    def _rendered(self, claim: Claim, config: DestinationConfig, rules: Rules) -> Claim:
        link = f"{self._public_url}/events/{claim.event.id}" if self._public_url else ""
        composer = type_of(config)
        made = render(claim.send, claim.event, claim.route, composer, config.options, rules.sandbox, link)
        return replace(claim, message=made.message, degraded=made.degraded)

    def _destination(self, config: DestinationConfig) -> Destination:
        with self._lock:
            known = self._ready.get(config.name)
            if known is None or known[0] is not config:
                # One that an attempt still uses is not closed here; it goes with its last user.
                known = (config, type_of(config)(config.options, config.name))  # type: ignore[arg-type]
                self._ready[config.name] = known
            return known[1]


def type_of(config: DestinationConfig) -> type[Destination]:
    """The class of a destination whose configuration was checked."""
    found = find_destination(config.type)
    if found is None:
        raise LookupError(f"no destination type {config.type}: the configuration was not checked")
    return found


def _attempt(claim: Claim, config: DestinationConfig, at: datetime) -> Attempt:
    return Attempt(
        delivery_id=claim.id,
        event_id=claim.event.id,
        event_type=claim.event.type,
        payload=claim.event.payload,
        number=claim.attempts,
        at=at,
        timeout_seconds=config.timeout_seconds,
        accepted=claim.accepted,
    )
