"""The contract of the families: the event as they read it, and the facts that they make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from hub.model.summary import Earlier

Data = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """An event as a family reads it: its data without secrets, and the time zone of its readers."""

    type: str
    at: datetime
    data: Data
    zone: tzinfo
    earlier: Earlier | None = None
    is_relayed: bool = False

    @property
    def verb(self) -> str:
        """The end of its type: `created` of `user.created`."""
        return self.type.rpartition(".")[2]

    def before(self, kind: str, object_id: str) -> Data:
        """Look up the data of the newest stored event of an object before this one; empty where none is."""
        data = self.earlier.of(kind, object_id) if self.earlier is not None and object_id else None
        return data if isinstance(data, Mapping) else {}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of an event: `texts` by name, each one line, an empty one counting as none.

    `case` chooses among the messages of its type. `ids` are handles by the name of the text that they stand
    in for: each is told where that text is empty. `details` are told in any case.
    """

    texts: Mapping[str, str]
    case: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    details: tuple[str, ...] = ()
