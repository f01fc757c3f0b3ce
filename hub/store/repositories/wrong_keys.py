"""Wrong passwords, keys and links of the last minute, by address: one count for all processes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Select, case, delete, func, literal, select

from hub.store.column_types import Time
from hub.store.repositories.audit import OTHERS
from hub.store.session import Repository
from hub.store.tables import wrong_keys

WINDOW = timedelta(minutes=1)

ADDRESSES_KEPT = 1_000
"""The most addresses that are counted apart; all others of the same minute are counted together."""


class WrongKeys(Repository):
    """Counts of wrong keys."""

    def add(self, address: str, count: int) -> int:
        """Count wrong keys of an address, and return how many it has had within its minute."""
        began = self._session.now - WINDOW
        if self._is_full(address):
            self._session.connection.execute(delete(wrong_keys).where(wrong_keys.c.since <= began))
            address = OTHERS if self._is_full(address) else address
        is_over = wrong_keys.c.since <= began
        self._session.upsert(
            wrong_keys,
            {"address": address, "since": self._session.now, "count": count},
            changes={
                "since": case((is_over, literal(self._session.now, Time)), else_=wrong_keys.c.since),
                "count": case((is_over, count), else_=wrong_keys.c.count + count),
            },
        )
        return int(self._session.connection.execute(_count_of(address)).scalar_one())

    def _is_full(self, address: str) -> bool:
        """Return True where an address that has no row yet would be one too many."""
        if self._session.connection.execute(_count_of(address)).scalar() is not None:
            return False
        rows = select(func.count()).select_from(wrong_keys)
        return int(self._session.connection.execute(rows).scalar_one()) >= ADDRESSES_KEPT


def _count_of(address: str) -> Select[Any]:
    return select(wrong_keys.c.count).where(wrong_keys.c.address == address)
