"""A database's URL in its parts, and its mistakes in words: platforms and libraries write it in many ways."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from hub.databases.tls import Tls
from hub.errors import StoreError
from hub.humanize import enumerated

NAME = "DATABASE_URL"
"""The variable that holds it."""

SQLITE_FORM = "sqlite:///hub.db, or sqlite:////data/hub.db for a path from the root"
POSTGRES_FORM = "postgresql://user:password@host/name"
MYSQL_FORM = "mysql://user:password@host/name"

_POSTGRES, _MYSQL = ("postgresql", "postgres"), ("mysql", "mariadb")
_OWN_DRIVERS = ("", "psycopg", "pymysql")
_FOREIGN = {"mysql", "mariadb", "mssql", "sqlserver", "oracle", "mongodb", "redis", "cockroachdb", "libsql"}
_FOREIGN |= {"sqlite3", "file", "jdbc", "prisma", "http", "https"}
"""Schemes that may be told: of a URL without one, the first part is a user's name or worse."""

_MYSQL_MODES = {
    "disabled": Tls.DISABLE,
    "preferred": Tls.PREFER,
    "required": Tls.REQUIRE,
    "verify_ca": Tls.VERIFY_CA,
    "verify_identity": Tls.VERIFY_FULL,
}
"""https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#option_general_ssl-mode"""

_MYSQL_TLS = {
    **_MYSQL_MODES,
    **{str(mode): mode for mode in Tls},
    "allow": Tls.PREFER,
    "false": Tls.DISABLE,
    "true": Tls.REQUIRE,
    "accept_invalid_certs": Tls.REQUIRE,
    "strict": Tls.VERIFY_FULL,
    '{"rejectunauthorized":true}': Tls.VERIFY_FULL,
}

_OPTION_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_PLACEHOLDER = re.compile(r"\$\{|\{\{|\[YOUR[-_]PASSWORD\]|<password>", re.IGNORECASE)
_ESCAPES = "in a user, password or name @ is written %40, / %2F, ? %3F, # %23, % %25 and a space %20"


@dataclass(frozen=True, kw_only=True)
class SqliteUrl:
    """A file. `warnings` tell what the URL had beside it."""

    path: Path
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PostgresUrl:
    """A server, by libpq's keywords; `options` are those behind the question mark, known to libpq or not.

    Several hosts stand in one value, with commas, as do their ports.
    """

    address: Mapping[str, str]
    options: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def tls(self) -> Tls | None:
        """The TLS that is asked for; None where libpq's own variables and default decide."""
        return Tls(self.options["sslmode"]) if "sslmode" in self.options else None


@dataclass(frozen=True, kw_only=True)
class MysqlUrl:
    """A MySQL or MariaDB. `socket` is a file, in place of host and port; `ca_file` has its authority."""

    address: Mapping[str, str]
    port: int = 3306
    socket: str | None = None
    tls: Tls = Tls.PREFER
    ca_file: str | None = None
    warnings: tuple[str, ...] = ()


def parse_url(url: str, name: str = NAME) -> SqliteUrl | PostgresUrl:
    """Return the parts of a URL; `name` is that of the variable or argument that holds it.

    Raises StoreError with one sentence, which never has anything of a user, password or host.
    """
    parts = _parse(url, name, "sqlite:///, postgresql:// or postgres://", mysql=False)
    assert not isinstance(parts, MysqlUrl)
    return parts


def parse_mirror_url(url: str, name: str) -> SqliteUrl | PostgresUrl | MysqlUrl:
    """Return the parts of a URL of a database that need not be the hub's own, as `parse_url` does."""
    begins = "postgresql://, postgres://, mysql://, mariadb:// or sqlite:///"
    return _parse(url, name, begins, mysql=True)


