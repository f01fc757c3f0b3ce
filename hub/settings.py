"""The settings that a platform or an operator makes in the environment, read once."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from hub.durations import parse_duration
from hub.errors import SettingsError
from hub.strings import is_loopback, printable

PLATFORM_VARIABLES = (
    "DYNO",
    "RENDER",
    "RAILWAY_ENVIRONMENT",
    "RAILWAY_PROJECT_ID",
    "FLY_APP_NAME",
    "FLY_MACHINE_ID",
)
"""Set by Heroku, Render, Railway and Fly in everything they run."""


_OWN_NAME = re.compile(r"DATABASE_URL|PORT|WEB_CONCURRENCY|HUB_(?!PUBLIC_URL$)\w+")
"""Variables that stop the start where no value could be as theirs is."""


USUAL_DATABASE_URL = "sqlite:///hub.db"

QUOTES = "\"'"
"""What an env file may leave around a value."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The hub's settings. `environment` is the whole of it, for `${NAME}` in routes.yaml.

    `warnings` are sentences about what was passed over.
    """

    database_url: str = field(default=USUAL_DATABASE_URL, repr=False)
    db_connections: int = 3
    ephemeral_disk_accepted: bool = False
    platform: str | None = None
    config_path: Path = Path("config/routes.yaml")
    templates_path: Path = Path("templates")
    host: str = "127.0.0.1"
    port: int = 8000
    web_processes: int = 1
    worker_threads: int = 16
    password: str | None = field(default=None, repr=False)
    public_url: str = ""
    trusted_proxies: int = 0
    retention: timedelta = timedelta(days=30)
    log_format: str = "text"
    log_level: str = "info"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def is_sqlite(self) -> bool:
        return _is_sqlite(self.database_url)

    @property
    def local_url(self) -> str:
        """The address by which this machine's own commands reach the hub."""
        loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
        return f"http://{netloc(loopback.get(self.host, self.host), self.port)}"

    @property
    def is_only_local(self) -> bool:
        """True where only this machine reaches the hub: it listens on loopback, and has no public address."""
        public_host = urlsplit(self.public_url).hostname
        return is_loopback(self.host) and (public_host is None or is_loopback(public_host))


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of an environment; raises SettingsError with the variable and a cure."""
    env = read_environment(environment)
    for name in filter(_OWN_NAME.fullmatch, env):
        _refuse_fault(name, env[name])
    public_url, warnings = _public_url(env.get("HUB_PUBLIC_URL") or "")
    database_url = env.get("DATABASE_URL") or USUAL_DATABASE_URL
    on_sqlite = _is_sqlite(database_url)
    platform = next((name for name in PLATFORM_VARIABLES if env.get(name)), None)
    retention = env.get("HUB_RETENTION") or "30d"
    usual_format = "text" if sys.stderr.isatty() else "json"
    return Settings(
        database_url=database_url,
        db_connections=_number(env, "HUB_DB_CONNECTIONS", 3, least=2, most=100),
        ephemeral_disk_accepted=env.get("HUB_EPHEMERAL_DISK") == "accept",
        platform=platform,
        config_path=Path(env.get("HUB_CONFIG") or "config/routes.yaml"),
        templates_path=Path(env.get("HUB_TEMPLATES") or "templates"),
        host=_host(env),
        port=_number(env, "PORT", 8000, least=0, most=65535),
        web_processes=_number(env, "WEB_CONCURRENCY", 1 if on_sqlite else 2, least=1, most=64),
        worker_threads=_number(env, "HUB_WORKER_THREADS", 16, least=1, most=256),
        password=env.get("HUB_PASSWORD") or None,
        public_url=public_url,
        trusted_proxies=_number(env, "HUB_TRUSTED_PROXIES", 1 if platform else 0, least=0, most=10),
        retention=_retention(retention),
        log_format=_choice(env, "HUB_LOG_FORMAT", usual_format, ("text", "json")),
        log_level=_choice(env, "HUB_LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
        environment=env,
        warnings=warnings,
    )


def _is_sqlite(url: str) -> bool:
    """Return True for a URL of SQLite, whichever driver it names behind a plus."""
    return re.split("[+:]", url.strip(), maxsplit=1)[0].lower() == "sqlite"


def netloc(host: str, port: int) -> str:
    """Return an address with a port as a URL has it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host(env: Mapping[str, str]) -> str:
    """Return the address to listen on: HUB_BIND's; else every one where a platform chose the port."""
    value = (env.get("HUB_BIND") or "").strip()
    if not value:
        return "0.0.0.0" if (env.get("PORT") or "").strip() else "127.0.0.1"  # noqa: S104
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError as error:
        raise SettingsError(
            f"HUB_BIND is {value!r}; it must be an address such as 0.0.0.0, ::1 or [::]; the port is PORT"
        ) from error


def read_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment, that of this process by default, without white space around its values."""
    values = os.environ if environment is None else environment
    return {name: value.strip() for name, value in values.items()}


def value_fault(value: str) -> str | None:
    """Return the fault of a value that is one anywhere, as a part of a sentence; None where it has none."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in QUOTES:
        return "it has quotes around it; take them off where it is set"
    if not value.startswith("-----BEGIN ") and printable(value, instead="") != value:
        return "it has a line break or another control character in it; set it again without"
    return None


def _refuse_fault(name: str, value: str) -> None:
    fault = value_fault(value)
    if fault:
        raise SettingsError(f"{name} cannot be used: {fault}")


def _public_url(value: str) -> tuple[str, tuple[str, ...]]:
    """Return the address for links, empty where it is none, and the warning about that."""
    fault = value_fault(value)
    try:
        parts = urlsplit(value)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        is_base = not (parts.query or parts.fragment or parts.username or re.search(r"\s", value))
    except ValueError:
        is_url = is_base = False
    if not fault and not (is_url and is_base):
        fault = "it must be a URL such as https://hub.example.com, with no ? or # in it"
    if not value or not fault:
        return value.rstrip("/"), ()
    return "", (f"HUB_PUBLIC_URL cannot be used, so messages have no link: {fault}",)


def _number(env: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    value = (env.get(name) or "").strip()
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise SettingsError(f"{name} is {value!r}; it must be a whole number from {least} to {most}")
    return number


def _choice(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = (env.get(name) or default).lower()
    if value not in choices:
        raise SettingsError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
    return value


def _retention(text: str) -> timedelta:
    retention = parse_duration(text)
    if not retention:
        raise SettingsError(f"HUB_RETENTION is {text!r}; it must be a duration above zero such as 30d or 12h")
    return retention
