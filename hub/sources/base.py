"""The contract of a source type: proof that a request comes from its sender.

A new type is one file in this folder, named after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import ClassVar, Protocol

from hub.discovery import find_class, type_names
from hub.model.config import SourceConfig


@dataclass(frozen=True, kw_only=True)
class VerifiedMessage:
    """A request that its source vouches for: the sender's id of the message, and the type of its event."""

    message_id: str
    type: str


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
    def verify(self, body: bytes, headers: Headers, now: float) -> VerifiedMessage:
        """Vouch for a request, or raise NotVerified, or NotConfigured where there is no secret.

        `headers` may hold anything; `now` is in seconds since 1970. Nothing of the body may be parsed before
        its signature is right. Secrets are compared in constant time, and the age of a request is bounded in
        both directions.
        """

    @classmethod
    def check_secret(cls, secret: str) -> str | None:
        """Return the problem of a signing secret, without showing it; None where it can be used."""
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