def _parse(url: str, name: str, schemes: str, *, mysql: bool) -> SqliteUrl | PostgresUrl | MysqlUrl:
    text = url.strip()
    mistake = _pasted(text)
    if mistake:
        raise StoreError(f"{name} {mistake}")
    scheme, _, rest = text.partition(":")
    kind, _, driver = scheme.lower().partition("+")
    left_out = (
        () if driver in _OWN_DRIVERS else (f"{name}: +{driver} is left out, the hub has a driver of its own",)
    )
    try:
        if kind == "sqlite":
            return _sqlite(rest, name, left_out)
        if kind in _POSTGRES:
            return _postgres(rest, left_out)
        if kind in _MYSQL and mysql:
            return _mysql(rest, name, left_out)
        begins = f"; it begins with {kind}:" if kind in _FOREIGN else ""
        raise _Mistake(f"must begin with {schemes}{begins}")
    except _Mistake as error:
        raise StoreError(f"{name} {error}") from None


class _Mistake(Exception):
    """Words that go on from the name of the variable."""


def _pasted(text: str) -> str:
    """Return words for what was copied along with a URL; empty where nothing was."""
    if text[:1] in ("'", '"', "`") or text[-1:] in ("'", '"', "`"):
        return "has quotes around it; take them off"
    if text.startswith("psql "):
        return "holds a command; take the URL alone, without psql and quotes"
    if re.match(r"(export )?[A-Za-z_]+=", text):
        return "holds its own name; take the value alone, what follows the ="
    if any(not character.isprintable() for character in text):
        return "has a line break or a control character in it; it is one line"
    if _PLACEHOLDER.search(text):
        return "still has a placeholder in it; put the value there"
    return ""


def _sqlite(rest: str, name: str, left_out: tuple[str, ...]) -> SqliteUrl:
    place, _, query = rest.partition("?")
    if not place.startswith("///") and place.strip("/"):
        raise _Mistake(f"must have three slashes and a file: {SQLITE_FORM}")
    path = place[3:]
    if not path or path.startswith((":memory:", "file:")):
        raise _Mistake(f"must name a file: {SQLITE_FORM}")
    if path.endswith("/") or Path(path).name in ("", "."):
        raise _Mistake("must name a file in that folder, as in sqlite:////data/hub.db")
    if query:
        left_out += (
            options_left_out(name, [option for option, _ in _options(query)], "SQLite here takes none"),
        )
    return SqliteUrl(path=Path(path), warnings=left_out)


def options_left_out(name: str, options: list[str], reason: str) -> str:
    """Return the warning of options that other libraries write into a URL."""
    return f"{name}: {enumerated(options)} {'is' if len(options) == 1 else 'are'} left out, {reason}"


def _postgres(rest: str, left_out: tuple[str, ...]) -> PostgresUrl:
    address, hosts, options = _server(rest, POSTGRES_FORM)
    _settle_ssl(options)
    if hosts:
        address |= _hosts(hosts, POSTGRES_FORM)
    elif not options.keys() & {"host", "hostaddr", "service"}:
        raise _Mistake(f"names no host: {POSTGRES_FORM}; with ?host=/var/run/postgresql it is a socket")
    return PostgresUrl(
        address={keyword: value for keyword, value in address.items() if value},
        options=options,
        warnings=left_out,
    )


def _mysql(rest: str, name: str, left_out: tuple[str, ...]) -> MysqlUrl:
    address, hosts, options = _server(rest, MYSQL_FORM)
    socket = options.pop("unix_socket", None) or options.pop("socket", None)
    if "," in hosts:
        raise _Mistake("names several hosts; name the one that writes")
    if not hosts and not socket:
        raise _Mistake(
            f"names no host: {MYSQL_FORM}; with ?unix_socket=/run/mysqld/mysqld.sock it is a socket"
        )
    if not address["dbname"]:
        raise _Mistake(f"names no database: {MYSQL_FORM}")
    place = _hosts(hosts, MYSQL_FORM) if hosts else {"host": "localhost", "port": ""}
    ca_file = options.pop("ssl_ca", None) or options.pop("ssl-ca", None)
    tls = _mysql_tls(options, Tls.VERIFY_CA if ca_file else Tls.PREFER)
    if options:
        left_out += (options_left_out(name, list(options), "MySQL here takes none such"),)
    return MysqlUrl(
        address={**address, "host": place["host"]},
        port=int(place["port"] or 3306),
        socket=socket,
        tls=tls,
        ca_file=ca_file,
        warnings=left_out,
    )


