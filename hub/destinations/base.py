"""What the hub asks of a place to send to. A new type is one new file in this folder, named after it."""

from __future__ import annotations

import builtins
import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from hub.model.delivery import Attempt, Message, Receipt
from hub.model.destination import RateLimit
from hub.model.event import Summary
from hub.templating.sandbox import Escape


class Inline:
    """Marks a field of a send block that is a template written in place.

    `filled` says that nothing in it may be empty: `hub check` warns of values that can be.
    """

    def __init__(self, *, filled: bool = False) -> None:
        self.filled = filled


class Structure:
    """Marks a field of a send block that is a structure whose strings are templates."""


class TemplateName:
    """Marks a field of a send block that names files under `templates/`.

    Each suffix makes one file name; at least one of them must exist.
    """

    def __init__(self, *suffixes: str) -> None:
        self.suffixes = suffixes


InlineText = Annotated[str, Inline()]


class Block(BaseModel):
    """What users write: unknown keys are problems, values are not guessed into other types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Renderer(Protocol):
    """Turns the unrendered fields of a send block into text, with the event's variables in scope.

    Raises TemplateError. `render.py` makes one for each delivery.
    """

    def text(self, source: str, escape: Escape, *, name: str) -> str:
        """A template written in place; `name` is how an error calls it."""

    def file(self, name: str, escape: Escape) -> str:
        """A file below the templates folder."""

    def exists(self, name: str) -> bool:
        """Whether that file is there."""

    def source(self, name: str) -> str:
        """The text of a file below the templates folder, unrendered: for files that hold a structure."""

    def structure(self, value: Any, escape: Escape, *, name: str) -> Any:
        """A structure whose strings are templates."""

    def summary(self) -> Summary:
        """The built-in words for the event, for what a send block leaves out."""


class Destination(ABC):
    """A place to send to, made from its validated options; serves many threads at once.

    `type` is the name users write and the module's own. `read_by_people` decides what follows a template
    that fails: people get the built-in message with a note, machines get nothing and the delivery is dead.
    """

    type: ClassVar[str]
    read_by_people: ClassVar[bool] = True
    concurrency: ClassVar[int] = 4
    rate_limit: ClassVar[RateLimit | None] = None

    Options: ClassVar[builtins.type[Block]]
    """The keys of its block under `destinations:`, beside those that every destination takes."""
    Send: ClassVar[builtins.type[Block]]
    """The keys of a send block, beside `to`."""

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        """What is wrong with a send block in itself beyond the shape of its keys, one sentence each."""
        return ()

    @classmethod
    @abstractmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        """The message that a send block's fields ask for; raises TemplateError.

        `fields` is empty only for machines, who then get the event itself. `options` is None in previews of
        a destination that is not configured.
        """

    @classmethod
    def passes_on(cls, options: Any) -> Message | None:
        """The message of an empty send block, where it is the same for every event; None where it is not."""
        return None

    @classmethod
    @abstractmethod
    def compose_builtin(cls, options: Block | None, summary: Summary, note: str | None, link: str) -> Message:
        """The message for an event that no template was written for, escaped as this type needs.

        `note` says why a template was not used; `link` leads to the event on the status page, or is empty.
        """

    def __init__(self, options: Block, name: str) -> None:
        self.options = options
        self.name = name

    @abstractmethod
    def send(self, message: Message, attempt: Attempt) -> Receipt:
        """Make one try within `attempt.timeout_seconds` of wall clock.

        Raises Retry, Reject, Pause or Unknown; their reasons hold no secret and no whole URL.
        """

    @abstractmethod
    def describe(self) -> str:
        """Where it sends to, for the status page: a host or an address, never a secret."""

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of connections that are kept open."""


@cache
def find_destination(type_name: str) -> type[Destination] | None:
    """The class for a type, or None for a type that no file here is named after."""
    if type_name not in destination_types():
        return None
    module = importlib.import_module(f"hub.destinations.{type_name}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Destination) and vars(value).get("type") == type_name
    )


def destination_types() -> tuple[str, ...]:
    """Every type there is: the files of this folder."""
    package = importlib.import_module("hub.destinations")
    names = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in names if name != "base" and not name.startswith("_")))
