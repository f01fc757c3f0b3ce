"""A mirror as backfill and comparison use it: its deadlines, and its failures as errors for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hub.errors import About, HubError, Reject, Retry, SendError, Unmirrorable
from hub.mirror.changes import Change, Effect
from hub.mirror.mirror import Mirror
from hub.mirror.reading import change_of_object
from hub.sync.api import BackendApi, OnRetry
from hub.sync.lists import Object

T = TypeVar("T")

CALL_SECONDS = 120.0
"""Wall clock for one call: a page of 500 rows with their addresses takes a tenth of a second."""

_TRIES = 6
_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(kw_only=True)
class Written:
    """The effects of what was written, counted; `refused` are the rows that the database would not take."""

    effects: dict[Effect, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def add(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            self.effects[effect] = self.effects.get(effect, 0) + 1


class Mirroring:
    """One mirror under a name. `wait` sleeps, and may raise what is to end everything."""

    def __init__(
        self,
        mirror: Mirror,
        name: str,
        wait: Callable[[float], object],
        on_retry: OnRetry = lambda reason, seconds: None,
    ) -> None:
        self.mirror = mirror
        self.name = name
        self._wait = wait
        self._on_retry = on_retry

    def call(self, method: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Return a method's result, tried again while the database is away.

        Raises Reject where it refuses a row, HubError where it gives nothing in the end.
        """
        for number in range(_TRIES):
            try:
                return method(*arguments, **named, timeout_seconds=CALL_SECONDS)
            except Retry as error:
                if error.about is About.MESSAGE:
                    raise Reject(error.reason) from error
                failure: SendError = error
                if number < _TRIES - 1:
                    self._on_retry(f"{self.name}: {failure}", _PAUSES[number])
                    self._wait(_PAUSES[number])
            except Reject:
                raise
            except SendError as error:
                failure = error
                break
        raise HubError(f"{self.name}: {failure}") from failure

    def claim(self, api: BackendApi) -> str:
        """Make the mirror that of the key's instance, and return its id; raises HubError where it is not."""
        value = api.get("/instance").value
        instance_id = value.get("id") if isinstance(value, dict) else None
        if not isinstance(instance_id, str) or not instance_id:
            raise HubError("Clerk's answer at /instance has no id")
        try:
            self.call(self.mirror.claim_instance, instance_id)
        except Reject as error:
            raise HubError(f"{self.name}: {error}") from error
        return instance_id

    def change(self, table: str, value: Object, read_at_ms: int) -> Change:
        """Return the change of a row that an object of Clerk's brings; raises Unmirrorable."""
        return change_of_object(table, value, read_at_ms=read_at_ms, leave_out=self.mirror.options.leave_out)

    def write(
        self,
        table: str,
        objects: Sequence[tuple[Object, int]],
        written: Written,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        """Write objects, each with the time of its reading, and the state, in one transaction.

        Where the database refuses a row, each goes alone, and the state after them.
        """
        changes: list[Change] = []
        for value, read_at_ms in objects:
            try:
                changes.append(self.change(table, value, read_at_ms))
            except Unmirrorable as error:
                written.refused[str(value.get("id"))] = str(error)
        try:
            written.add(self.call(self.mirror.apply_page, changes, state=state or {}))
        except Reject:
            for change in changes:
                try:
                    written.add(self.call(self.mirror.apply_page, [change], state={}))
                except Reject as error:
                    written.refused[change.id] = str(error)
            self.call(self.mirror.apply_page, [], state=state or {})
