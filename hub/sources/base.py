"""What the hub asks of a sender. A new type is one new file in this folder, named after it."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from hub.model.config import SourceConfig


@dataclass(frozen=True, kw_only=True)
class Genuine:
    """What a source vouches for: the sender's id of the message, and the type of its event."""

    message_id: str
    type: str


class Source(ABC):
    """Proves that a request is genuine, before anything in it is believed."""

    type: ClassVar[str]
    typed: ClassVar[bool] = False
    """Whether its events are those of the catalog."""

    def __init__(self, config: SourceConfig) -> None:
        self.config = config

    @abstractmethod
    def verify(self, body: bytes, headers: Mapping[str, str], now: float) -> Genuine:
        """Vouch for a request, or raise NotGenuine.

        `headers` may be in any case and hold anything; `now` is in seconds since 1970. Nothing of the body
        is parsed before its signature is right.
        """

    @classmethod
    def check_secret(cls, secret: str) -> str | None:
        """What is wrong with a signing secret, without showing it; None where it can be used."""
        return None


@cache
def find_source(type_name: str) -> type[Source] | None:
    """The class for a type, or None for a type that no file here is named after."""
    if type_name not in source_types():
        return None
    module = importlib.import_module(f"hub.sources.{type_name}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Source) and vars(value).get("type") == type_name
    )


def source_types() -> tuple[str, ...]:
    """Every type there is: the files of this folder."""
    package = importlib.import_module("hub.sources")
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in names if name != "base"))
