"""Stores of which a hundred rows are many."""

from __future__ import annotations

import pytest

from hub.store.repositories import delivery_search, search


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many candidates are more than all of them are looked at: a fiftieth of what it is elsewhere."""
    count = search.MANY // 50
    for module in (search, delivery_search):
        monkeypatch.setattr(module, "MANY", count)
    monkeypatch.setattr(search, "STEPS", tuple(size // 50 for size in search.STEPS))
    return count + 1
