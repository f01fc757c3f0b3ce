"""The environment is read into settings, or refused in words."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.errors import SettingsError
from hub.settings import PLATFORM_VARIABLES, load_settings

POSTGRES = "postgresql://user:hunter2@db/hub"
ADDRESS = "it must be an address such as 0.0.0.0, ::1 or [::]; the port is PORT"


@pytest.mark.parametrize(
    ("environment", "name", "expected"),
    [
        ({}, "database_url", "sqlite:///hub.db"),
        ({"DATABASE_URL": ""}, "database_url", "sqlite:///hub.db"),
        ({"DATABASE_URL": POSTGRES}, "database_url", POSTGRES),
        ({}, "is_sqlite", True),
        ({"DATABASE_URL": POSTGRES}, "is_sqlite", False),
        ({}, "db_connections", 3),
        ({"HUB_DB_CONNECTIONS": "8"}, "db_connections", 8),
        ({}, "ephemeral_disk_accepted", False),
        ({"HUB_EPHEMERAL_DISK": "accept"}, "ephemeral_disk_accepted", True),
        ({"HUB_EPHEMERAL_DISK": "yes"}, "ephemeral_disk_accepted", False),
        ({}, "platform", None),
        ({"RENDER": "true"}, "platform", "RENDER"),
        ({"DYNO": ""}, "platform", None),
        ({}, "config_path", Path("config/routes.yaml")),
        ({"HUB_CONFIG": "/x.yaml"}, "config_path", Path("/x.yaml")),
        ({"HUB_TEMPLATES": "/t"}, "templates_path", Path("/t")),
        ({}, "host", "127.0.0.1"),
        ({"PORT": "5000"}, "host", "0.0.0.0"),
        ({"PORT": " "}, "host", "127.0.0.1"),
        ({"HUB_BIND": "0.0.0.0"}, "host", "0.0.0.0"),
        ({"HUB_BIND": "[::]", "PORT": "5000"}, "host", "::"),
        ({"HUB_BIND": " ::1\n"}, "host", "::1"),
        ({"HUB_BIND": "127.0.0.1", "PORT": "5000"}, "host", "127.0.0.1"),
        ({"HUB_BIND": " ", "PORT": "5000"}, "host", "0.0.0.0"),
        ({}, "local_url", "http://127.0.0.1:8000"),
        ({"PORT": "5000"}, "local_url", "http://127.0.0.1:5000"),
        ({"HUB_BIND": "[::]"}, "local_url", "http://[::1]:8000"),
        ({"HUB_BIND": "10.1.2.3"}, "local_url", "http://10.1.2.3:8000"),
        ({}, "port", 8000),
        ({"PORT": ""}, "port", 8000),
        ({"PORT": "5000"}, "port", 5000),
        ({}, "web_processes", 1),
        ({"DATABASE_URL": POSTGRES}, "web_processes", 2),
        ({"DATABASE_URL": POSTGRES, "WEB_CONCURRENCY": "5"}, "web_processes", 5),
        ({"WEB_CONCURRENCY": " 5\n"}, "web_processes", 5),
        ({"WEB_CONCURRENCY": " "}, "web_processes", 1),
        ({}, "worker_threads", 16),
        ({"HUB_WORKER_THREADS": "1"}, "worker_threads", 1),
        ({}, "password", None),
        ({"HUB_PASSWORD": ""}, "password", None),
        ({"HUB_PASSWORD": "x"}, "password", "x"),
        ({"HUB_PUBLIC_URL": "https://hub.example.com/"}, "public_url", "https://hub.example.com"),
        ({}, "trusted_proxies", 0),
        ({"DYNO": "web.1"}, "trusted_proxies", 1),
        ({"DYNO": "web.1", "HUB_TRUSTED_PROXIES": "2"}, "trusted_proxies", 2),
        ({"DYNO": "web.1", "HUB_TRUSTED_PROXIES": "0"}, "trusted_proxies", 0),
        ({}, "retention", timedelta(days=30)),
        ({"HUB_RETENTION": "12h"}, "retention", timedelta(hours=12)),
        ({"HUB_RETENTION": "90m"}, "retention", timedelta(minutes=90)),
        ({"HUB_LOG_FORMAT": "JSON"}, "log_format", "json"),
        ({}, "log_level", "info"),
        ({"HUB_LOG_LEVEL": "warning"}, "log_level", "warning"),
    ],
)
def test_what_a_variable_means(environment: dict[str, str], name: str, expected: Any) -> None:
    assert getattr(load_settings(environment), name) == expected


@pytest.mark.parametrize("platform", PLATFORM_VARIABLES)
def test_platforms_are_known_by_what_they_set(platform: str) -> None:
    assert load_settings({platform: "1"}).platform == platform


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("HUB_DB_CONNECTIONS", "1", "it must be a whole number from 2 to 100"),
        ("HUB_DB_CONNECTIONS", "many", "it must be a whole number from 2 to 100"),
        ("PORT", "http", "it must be a whole number from 0 to 65535"),
        ("PORT", "65536", "it must be a whole number from 0 to 65535"),
        ("PORT", "-1", "it must be a whole number from 0 to 65535"),
        ("WEB_CONCURRENCY", "0", "it must be a whole number from 1 to 64"),
        ("WEB_CONCURRENCY", "2.5", "it must be a whole number from 1 to 64"),
        ("WEB_CONCURRENCY", "auto", "it must be a whole number from 1 to 64"),
        ("HUB_BIND", "localhost", ADDRESS),
        ("HUB_BIND", "0.0.0.0:8000", ADDRESS),
        ("HUB_BIND", "[::1]:8000", ADDRESS),
        ("HUB_BIND", "[::1", ADDRESS),
        ("HUB_BIND", "999.0.0.1", ADDRESS),
        ("HUB_WORKER_THREADS", "257", "it must be a whole number from 1 to 256"),
        ("HUB_TRUSTED_PROXIES", "-1", "it must be a whole number from 0 to 10"),
        ("HUB_RETENTION", "0d", "it must be a duration above zero such as 30d or 12h"),
        ("HUB_RETENTION", "-3d", "it must be a duration above zero such as 30d or 12h"),
        ("HUB_RETENTION", "30", "it must be a duration above zero such as 30d or 12h"),
        ("HUB_RETENTION", "a month", "it must be a duration above zero such as 30d or 12h"),
        ("HUB_RETENTION", "9" * 30 + "d", "it must be a duration above zero such as 30d or 12h"),
        ("HUB_LOG_FORMAT", "xml", "it must be one of text, json"),
        ("HUB_LOG_LEVEL", "loud", "it must be one of debug, info, warning, error"),
    ],
)
def test_what_a_variable_cannot_mean_is_said_in_words(name: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({name: value})

    assert str(refused.value) == f"{name} is {value!r}; {reason}"


def test_no_secret_shows() -> None:
    shown = repr(load_settings({"DATABASE_URL": POSTGRES, "HUB_PASSWORD": "swordfish", "API_KEY": "sk_1"}))

    assert not [secret for secret in ("hunter2", "swordfish", "sk_1") if secret in shown]


# -- values that are no good ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "HUB_PASSWORD", "PORT", "HUB_CONFIG", "HUB_OF_A_LATER_RELEASE"]
)
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ('"swordfish"', "it has quotes around it; take them off where it is set"),
        ("'swordfish'", "it has quotes around it; take them off where it is set"),
        ("sword\nfish", "it has a line break or another control character in it; set it again without"),
        ("sword\x00fish", "it has a line break or another control character in it; set it again without"),
    ],
)
def test_a_value_that_is_no_good_stops_the_start_with_one_sentence(name: str, value: str, fault: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({name: value})

    assert str(refused.value) == f"{name} cannot be used: {fault}"


def test_white_space_around_a_value_is_taken_off() -> None:
    settings = load_settings(
        {"HUB_PASSWORD": " swordfish\n", "PORT": "5000 ", "DATABASE_URL": " \n", "A": "\tx "}
    )

    assert (settings.password, settings.port, settings.database_url) == (
        "swordfish",
        5000,
        "sqlite:///hub.db",
    )
    assert settings.environment["A"] == "x"
    assert load_settings({"HUB_PASSWORD": " "}).password is None


@pytest.mark.parametrize(
    "value",
    [
        "hub.example.com",
        "'https://hub.example.com'",
        "https://hub.ex\nample.com",
        "https://hub.example.com?a",
        "https:///x",
        "ftp://hub.example.com",
        "https://hub.example.com:x",
    ],
)
def test_a_public_url_that_is_none_counts_as_unset(value: str) -> None:
    settings = load_settings({"HUB_PUBLIC_URL": value})

    assert settings.public_url == ""
    assert [warning.partition(",")[0] for warning in settings.warnings] == ["HUB_PUBLIC_URL cannot be used"]


def test_a_public_url_may_have_a_path() -> None:
    settings = load_settings({"HUB_PUBLIC_URL": " https://example.com/hub/ "})

    assert (settings.public_url, settings.warnings) == ("https://example.com/hub", ())
