"""A PostgreSQL of the system's packages, which speaks TLS by itself: the wheel's was built without."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from servers.authority import Authority
from servers.program import free_port

_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


class TlsPostgres:
    """One on 127.0.0.1 and a socket, to be used in a `with`; `hba` is the line for its clients."""

    @staticmethod
    def missing() -> str | None:
        """Return the reason why none can be started here; None where one can."""
        return None if _PROGRAMS else "PostgreSQL is not installed here (apt-get install postgresql)"

    def __init__(self, authority: Authority, hba: str) -> None:
        self._authority = authority
        self._hba = hba
        self._folder = Path(tempfile.mkdtemp(prefix="hub-postgres-"))
        self._port = free_port()

    def url(self, role: str) -> str:
        return f"postgresql://{role}@127.0.0.1:{self._port}/postgres"

    def execute(self, statement: str) -> None:
        place = {"host": str(self._folder), "port": self._port, "user": "postgres", "dbname": "postgres"}
        with psycopg.connect(**place, autocommit=True) as connection:  # type: ignore[arg-type]
            connection.execute(statement)  # type: ignore[arg-type]

    def __enter__(self) -> TlsPostgres:
        signed = self._authority.sign("postgres")
        texts = {"cert": signed.cert, "key": signed.key, "ca": self._authority.cert}
        for name, text in texts.items():
            path = self._folder / name
            path.touch(mode=0o600)
            path.write_text(text)
        self._own(self._folder, *(self._folder / name for name in texts))
        self._run("initdb", "--auth=trust", "--no-sync", "-U", "postgres")
        (self._folder / "data" / "pg_hba.conf").write_text(f"local all postgres trust\n{self._hba}\n")
        settings = "".join(f" -c ssl_{name}_file={self._folder}/{name}" for name in texts)
        address = f"-h 127.0.0.1 -p {self._port} -k {self._folder} -c ssl=on"
        self._run("pg_ctl", "-w", "-l", f"{self._folder}/log", "-o", f"{address}{settings}", "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [_PROGRAMS[-1].with_name(program), "-D", f"{self._folder}/data", *arguments]
        subprocess.run(command, check=True, user=self._user, stdout=subprocess.DEVNULL)

    def _own(self, *paths: Path) -> None:
        if self._user is not None:
            for path in paths:
                os.chown(path, pwd.getpwnam(self._user).pw_uid, -1)

    @property
    def _user(self) -> str | None:
        """The user that runs it: it refuses to run as root."""
        return "postgres" if os.geteuid() == 0 else None
