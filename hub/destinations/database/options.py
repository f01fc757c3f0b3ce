"""The keys of a database under `destinations:`, and of a send block to one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator

from hub.databases.url import PostgresUrl, SqliteUrl, parse_mirror_url
from hub.destinations.base import Block, NetworkBlock
from hub.destinations.database.certificates import CERTIFICATE_KEYS, fault_beside, lacks_authority
from hub.durations import parse_duration
from hub.errors import StoreError
from hub.humanize import did_you_mean, enumerated, listed
from hub.mirror.mirror import Migration, MirrorOptions, OnDelete
from hub.mirror.reading import NEEDED
from hub.mirror.tables import owner_tables, tables, usual_tables
from hub.settings import USUAL_DATABASE_URL
from hub.templating.marks import Structure

USUALLY_LEFT_OUT = ("private_metadata", "unsafe_metadata")

_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_SHORTEST_VERIFY = 3600.0


class DatabaseOptions(NetworkBlock):
    """A block under `destinations:` of type `database`."""

    url: SecretStr = Field(description="postgresql://, mysql://, mariadb:// or sqlite:///; not the hub's own")
    schema_: str = Field(
        default="clerk",
        alias="schema",
        description="the tables' own on PostgreSQL; elsewhere their names begin with it",
    )
    tables: list[str] | None = Field(
        default=None, description="of Clerk's objects; left out: all but sessions and billing"
    )
    migrate: Literal["auto", "print"] = Field(
        default="auto", description="print: hub sync schema --sql shows what you run yourself"
    )
    on_delete: Literal["mark", "blank"] = Field(
        default="mark", description="deleted_at is set; blank: also clears all but the id"
    )
    leave_out: list[str] = Field(
        default=list(USUALLY_LEFT_OUT), description="keys that are kept nowhere, at no depth"
    )
    verify: str | None = Field(default=None, description="compare with Clerk so often: 24h")

    @classmethod
    def check_keys(cls, keys: frozenset[str]) -> Iterable[str]:
        if "proxy" in keys:
            yield "cannot take a proxy: the hub goes to a database directly; take proxy away"

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: SecretStr) -> SecretStr:
        try:
            parse_mirror_url(url.get_secret_value(), "url")
        except StoreError as error:
            raise ValueError(str(error).removeprefix("url ")) from None
        return url

    @field_validator("schema_")
    @classmethod
    def _is_schema(cls, name: str) -> str:
        if not _SCHEMA.fullmatch(name):
            raise ValueError("must be small letters, digits and _ alone, at most 40, and begin with no digit")
        if name.startswith("pg_") or name == "information_schema":
            raise ValueError("must be no schema of the database itself; take a name of your own")
        return name

    @field_validator("tables")
    @classmethod
    def _are_tables(cls, names: list[str] | None) -> list[str] | None:
        for name in names or ():
            if (known := tables().get(name)) and known.items:
                raise ValueError(f'"{name}" comes with the table that its rows belong to; leave it out')
            if name not in owner_tables():
                close = did_you_mean(name, owner_tables(), f"; there are {listed(owner_tables())}")
                raise ValueError(f'there is no table "{name}"{close}')
        if names == []:
            raise ValueError("names no table; name some, or leave the key out")
        return names

    @field_validator("leave_out")
    @classmethod
    def _may_be_left_out(cls, keys: list[str]) -> list[str]:
        needed = sorted(NEEDED.intersection(keys))
        if needed:
            raise ValueError(f"{enumerated(needed)} cannot be left out: rows are found and joined by it")
        return keys

    @field_validator("verify")
    @classmethod
    def _is_duration(cls, text: str | None) -> str | None:
        duration = parse_duration(text) if text else None
        if text is not None and (duration is None or duration.total_seconds() < _SHORTEST_VERIFY):
            raise ValueError("must be a duration of at least 1h, such as 24h")
        return text

    @property
    def verify_seconds(self) -> float | None:
        """The time from one comparison with Clerk to the next; None for none."""
        duration = parse_duration(self.verify) if self.verify else None
        return duration.total_seconds() if duration else None

    @property
    def mirror(self) -> MirrorOptions:
        """The same as the mirror takes them."""
        return MirrorOptions(
            url=self.url.get_secret_value(),
            certificates=self.certificates,
            schema=self.schema_,
            tables=tuple(self.tables or usual_tables()),
            on_delete=OnDelete(self.on_delete),
            leave_out=tuple(self.leave_out),
            migrate=Migration(self.migrate),
        )

    def with_defaults(self, ca_cert: str | None, proxy: SecretStr | None) -> Self:
        """Take the authority of all where the URL asks to verify and names none: it demands no TLS itself."""
        is_wanted = lacks_authority(parse_mirror_url(self.url.get_secret_value(), "url"))
        return super().with_defaults(ca_cert if is_wanted else None, None)

    def fault_of_url(self) -> str | None:
        """Return the fault of a URL that leaves no use to the certificates beside it; else None."""
        keys = [key for key in CERTIFICATE_KEYS if getattr(self, key)]
        return fault_beside(keys, parse_mirror_url(self.url.get_secret_value(), "url"))

    def is_hubs_own(self, environment: Mapping[str, str]) -> bool:
        """Return True where the hub keeps its events in the same database."""
        try:
            hubs = parse_mirror_url(environment.get("DATABASE_URL") or USUAL_DATABASE_URL, "DATABASE_URL")
            own = parse_mirror_url(self.url.get_secret_value(), "url")
        except StoreError:
            return False
        if isinstance(own, SqliteUrl) and isinstance(hubs, SqliteUrl):
            return Path(own.path).resolve() == Path(hubs.path).resolve()
        if isinstance(own, PostgresUrl) and isinstance(hubs, PostgresUrl):
            return _place(own) == _place(hubs)
        return False


class DatabaseSend(Block):
    """A send block to a destination of type `database`; without any key it mirrors the event's object."""

    table: str | None = Field(default=None, description="one of your own, with its schema before a dot")
    key: Annotated[dict[str, Any] | None, Structure(filled=True)] = Field(
        default=None, description="the columns by which the row is found, with their values"
    )
    set_: Annotated[dict[str, Any] | None, Structure(of_deletions=False)] = Field(
        default=None, alias="set", description="the columns that it gets"
    )
    on_delete: Annotated[dict[str, Any] | str | None, Structure(of_deletions=True)] = Field(
        default=None, description="columns that a deleted object's row gets, or delete, or keep"
    )


def _place(url: PostgresUrl) -> tuple[str, ...]:
    """Return the facts by which two URLs of PostgreSQL are of one database: not the user's."""
    defaults = {"host": "localhost", "port": "5432", "dbname": url.address.get("user", "")}
    return tuple(str(url.address.get(key) or default).lower() for key, default in defaults.items())
