"""A DATABASE_URL of platforms and other libraries is understood, and a mistake in one is a sentence."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from hub.databases.tls import Tls
from hub.databases.url import MysqlUrl, PostgresUrl, SqliteUrl, parse_mirror_url, parse_url
from hub.errors import StoreError
from hub.store.open import open_store

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///hub.db", "hub.db"),
        (" sqlite:///hub.db\n", "hub.db"),
        ("SQLite:///data/hub.db", "data/hub.db"),
        ("sqlite:////data/my hub#1.db", "/data/my hub#1.db"),
        ("sqlite+aiosqlite:///hub.db", "hub.db"),
        ("sqlite:///hub.db?timeout=30&check_same_thread=false", "hub.db"),
    ],
)
def test_a_file(url: str, path: str) -> None:
    parts = parse_url(url)

    assert isinstance(parts, SqliteUrl)
    assert parts.path == Path(path)


def postgres(url: str) -> PostgresUrl:
    parts = parse_url(url)
    assert isinstance(parts, PostgresUrl)
    return parts


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("postgresql://u:p@db/hub", {"user": "u", "password": "p", "host": "db", "dbname": "hub"}),
        (
            "postgres://u:p@db:5433/hub",
            {"user": "u", "password": "p", "host": "db", "port": "5433", "dbname": "hub"},
        ),
        ("POSTGRESQL+AsyncPG://db/hub", {"host": "db", "dbname": "hub"}),
        ("postgresql://u:p%40s%2Fs%25%3F@db", {"user": "u", "password": "p@s/s%?", "host": "db"}),
        ("postgresql://u:p#ss:w@db/hub", {"user": "u", "password": "p#ss:w", "host": "db", "dbname": "hub"}),
        ("postgresql://[::1]:5432/hub", {"host": "::1", "port": "5432", "dbname": "hub"}),
        ("postgresql://a:1,b:2/hub", {"host": "a,b", "port": "1,2", "dbname": "hub"}),
        ("postgresql://u:@/hub?host=/run/pg", {"user": "u", "dbname": "hub"}),
        ("postgresql://u@%2Frun%2Fpg/hub", {"user": "u", "host": "/run/pg", "dbname": "hub"}),
    ],
)
def test_a_server(url: str, address: dict[str, str]) -> None:
    assert postgres(url).address == address


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", {}),
        ("?sslmode=require&application_name=a@b", {"sslmode": "require", "application_name": "a@b"}),
        ("?options=-c%20search_path%3Dhub", {"options": "-c search_path=hub"}),
        ("?ssl=true", {"sslmode": "require"}),
        ("?ssl=verify-full&sslrootcert=ca.pem", {"sslmode": "verify-full", "sslrootcert": "ca.pem"}),
        ("?ssl=false", {}),
        ("?ssl=true&sslmode=verify-ca", {"sslmode": "verify-ca"}),
        ("?pgbouncer=true&&schema=public&", {"pgbouncer": "true", "schema": "public"}),
    ],
)
def test_the_options_of_a_server(query: str, options: dict[str, str]) -> None:
    """TLS that another driver would have asked for is not given up without a word."""
    assert postgres(f"postgresql://db/hub{query}").options == options


@pytest.mark.parametrize(
    ("url", "warnings"),
    [
        ("postgresql://db/hub?sslmode=require", ()),
        ("postgresql+psycopg://db/hub", ()),
        (
            "postgresql+asyncpg://db/hub?pgbouncer=true&connection_limit=1",
            (
                "DATABASE_URL: +asyncpg is left out, the hub has a driver of its own",
                "DATABASE_URL: pgbouncer and connection_limit are left out, PostgreSQL knows none such",
            ),
        ),
        (
            "postgres://db/hub?statement_cache_size=0",
            ("DATABASE_URL: statement_cache_size is left out, PostgreSQL knows none such",),
        ),
        (
            "sqlite+pysqlite:///hub.db?timeout=3",
            (
                "DATABASE_URL: +pysqlite is left out, the hub has a driver of its own",
                "DATABASE_URL: timeout is left out, SQLite here takes none",
            ),
        ),
    ],
)
def test_what_is_left_out_is_told(url: str, warnings: tuple[str, ...]) -> None:
    with closing(open_store(url)) as store:
        assert store.warnings == warnings


FORM = "postgresql://user:password@host/name"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("hub.db", "must begin with sqlite:///, postgresql:// or postgres://"),
        ("", "must begin with sqlite:///, postgresql:// or postgres://"),
        (f"user:{SECRET}@db/hub", "must begin with sqlite:///, postgresql:// or postgres://"),
        (f"mysql://u:{SECRET}@db/hub", "or postgres://; it begins with mysql:"),
        ("file:./dev.db", "it begins with file:"),
        ("jdbc:postgresql://db/hub", "it begins with jdbc:"),
        ("sqlite://", "must name a file: sqlite:///hub.db"),
        ("sqlite:///", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///file:hub.db", "must name a file"),
        ("sqlite://hub.db", "must have three slashes and a file"),
        ("sqlite:/data/hub.db", "must have three slashes and a file"),
        ("sqlite:hub.db", "must have three slashes and a file"),
        ("sqlite:////data/", "must name a file in that folder"),
        ("sqlite:///hub\0.db", "has a line break or a control character in it"),
        (f'"postgresql://u:{SECRET}@db/hub"', "has quotes around it; take them off"),
        ("'sqlite:///hub.db'", "has quotes around it"),
        (f"psql 'postgresql://u:{SECRET}@db/hub", "holds a command"),
        (f"DATABASE_URL=postgresql://u:{SECRET}@db/hub", "holds its own name"),
        (f"export DATABASE_URL=postgresql://u:{SECRET}@db/hub", "holds its own name"),
        (f"postgresql://u:{SECRET}\n@db/hub", "has a line break or a control character in it"),
        ("postgresql://u:[YOUR-PASSWORD]@db/hub", "still has a placeholder"),
        ("postgresql://u:${PASSWORD}@db/hub", "still has a placeholder"),
        (f"postgresql:u:{SECRET}@db/hub", f"must have two slashes: {FORM}"),
        (f"postgresql:/u:{SECRET}@db/hub", f"must have two slashes: {FORM}"),
        (f"postgresql://u:{SECRET} x@db/hub", "has a space in it: in a user, password or name"),
        (
            f"postgresql://u:x@{SECRET}@db/hub",
            "has a character that must be escaped: in a user, password or name @",
        ),
        (f"postgresql://u:x/{SECRET}@db/hub", "has a character that must be escaped"),
        (f"postgresql://u:x?{SECRET}@db/hub", "has a character that must be escaped"),
        (f"postgresql://u:{SECRET}%@db/hub", "has a % that is no escape"),
        (f"postgresql://u:{SECRET}%zz@db/hub", "has a % that is no escape"),
        (f"postgresql://u:{SECRET}%00@db/hub", "has a % that is no escape"),
        (f"postgresql://u:{SECRET}%ff@db/hub", "has an escape that is no UTF-8"),
        (f"postgresql://u:{SECRET}@/hub", f"names no host: {FORM}"),
        ("postgresql:///hub", "names no host"),
        (f"postgresql://u:{SECRET}@:5432/hub", "names no host"),
        (f"postgresql://u:{SECRET}@a,,b/hub", "names no host"),
        (f"postgresql://u:{SECRET}@db:x/hub", "has a port that is no number from 1 to 65535"),
        (f"postgresql://u:{SECRET}@db:0/hub", "has a port that is no number"),
        (f"postgresql://u:{SECRET}@db:65536/hub", "has a port that is no number"),
        (f"postgresql://u:{SECRET}@db:٣/hub", "has a port that is no number"),
        (f"postgresql://u:{SECRET}@db:{'9' * 5000}/hub", "has a port that is no number"),
        (f"postgresql://u:{SECRET}@::1:5432/hub", "an IPv6 address stands in brackets"),
        (f"postgresql://u:{SECRET}@db/hub?sslmode", "is no option=value"),
        (f"postgresql://u:{SECRET}@db/hub?a b=c", "has a space in it"),
        (f"postgresql://u:{SECRET}@db/hub?sslmode=no-verify", "has an sslmode that is none"),
    ],
)
def test_a_mistake_is_one_sentence_without_the_password(url: str, words: str) -> None:
    with pytest.raises(StoreError) as refused:
        open_store(url)
    sentence = str(refused.value)

    assert sentence.startswith("DATABASE_URL ")
    assert words in sentence
    assert SECRET not in sentence
    assert "\n" not in sentence


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"TO names the folder {tmp_path}; name a file in it"):
        open_store(f"sqlite:///{tmp_path}", name="TO")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "mysql://u:p%40@db/app",
            MysqlUrl(address={"user": "u", "password": "p@", "dbname": "app", "host": "db"}),
        ),
        (
            "mariadb+pymysql://u@db:3307/app?sslaccept=strict",
            MysqlUrl(
                address={"user": "u", "password": "", "dbname": "app", "host": "db"},
                port=3307,
                tls=Tls.VERIFY_FULL,
            ),
        ),
        (
            "mysql://u@/app?unix_socket=/run/my.sock&ssl-ca=/ca.pem",
            MysqlUrl(
                address={"user": "u", "password": "", "dbname": "app", "host": "localhost"},
                socket="/run/my.sock",
                tls=Tls.VERIFY_CA,
                ca_file="/ca.pem",
            ),
        ),
    ],
)
def test_a_mysql_of_a_mirror(url: str, expected: MysqlUrl) -> None:
    assert parse_mirror_url(url, "url") == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://db", "names no database"),
        ("mysql:///app", "names no host"),
        ("mysql://a,b/app", "names several hosts"),
        ("mysql://db/app?ssl-mode=maybe", "has an ssl-mode that is none"),
        ("mongodb://db/app", "it begins with mongodb:"),
    ],
)
def test_a_mistake_in_the_url_of_a_mirror(url: str, words: str) -> None:
    with pytest.raises(StoreError, match=words):
        parse_mirror_url(url, "url")


def test_the_hub_itself_has_no_mysql() -> None:
    with pytest.raises(
        StoreError, match="must begin with sqlite:///, postgresql:// or postgres://; it begins"
    ):
        parse_url("mysql://u@db/app")
