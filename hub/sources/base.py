"""The contract of a source type: proof that a request comes from its sender.

A new type is one file in this folder, named after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, lru_cache
from json import JSONDecodeError
from typing import Any, ClassVar, Protocol

from hub.discovery import find_class, type_names
from hub.errors import NotVerified
from hub.humanize import kind_of
from hub.model.config import SourceConfig
from hub.model.event import parse_json, shallow

_COMPRESSED = "the body is compressed ({}); whoever sends it must send plain JSON"
_UTF_16 = "the body is in UTF-16 or UTF-32; send it as UTF-8"
_FORMATS = (
    (b"\x1f\x8b", _COMPRESSED.format("gzip")),
    (b"\x28\xb5\x2f\xfd", _COMPRESSED.format("zstd")),
    (b"\xef\xbb\xbf", "the body begins with a byte order mark (BOM); send it as UTF-8 without one"),
    (b"\xff\xfe", _UTF_16),
    (b"\xfe\xff", _UTF_16),
)
"""The first bytes of what is sent by mistake, each with the fault that it is."""


@dataclass(frozen=True, kw_only=True)
class VerifiedMessage:
    """A request that its source vouches for: the sender's id of the message, and its event with the type."""

    message_id: str
    type: str
    body: dict[str, Any]


class Headers(Protocol):
    """The headers of a request, by names in any case."""

    def get(self, name: str, /) -> str | None: ...


class Source(ABC):
    """The judge of one sender's requests: nothing in one is believed before it is verified."""

    type: ClassVar[str]
    typed: ClassVar[bool] = False
    """True where its events are those of the catalog."""

    def __init__(self, config: SourceConfig) -> None:
        self.config = config

    @abstractmethod
    def is_complete(self, headers: Headers) -> bool:
        """Return True where a request carries all that its signature needs, right or wrong.

        Of what is refused such requests alone may be the sender's.
        """

    @abstractmethod
    def verify(self, body: bytes, headers: Headers, now: float) -> VerifiedMessage:
        """Vouch for a request, or raise NotVerified, or NotConfigured where there is no secret.

        What it vouches for is a JSON object in UTF-8 with a type: `read_event` sees to that. `headers`
        may hold anything; `now` is in seconds since 1970. Nothing of the body may be parsed before its
        signature is right. Secrets are compared in constant time, and the age of a request is bounded in
        both directions.
        """

    @classmethod
    def check_secret(cls, secret: str) -> str | None:
        """Return what is wrong with a signing secret, without showing it; None where it can be used."""
        return None


@cache
def find_source(type_name: str) -> type[Source] | None:
    """Return the class for a type; None for a type that no file here is named after."""
    return find_class("hub.sources", Source, type_name)  # type: ignore[type-abstract]  # no Source is made


@lru_cache(maxsize=100)
def source_of(config: SourceConfig) -> Source:
    """Return the judge of a source's requests, one for each configuration of it that serves."""
    source_class = find_source(config.type)
    if source_class is None:
        raise LookupError(f"no source type {config.type}: the configuration was not checked")
    return source_class(config)


@cache
def source_types() -> tuple[str, ...]:
    """Return every type there is, sorted: the names of the files beside this one."""
    return type_names("hub.sources")


def read_event(body: bytes) -> dict[str, Any]:
    """Return a signed body, parsed; raises NotVerified where it is no JSON object with a type.

    The error says what is wrong with the body, and shows nothing of it.
    """
    try:
        parsed = parse_json(shallow(body.decode("utf-8")))
    except ValueError as error:
        raise NotVerified("invalid_payload", _fault(body, error)) from error
    if not isinstance(parsed, dict):
        raise NotVerified("invalid_payload", f"the body must be a JSON object, not {kind_of(parsed)}")
    event_type = parsed.get("type")
    if not isinstance(event_type, str) or not 1 <= len(event_type) <= 200 or not event_type.isprintable():
        raise NotVerified(
            "invalid_payload", 'the body must have a "type" of 1 to 200 printable characters at its top'
        )
    return parsed


def _fault(body: bytes, error: Exception) -> str:
    """Return what keeps signed bytes from being JSON in UTF-8, for whoever runs their sender."""
    known = next((fault for start, fault in _FORMATS if body.startswith(start)), None)
    if known is not None:
        return known
    if b"\0" in body[:4]:
        return _UTF_16
    if not body.strip():
        return "the body is empty; send the event as JSON"
    match error:
        case UnicodeDecodeError():
            return f"the body is not UTF-8 from byte {error.start + 1} on; send it as UTF-8, not as Latin-1"
        case JSONDecodeError():
            return f"the body is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        case _:
            return "the body has a number that JSON does not have (NaN, Infinity) or that is too large"
