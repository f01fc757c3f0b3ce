"""Rescues deliveries whose lease ran out: their process died, and whether they arrived nobody knows."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

from hub.delivery import retry
from hub.delivery.worker import log_settled
from hub.errors import Unknown
from hub.health.alerts import dead_letters
from hub.ingest.route import Rules
from hub.model.delivery import Claim, Outcome, Settlement
from hub.model.destination import DestinationConfig
from hub.store.store import Store

RESCUE_SECONDS = 5.0

LEFT_TO_OTHERS_FOR = timedelta(minutes=1)
"""So long a lease that ran out is left to workers whose configuration has its destination: they know what
`on_unknown` says there.
"""

BATCH = 500


class Rescue:
    """Settles claims whose lease ran out; it remembers destinations that were configured once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._configs: dict[str, DestinationConfig] = {}

    def run(self, rules: Rules) -> None:
        """Settle every attempt whose lease ran out as `unknown`, at most `BATCH` in each transaction."""
        self._configs.update(rules.config.destinations)
        while len(self._settle(counts_dead=bool(rules.config.problems))) == BATCH:
            pass

    def _settle(self, *, counts_dead: bool) -> list[Settlement]:
        with self._store.transaction() as transaction:
            now = transaction.now
            lapsed = transaction.overdue.lapsed_claims(
                self._configs, others_after=LEFT_TO_OTHERS_FOR, limit=BATCH
            )
            settlements = [self._settlement(claim, now) for claim in lapsed]
            transaction.queue.settle(settlements)
            dead = dead_letters(settlements, {}) if counts_dead else []
            if dead:
                transaction.alerts.add_dead_letters(dead)
        for settlement in settlements:
            log_settled(settlement, now)
        if settlements:
            self._store.wake()
        return settlements

    def _settlement(self, claim: Claim, now: datetime) -> Settlement:
        """The end of an attempt that nobody saw. It counts in the schedule, but never for the breaker."""
        error = Unknown("the worker that was sending it died")
        config = self._configs.get(claim.destination)
        if config is None:
            unbegun = retry.not_begun(claim, None)
            return replace(unbegun, outcome=Outcome.UNKNOWN, detail=error.reason, tries=claim.tries)
        chance = random.random()  # noqa: S311 - jitter
        return retry.after_error(claim, error, config, now=now, chance=chance, seconds=None)
