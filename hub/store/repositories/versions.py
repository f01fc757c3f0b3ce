"""The versions of the user's files: those that served, and those that deliveries are rendered by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from hub.store.session import Repository
from hub.store.tables import versions

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Versions(Repository):
    """Versions by their hashes, each as the bytes that its files were packed into."""

    def files(self, version: str) -> bytes | None:
        """Return the files of a version; None where it is not kept."""
        statement = select(versions.c.files).where(versions.c.version == version)
        return self._session.connection.execute(statement).scalar()

    def has(self, version: str) -> bool:
        """Return True where a version is kept."""
        statement = select(versions.c.version).where(versions.c.version == version)
        return self._session.connection.execute(statement).first() is not None

    def last_served(self) -> bytes | None:
        """Return the files of the version that began to serve last; None where none ever did."""
        statement = select(versions.c.files).where(versions.c.served_at > NEVER)
        return self._session.connection.execute(statement.order_by(versions.c.served_at.desc())).scalar()

    def serve(self, version: str, files: bytes) -> bool:
        """Keep a version that serves from now on; return False where it is the one that began last already.

        The clock may have been set back: it comes behind all others whatever that says.
        """
        self.see(version, files)
        newest = select(versions.c.version, versions.c.served_at).order_by(versions.c.served_at.desc())
        last = self._session.connection.execute(newest.limit(1)).one()
        if last.version == version and last.served_at > NEVER:
            return False
        served_at = max(self._session.now, last.served_at + timedelta(microseconds=1))
        its_row = update(versions).where(versions.c.version == version)
        self._session.connection.execute(its_row.values(served_at=served_at))
        return True

    def see(self, version: str, files: bytes) -> None:
        """Keep a version that a process goes by, and that it does; it is locked until the commit."""
        now = self._session.now
        its_row = update(versions).where(versions.c.version == version)
        if not self._session.connection.execute(its_row.values(seen_at=now)).rowcount:
            row = {"version": version, "files": files, "served_at": NEVER, "seen_at": now}
            self._session.upsert(versions, row, changes={"seen_at": now})
