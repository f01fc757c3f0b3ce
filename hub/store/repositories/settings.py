"""Values that all processes share, by name."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.engine.session import Session
from hub.store.tables import settings


class Settings:
    """Shared values, such as the key that signs sessions."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> str | None:
        """A value that all processes share, such as the key that signs sessions."""
        return self._session.connection.execute(
            select(settings.c.value).where(settings.c.name == name)
        ).scalar()

    def set_default(self, name: str, value: str) -> str:
        """Keep a shared value unless there is one already; returns the one that is kept."""
        insert_into = postgresql.insert if self._session.is_remote else sqlite.insert
        self._session.connection.execute(
            insert_into(settings)
            .values(name=name, value=value)
            .on_conflict_do_nothing(index_elements=["name"])
        )
        kept: str = self._session.connection.execute(
            select(settings.c.value).where(settings.c.name == name)
        ).scalar_one()
        return kept

    def set(self, name: str, value: str) -> bool:
        """Keep a shared value in place of what was kept; whether it is another."""
        insert_into = postgresql.insert if self._session.is_remote else sqlite.insert
        replaced = self._session.connection.execute(
            insert_into(settings)
            .values(name=name, value=value)
            .on_conflict_do_update(
                index_elements=["name"], set_={"value": value}, where=settings.c.value != value
            )
        )
        return replaced.rowcount > 0

    def pop(self, name: str) -> str | None:
        """Remove a shared value and return it, to one caller only; None where it is gone."""
        value: str | None = self._session.connection.execute(
            delete(settings).where(settings.c.name == name).returning(settings.c.value)
        ).scalar()
        return value

    def forget(self, prefix: str, *, before: str) -> None:
        """Remove the shared values whose names begin so and whose value sorts below `before`."""
        self._session.connection.execute(
            delete(settings).where(
                settings.c.name.startswith(prefix, autoescape=True), settings.c.value < before
            )
        )
