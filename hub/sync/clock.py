"""The clock of comparisons: a mirror with `verify` is held against Clerk, in one worker at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from hub.errors import HubError, StoreError, StoreMigrated
from hub.ingest.route import Rules
from hub.model.config import Config
from hub.store.store import Store
from hub.sync.lease import Lease, LeaseTaken, reading
from hub.sync.runs import opened, verify
from hub.sync.targets import Target, find_target, listed_tables

LOOK_SECONDS = 60.0

AGAIN = timedelta(hours=1)
"""The time from a comparison that failed to the next, or the mirror's own where that is less."""

log = structlog.get_logger()


class _Stopping(Exception):
    """Ends a comparison whose process stops."""


class VerifyClock:
    """A thread beside a worker."""

    def __init__(self, store: Store, rules: Callable[[], Rules], look_seconds: float = LOOK_SECONDS) -> None:
        self._store = store
        self._rules = rules
        self._look_seconds = look_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verify", daemon=True)

    def start(self) -> None:
        """Begin to look, after a while: a start has other things to do."""
        self._thread.start()

    def stop(self) -> None:
        """End; a comparison that is under way ends with its next request."""
        self._stopping.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            try:
                self._look(self._rules().config)
            except StoreMigrated:
                return
            except StoreError as error:
                log.warning("verify.store_unavailable", error=str(error))
            except Exception:
                # A process that ends closes the store under a comparison.
                if not self._stopping.is_set():
                    log.exception("verify.failed")

    def _look(self, config: Config) -> None:
        for name in config.mirrors:
            destination = config.destinations[name]
            seconds = getattr(destination.options, "verify_seconds", None)
            if seconds is None or not destination.enabled:
                continue
            try:
                self._verify_if_due(config, name, timedelta(seconds=seconds))
            except _Stopping:
                return
            except LeaseTaken:
                # Another worker compares, or somebody by hand: what is due then is compared after that.
                continue
            except StoreError:
                raise
            except HubError as error:
                log.warning("verify.failed", destination=name, error=str(error))
                with self._store.transaction() as transaction:
                    transaction.mirrors.keep_failure(name, str(error))

    def _verify_if_due(self, config: Config, name: str, every: timedelta) -> None:
        fed = set(listed_tables(config, name))
        if not self._is_due(name, fed, every):
            return
        target = find_target(config, name)
        with reading(self._store, target.source.name, f"the comparison of {name} by its verify:") as lease:
            # Another worker may have ended between the two.
            if self._is_due(name, fed, every):
                self._verify(target, lease)

    def _is_due(self, name: str, fed: set[str], every: timedelta) -> bool:
        """Return True where one of the tables that are fed was not compared for so long."""
        with self._store.read() as snapshot:
            known = {table.name: table.verified_at for table in snapshot.mirrors.all().get(name, ())}
            failure = snapshot.mirrors.failures().get(name)
            now = snapshot.now
        if failure is not None:
            return now - failure.at >= min(AGAIN, every)
        moments = [known.get(table) for table in fed]
        return any(moment is None or now - moment >= every for moment in moments)

    def _verify(self, target: Target, lease: Lease) -> None:
        def wait(seconds: float) -> None:
            """Sleep, before each request and each second look, for as long as nothing ends the comparison."""
            if self._stopping.wait(seconds):
                raise _Stopping
            lease.wait(0)

        with opened(target, wait) as (api, mirroring):
            for outcome in verify(self._store, target, api, mirroring, wait=wait):
                log.info(
                    "verify.compared",
                    destination=target.destination,
                    table=outcome.comparison.table,
                    objects=outcome.comparison.objects,
                    drift=len(outcome.comparison.drift),
                )
