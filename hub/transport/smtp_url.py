"""An smtp_url: a mail server, the way to it and a login."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit

from hub.strings import is_loopback
from hub.transport.certificates import NO_CERTIFICATES, Certificates

_SHAPE = "must look like smtp://user:password@host:587, special characters in it percent-encoded"


class Tls(StrEnum):
    """The moment from which a connection is encrypted."""

    IMPLICIT = "from the start"
    REQUIRED = "by STARTTLS or not at all"
    OFFERED = "by STARTTLS where it is offered"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """A server that mail is submitted to, as an smtp_url names it."""

    host: str
    port: int
    tls: Tls
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    certificates: Certificates = NO_CERTIFICATES


def parse_smtp_url(url: str, certificates: Certificates = NO_CERTIFICATES) -> MailServer:
    """Return the server of `smtp://user:password@host:port?starttls=never|required` or `smtps://…`.

    Raises ValueError with one sentence, which holds nothing of the URL.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(_SHAPE) from None
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path not in ("", "/") or parts.fragment:
        raise ValueError(_SHAPE)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise ValueError("must have a user and password of ASCII characters: SMTP logins take no others")
    tls = _tls(parts.scheme, dict(query), encrypted=bool(user) and not is_loopback(host))
    default = 465 if tls is Tls.IMPLICIT else 587 if user else 25
    return MailServer(
        host=host,
        port=port or default,
        tls=tls,
        user=user,
        password=password,
        certificates=certificates,
    )


def _tls(scheme: str, query: dict[str, str], *, encrypted: bool) -> Tls:
    asked = query.pop("starttls", None)
    if query or asked not in (None, "never", "required") or (asked and scheme == "smtps"):
        raise ValueError("may have only ?starttls=never or ?starttls=required behind smtp://")
    if scheme == "smtps":
        return Tls.IMPLICIT
    if asked is not None:
        return Tls.NEVER if asked == "never" else Tls.REQUIRED
    return Tls.REQUIRED if encrypted else Tls.OFFERED