def _mysql_tls(options: dict[str, str], otherwise: Tls) -> Tls:
    """Read, and take out, the ways in which clients of MySQL ask for TLS: Prisma's and PlanetScale's, too."""
    mode = otherwise
    for option in ("ssl-mode", "ssl_mode", "sslmode", "ssl", "sslaccept"):
        value = options.pop(option, "").lower()
        if value and value not in _MYSQL_TLS:
            raise _Mistake(f"has an {option} that is none; ssl-mode is one of {', '.join(_MYSQL_MODES)}")
        mode = _MYSQL_TLS.get(value, mode)
    return mode


def _server(rest: str, form: str) -> tuple[dict[str, str], str, dict[str, str]]:
    """Return login and database, the text of the hosts, and the options of a server's URL."""
    if not rest.startswith("//"):
        raise _Mistake(f"must have two slashes: {form}")
    if " " in rest:
        raise _Mistake(f"has a space in it: {_ESCAPES}")
    authority, path, query = _split(rest[2:])
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    address = {"user": _unescaped(user), "password": _unescaped(password), "dbname": _unescaped(path)}
    return address, hosts, dict(_options(query))


def _split(text: str) -> tuple[str, str, str]:
    """Return login with hosts, the database and the options.

    libpq takes the first `@` for the end of the password and would tell the rest of it as the host's name.
    """
    end = re.search("[/?]|$", text)
    authority = text[: end.start()] if end else text
    path, _, query = text[len(authority) :].partition("?")
    has_login = "@" in authority
    if authority.count("@") > 1 or (not has_login and ("@" in path or "@" in query.partition("=")[0])):
        raise _Mistake(f"has a character that must be escaped: {_ESCAPES}")
    return authority, path.removeprefix("/"), query


def _hosts(text: str, form: str) -> dict[str, str]:
    hosts, ports = [], []
    for place in text.split(","):
        if place.count(":") > 1 and "[" not in place:
            raise _Mistake("has a host with colons; an IPv6 address stands in brackets, as in [::1]:5432")
        match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::(.*))?", place)
        if match is None:
            raise _Mistake(
                "has a host with too many colons; an IPv6 address stands in brackets, as in [::1]:5432"
            )
        host, port = match[1].strip("[]"), match[2] or ""
        if not host:
            raise _Mistake(f"names no host: {form}")
        if port and not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
            raise _Mistake(f"has a port that is no number from 1 to 65535: {form}; {_ESCAPES}")
        hosts.append(_unescaped(host))
        ports.append(port)
    return {"host": ",".join(hosts), "port": ",".join(ports) if any(ports) else ""}


def _options(query: str) -> Iterator[tuple[str, str]]:
    for option in filter(None, query.split("&")):
        name, is_set, value = option.partition("=")
        if not is_set or not _OPTION_NAME.fullmatch(name):
            raise _Mistake(f"has something behind its question mark that is no option=value; {_ESCAPES}")
        yield name, _unescaped(value)


def _settle_ssl(options: dict[str, str]) -> None:
    """Read `ssl=true` and `ssl=require`, other drivers' way to ask for TLS: that may not get lost."""
    ssl = options.pop("ssl", "").lower()
    if ssl in ("true", "1", "yes", "on"):
        ssl = "require"
    if ssl in list(Tls):
        options.setdefault("sslmode", ssl)
    if options.get("sslmode", Tls.DISABLE) not in list(Tls):
        raise _Mistake(f"has an sslmode that is none; it must be one of {', '.join(Tls)}")


def _unescaped(text: str) -> str:
    if re.search(r"%(?![0-9A-Fa-f]{2})|%00", text):
        raise _Mistake(f"has a % that is no escape: {_ESCAPES}")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise _Mistake(f"has an escape that is no UTF-8: {_ESCAPES}") from None
