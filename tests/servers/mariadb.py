"""MariaDB on loopback: a server of its own from the system's packages, in a temporary folder."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import pymysql

from servers.authority import Authority
from servers.program import free_port

START_SECONDS = 90.0
_LOGIN, _PASSWORD = "hub", "not-a-secret"


def missing() -> str | None:
    """Return what keeps MariaDB from being started here; None where nothing does."""
    for program in ("mariadbd", "mariadb-install-db"):
        if shutil.which(program) is None:
            return f"MariaDB is not installed here: no {program} (apt-get install mariadb-server)"
    return None


class MariaDb:
    """A MariaDB of its own on 127.0.0.1, to be used in a `with`; by TLS, too, as an authority signs."""

    def __init__(self, tls: Authority | None = None) -> None:
        self._tls = tls
        self._folder = Path(tempfile.mkdtemp(prefix="hub-mariadb-"))
        self._names = (f"mirror_{number}" for number in itertools.count(1))
        self.port = free_port()

    def new_database(self) -> str:
        """Make a database whose character set is the server's own, latin1, and return its URL."""
        name = next(self._names)
        self.execute(f"CREATE DATABASE {name}")
        return f"mysql://{_LOGIN}:{_PASSWORD}@127.0.0.1:{self.port}/{name}"

    def execute(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements as root, and return the rows of the last one."""
        with pymysql.connect(unix_socket=self._socket, user="root", autocommit=True) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    @property
    def _socket(self) -> str:
        return str(self._folder / "socket")

    def __enter__(self) -> MariaDb:
        # Run as root, the server is another user's.
        as_user = ["--user=mysql"] if os.geteuid() == 0 else []
        if as_user:
            os.chown(self._folder, pwd.getpwnam("mysql").pw_uid, -1)
        # A server that starts removes the temporary tables in its folder; in a common one, those of others.
        common = ["--no-defaults", *as_user, f"--datadir={self._folder}/data", f"--tmpdir={self._folder}"]
        subprocess.run(
            ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        options = {
            "port": self.port,
            "bind-address": "127.0.0.1",
            "socket": self._socket,
            "pid-file": f"{self._folder}/pid",
            "innodb-buffer-pool-size": "32M",
            "innodb-log-file-size": "16M",
            "innodb-flush-log-at-trx-commit": 0,
            "performance-schema": 0,
            "character-set-server": "latin1",
            "sql-mode": "",
            "max-connections": 100,
            **self._certificates(),
        }
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                ["mariadbd", *common, *(f"--{name}={value}" for name, value in options.items())], stderr=log
            )
        self._wait()
        self.execute(
            f"CREATE USER {_LOGIN}@'%' IDENTIFIED BY '{_PASSWORD}'", f"GRANT ALL ON *.* TO {_LOGIN}@'%'"
        )
        return self

    def _certificates(self) -> dict[str, str]:
        """Write the server's certificate and key, where it is to have some, and return their options."""
        if self._tls is None:
            return {}
        signed = self._tls.sign("mariadb")
        texts = {"ssl-ca": self._tls.cert, "ssl-cert": signed.cert, "ssl-key": signed.key}
        paths = {name: self._folder / f"{name}.pem" for name in texts}
        for name, path in paths.items():
            path.write_text(texts[name])
        return {name: str(path) for name, path in paths.items()}

    def _wait(self) -> None:
        ends_at = time.monotonic() + START_SECONDS
        while True:
            try:
                self.execute("SELECT 1")
                return
            except pymysql.Error:
                if self._process.poll() is not None or time.monotonic() > ends_at:
                    raise RuntimeError((self._folder / "log").read_text()) from None
                time.sleep(0.05)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)
        shutil.rmtree(self._folder)
