"""The hub of a demo: a child process with an environment of its own and a database for the time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from hub.settings import Settings
from hub.store.open import open_store
from hub.store.store import Store
from hub.web.server import listen

KEPT_VARIABLES = (
    *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE"),
    *("PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "VIRTUAL_ENV"),
)
"""All that a demo takes over from its caller: Python needs them to start, and none names a destination."""

STOP_SECONDS = 12.0
"""The hub ends within 10 s by itself."""

LOG_LINES = 20


class HubProcess:
    """A real hub, web and worker, to be used in a `with`. Its files are in `folder`.

    It sends to `addresses` only.
    """

    def __init__(
        self, folder: Path, settings: Settings, environment: Mapping[str, str], addresses: Collection[str]
    ) -> None:
        self._log_path = folder / "hub.log"
        self._output_path = folder / "output.txt"
        self._database_url = f"sqlite:///{folder / 'hub.db'}"
        self._listener = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._command = [sys.executable, "-m", "hub.demo.hub", str(self._listener.fileno())]
        self._command += sorted(addresses)
        self._environment = {
            **environment,
            "DATABASE_URL": self._database_url,
            "HUB_CONFIG": str(settings.config_path),
            "HUB_TEMPLATES": str(settings.templates_path),
            "HUB_PUBLIC_URL": self.url,
            "HUB_LOG_FORMAT": "text",
            "HUB_LOG_LEVEL": "warning",
        }

    def __enter__(self) -> HubProcess:
        with self._log_path.open("wb") as log, self._output_path.open("wb") as output, self._listener:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                self._command,
                env=self._environment,
                pass_fds=[self._listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                # Ctrl-C on a terminal reaches the demo alone, which ends all in good order.
                process_group=0,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            # Web and worker end when they see that it is gone.
            self._process.kill()
            self._process.wait()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def open_store(self) -> Store:
        """Return its store, which is there once it has answered."""
        return open_store(self._database_url)

    def output(self) -> list[str]:
        """Return its printed lines: the messages of console destinations."""
        return self._output_path.read_text("utf-8", "replace").splitlines()

    def log(self) -> list[str]:
        """Return the end of its log, which has warnings and errors only."""
        return self._log_path.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]


def kept_environment() -> dict[str, str]:
    """Return the part of the caller's environment that a demo may see."""
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
