"""Threads: the messages of one life, tied together where their place can show that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

THREAD, THREAD_MODE = "thread", "thread_mode"
"""The keys of a send block that tie its messages together, and of a message: its thread's rendered key, and
the part it takes there.
"""


@dataclass(frozen=True, kw_only=True)
class Thread:
    """A thread as one message finds it that is about to be sent in it.

    `kept` is what the destination's type keeps of the first message; empty where this message is to be the
    first. With `is_overtaken` the first message shows a newer event already.
    """

    id: str
    kept: Mapping[str, Any] = field(default_factory=dict)
    is_overtaken: bool = False

    @property
    def is_first(self) -> bool:
        """True where no message of the thread stands yet."""
        return not self.kept
