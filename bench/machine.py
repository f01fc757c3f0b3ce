"""The machine that the figures were measured on, without anybody's names or folders."""

from __future__ import annotations

import os
import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import psycopg


def describe(postgres_url: str) -> dict[str, str]:
    """Cores, memory, processor, system, versions and the day."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        settings = {
            name: connection.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[index]
            for name in ("server_version", "fsync", "synchronous_commit", "shared_buffers", "autovacuum")
        }
    version = settings.pop("server_version").split()[0]
    with_settings = ", ".join(f"{name} {value}" for name, value in settings.items())
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{_memory_gib():.0f} GiB",
        "processor": _found("/proc/cpuinfo", "model name") or platform.machine(),
        "system": f"{_system()}, {platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": f"{version} ({with_settings})",
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform(terse=True)


def _found(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)
