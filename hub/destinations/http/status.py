"""`on_status`: what users say that a status means."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hub.strings import one_line
from hub.transport.judging import Meaning, Ruling


def status_problems(on_status: Iterable[str]) -> Iterable[str]:
    """Yield the problems of the keys of `on_status`, one sentence each."""
    for key in on_status:
        if not re.fullmatch(r"[2-5](\d\d|xx)", key):
            name = one_line(key, 20)
            yield f"on_status takes statuses such as 404 and classes such as 4xx, not {name!r}"


def ruling_of(status: int, on_status: Mapping[str, Any]) -> Ruling | None:
    """Return what users rule of a status, None where they do not; the number wins over its class."""
    ruled = on_status.get(str(status), on_status.get(f"{status // 100}xx"))
    return Ruling(meaning=Meaning(ruled), words=f"{ruled}, by on_status") if ruled else None
