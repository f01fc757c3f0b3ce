"""The ways into the hub, as facts that health is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.settings import Settings
from hub.store.store import Transaction

UNTRUSTED_PROXY = "untrusted_proxy"
"""The shared value that holds the time when a proxy's header last came, though no proxy is to be trusted."""

PROXY_REMEMBERED = timedelta(days=1)
SHORTEST_PASSWORD = 12


@dataclass(frozen=True, kw_only=True)
class AccessFacts:
    """The ways in. `has_untrusted_proxy` says that a proxy's headers came while none is trusted."""

    has_short_password: bool = False
    has_untrusted_proxy: bool = False


def access_facts(snapshot: Transaction, settings: Settings) -> AccessFacts:
    """Look up what says whether the ways in are safe. Raises StoreError."""
    is_short = settings.password is not None and len(settings.password) < SHORTEST_PASSWORD
    seen_at = snapshot.settings.get(UNTRUSTED_PROXY) if settings.trusted_proxies == 0 else None
    return AccessFacts(
        has_short_password=is_short and not settings.is_only_local,
        has_untrusted_proxy=seen_at is not None
        and snapshot.now - datetime.fromisoformat(seen_at) < PROXY_REMEMBERED,
    )
