"""A mirror: the one way in which its tables are read and written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.mirror.changes import Change, Effect, OwnChange
from hub.mirror.tables import Kind


class OnDelete(StrEnum):
    """The fate of a deleted object's columns: they stay, or are cleared of all but the id."""

    MARK = "mark"
    BLANK = "blank"


class Migration(StrEnum):
    """The one who changes tables: the mirror, or a person by the statements that it prints."""

    AUTO = "auto"
    PRINT = "print"


@dataclass(frozen=True, kw_only=True)
class MirrorOptions:
    """A mirror's place and rules. `connections` are the most it opens; `tables` without those of sets."""

    url: str = field(repr=False)
    schema: str = "clerk"
    tables: tuple[str, ...]
    on_delete: OnDelete = OnDelete.MARK
    leave_out: tuple[str, ...] = ("private_metadata", "unsafe_metadata")
    migrate: Migration = Migration.AUTO
    connections: int = 4


class Mirror:
    """The tables of one mirror. Every method raises Retry, Reject or Pause of `hub.errors`.

    Nothing is connected before it is needed. `timeout_seconds` is wall clock over all of a call.
    """

    def __init__(self, options: MirrorOptions) -> None:
        self.options = options

    def apply(
        self, change: Change, *, instance_id: str | None, timeout_seconds: float, keep: bool = True
    ) -> Effect:
        """Write one change; with `keep` False all but the claim of the instance is rolled back."""
        raise NotImplementedError

    def apply_page(
        self, changes: Sequence[Change], *, state: Mapping[str, Any], timeout_seconds: float
    ) -> list[Effect]:
        """Write changes of one table together with what is to be kept by `keep_state`, or none of it."""
        raise NotImplementedError

    def write(self, change: OwnChange, *, timeout_seconds: float, keep: bool = True) -> Effect:
        """Write one change of a table of the user's own; with `keep` False it is rolled back.

        The versions are kept beside it, in `hub_versions`. Raises Retry about the message for a key that fits
        several rows.
        """
        raise NotImplementedError

    def columns_of(self, table: str, *, timeout_seconds: float) -> Mapping[str, Kind | None] | None:
        """Return the columns of a table of the user's own, None for a type that nothing here is made for.

        None where there is no such table.
        """
        raise NotImplementedError

    def migrate(self, *, timeout_seconds: float) -> list[str]:
        """Add what is missing, also where a person does so else; return the statements that ran."""
        raise NotImplementedError

    def pending(self, *, timeout_seconds: float) -> list[str]:
        """Return the statements that would add what is missing."""
        raise NotImplementedError

    def claim_instance(self, instance_id: str, *, timeout_seconds: float) -> None:
        """Make the mirror that of an instance. Raises Pause where it is another's, Reject for the samples."""
        raise NotImplementedError

    def rows(
        self, table: str, after: int | None, until: int | None, *, timeout_seconds: float
    ) -> list[dict[str, Any]]:
        """Return the rows created in (after, until], milliseconds, by created_at and id; None is no bound.

        Values are as in a change, the mirror's own among them; without `raw`.
        """
        raise NotImplementedError

    def find(self, table: str, ids: Iterable[str], *, timeout_seconds: float) -> dict[str, dict[str, Any]]:
        """Return the rows of these ids that there are, as `rows` does."""
        raise NotImplementedError

    def set_rows(
        self, table: str, owners: Iterable[str], *, timeout_seconds: float
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of a set, such as `user_emails`, by the ids of those that they belong to."""
        raise NotImplementedError

    def tombstones(self, table: str, ids: Iterable[str], *, timeout_seconds: float) -> dict[str, int]:
        """Return the times of these objects' deletions, in milliseconds, of those that were deleted."""
        raise NotImplementedError

    def revive(self, change: Change, *, timeout_seconds: float) -> Effect:
        """Write a change of an object that Clerk has shown to be alive, without its deletion."""
        raise NotImplementedError

    def count(self, table: str, *, timeout_seconds: float) -> int:
        """Return how many rows of a table are not deleted."""
        raise NotImplementedError

    def newest(self, table: str, *, timeout_seconds: float) -> int | None:
        """Return when a row of a table was last written, in milliseconds; None where none was."""
        raise NotImplementedError

    def state(self, name: str, *, timeout_seconds: float) -> Any:
        """Return a JSON value that was kept under a name; None where there is none."""
        raise NotImplementedError

    def keep_state(self, name: str, value: Any, *, timeout_seconds: float) -> None:
        """Keep a JSON value under a name in the mirror's database; None forgets it."""
        raise NotImplementedError

    def close(self) -> None:
        """Close every connection."""


def open_mirror(options: MirrorOptions) -> Mirror:
    """Return the mirror of these options; nothing is connected yet.

    Raises Pause for a URL that is none, and for a driver that is not installed.
    """
    return Mirror(options)
