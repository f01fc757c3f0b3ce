"""Values that all processes share, by name."""

from __future__ import annotations

from sqlalchemy import delete, select

from hub.store.session import Repository
from hub.store.tables import settings


class SharedValues(Repository):
    """Shared values, such as the key that signs sessions."""

    def get(self, name: str) -> str | None:
        """Return a shared value; None where there is none."""
        return self._session.connection.execute(
            select(settings.c.value).where(settings.c.name == name)
        ).scalar()

    def set_default(self, name: str, value: str) -> str:
        """Keep a shared value unless there is one already; return the one that is kept."""
        self._session.upsert(settings, {"name": name, "value": value}, changes={})
        kept: str = self._session.connection.execute(
            select(settings.c.value).where(settings.c.name == name)
        ).scalar_one()
        return kept

    def set(self, name: str, value: str) -> bool:
        """Keep a shared value in place of what was kept; return True where it is another."""
        replaced = self._session.upsert(
            settings, {"name": name, "value": value}, where=settings.c.value != value
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
