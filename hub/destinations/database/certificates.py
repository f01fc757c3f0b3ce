"""`ca_cert`, `client_cert` and `client_key` beside the URL of a database, which may ask for other things."""

from __future__ import annotations

from collections.abc import Sequence

from hub.databases.tls import Tls
from hub.databases.url import MysqlUrl, PostgresUrl, SqliteUrl

CERTIFICATE_KEYS = ("ca_cert", "client_cert", "client_key")

Url = SqliteUrl | PostgresUrl | MysqlUrl


def lacks_authority(url: Url) -> bool:
    """Return True where a URL asks for a server that is verified, and names nobody to verify it by."""
    if isinstance(url, SqliteUrl):
        return False
    return url.tls is not None and url.tls.verifies and _options(url)["ca_cert"] is None


def fault_beside(keys: Sequence[str], url: Url) -> str | None:
    """Return the fault of a URL that leaves no use to these keys beside it; None where it has none."""
    if not keys:
        return None
    away = f"take {' and '.join(keys)} away"
    if isinstance(url, SqliteUrl):
        return f'"url" is a SQLite file, which has no network and no TLS; {away}'
    if _is_socket(url):
        return f'"url" is a socket of this machine, which has no TLS; {away}'
    if url.tls is Tls.DISABLE:
        return f'"url" asks for no TLS; write sslmode=verify-full, or {away}'
    options = _options(url)
    for key in keys:
        if options[key] is not None:
            return f'"url" has {options[key]}, which is the same as {key}; take one of the two away'
    return None


def _is_socket(url: PostgresUrl | MysqlUrl) -> bool:
    if isinstance(url, MysqlUrl):
        return url.socket is not None
    return str(url.options.get("host") or url.address.get("host", "")).startswith("/")


def _options(url: PostgresUrl | MysqlUrl) -> dict[str, str | None]:
    """Return the option of a URL that stands for each key; None where it has none."""
    if isinstance(url, MysqlUrl):
        return {**dict.fromkeys(CERTIFICATE_KEYS), "ca_cert": "ssl-ca" if url.ca_file else None}
    names = zip(CERTIFICATE_KEYS, ("sslrootcert", "sslcert", "sslkey"), strict=True)
    return {key: name if name in url.options else None for key, name in names}
