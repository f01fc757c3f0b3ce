"""A proxy in front that the hub was not told of: all clients have its address, no cookie is kept to https."""

from __future__ import annotations

import threading
import time

import structlog

from hub.errors import StoreError
from hub.health.access import UNTRUSTED_PROXY
from hub.store.store import Store, Transaction

AGAIN_SECONDS = 3600.0
"""So often a process tells the store that such requests still come."""

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED")

log = structlog.get_logger()


class UntrustedProxies:
    """A watch for the headers of a proxy while HUB_TRUSTED_PROXIES is 0.

    The log says it once, for all processes; the store keeps when they last came.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due_at = float("-inf")

    def notice(self) -> None:
        """Tell, without keeping the request waiting, that such a header came."""
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + AGAIN_SECONDS
            threading.Thread(target=self._tell, name="untrusted-proxy", daemon=True).start()

    def _tell(self) -> None:
        def work(transaction: Transaction) -> bool:
            is_first = transaction.settings.get(UNTRUSTED_PROXY) is None
            transaction.settings.set(UNTRUSTED_PROXY, transaction.now.isoformat())
            return is_first

        try:
            is_first = self._store.write(work)
        except StoreError:
            is_first = True
        if is_first:
            advice = "if a proxy of yours stands in front, set HUB_TRUSTED_PROXIES=1"
            log.warning("proxy.not_trusted", found="X-Forwarded-For or the like", advice=advice)
