"""The contract of a destination type: what users may write for it, how a message is composed, how it is sent.

A new type is one file in this folder named after it, or a folder with its class in `destination.py`.
"""

from __future__ import annotations

import builtins
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from hub.discovery import find_class, type_names
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part, every_text
from hub.model.summary import Summary
from hub.templating.escapes import Escape
from hub.templating.flaws import Flaw
from hub.templating.renderer import Renderer
from hub.transport.certificates import Certificates
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import HttpClient, web_url
from hub.transport.proxy import parse_proxy

ApiUrl = Annotated[str, AfterValidator(lambda url: web_url(url).geturl().rstrip("/"))]
"""The base of an API, which tests and sovereign clouds have elsewhere."""


class Block(BaseModel):
    """A mapping in routes.yaml: unknown keys are problems, values are not guessed into other types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @classmethod
    def check_keys(cls, keys: frozenset[str]) -> Iterable[str]:
        """Return what is wrong with the keys that are there, one sentence each, whatever they hold.

        A rule over several keys stands here: a validator runs only where every value is known.
        """
        return ()


def _usable_proxy(url: SecretStr) -> SecretStr:
    if url.get_secret_value():
        parse_proxy(url.get_secret_value())
    return url


Proxy = Annotated[SecretStr, AfterValidator(_usable_proxy)]
"""The URL of a proxy; empty for none, whatever the defaults have."""


class NetworkBlock(Block):
    """The options of a type that opens connections: its `Options` inherit these keys instead of `Block`.

    `self._http = options.client(4, resolver)` is all that a type which speaks HTTP needs of them.
    """

    ca_cert: str | None = Field(default=None, description="an authority to trust, too: a file or PEM text")
    client_cert: SecretStr | None = Field(default=None, description="shown to the server: a file or PEM text")
    client_key: SecretStr | None = Field(default=None, description="its key, where it does not hold that")
    proxy: Proxy | None = Field(default=None, description='http://user:password@proxy:3128; "" for none')

    @property
    def certificates(self) -> Certificates:
        """The certificates of every connection, also of one that speaks no HTTP."""
        secrets = (self.client_cert, self.client_key)
        cert, key = (secret.get_secret_value() if secret else "" for secret in secrets)
        return Certificates(ca=self.ca_cert or "", client_cert=cert, client_key=key)

    def with_defaults(self, ca_cert: str | None, proxy: SecretStr | None) -> Self:
        """Return the same with the authority and the proxy of all destinations where it has none."""
        of_all = {"ca_cert": ca_cert, "proxy": proxy}
        lacking = {key: value for key, value in of_all.items() if getattr(self, key) is None}
        return self.model_copy(update=lacking)

    def client(self, connections: int, resolver: Resolver = system_resolver) -> HttpClient:
        """Return the HTTP client of a destination with these options."""
        url = self.proxy.get_secret_value() if self.proxy else ""
        proxy = parse_proxy(url) if url else None
        return HttpClient(connections, resolver, certificates=self.certificates, proxy=proxy)


@dataclass(frozen=True, kw_only=True)
class ShownContext:
    """The facts beside a message for those who look at it, without secrets.

    `written` is the destination's block as routes.yaml has it, with `${NAME}` in its places; `payload` the
    body of the event, which some messages are. `delivery_id` is empty where nothing is owed.
    """

    destination: str = ""
    written: Mapping[str, Any] = field(default_factory=dict)
    event_id: str = ""
    event_type: str = ""
    payload: str = ""
    delivery_id: str = ""


class Destination(ABC):
    """A place to send to, made from its validated options; serves many threads at once.

    `type` is the name that users write. `read_by_people` decides what follows a template that fails: people
    get the built-in message with a warning, machines get nothing and the delivery is dead. `concurrency` and
    `rate_limit` are its defaults, which users may change. `escapes` are its own, besides those of
    `hub.templating.escapes`, that it renders with: by them the values of variables are filled in. `id_header`
    is the header by which a message is found again on the other side: it has the delivery's id.
    `recipient_keys` are those of a send block that name people in place of the destination's own. Where
    `may_be_held` is False the same message twice is one, so that none is ever held.
    """

    type: ClassVar[str]
    read_by_people: ClassVar[bool] = True
    concurrency: ClassVar[int] = 4
    rate_limit: ClassVar[RateLimit | None] = None
    escapes: ClassVar[tuple[Escape, ...]] = ()
    id_header: ClassVar[str] = ""
    recipient_keys: ClassVar[tuple[str, ...]] = ()
    may_be_held: ClassVar[bool] = True

    Options: ClassVar[builtins.type[Block]]
    """Its own keys of a block under `destinations:`."""
    Send: ClassVar[builtins.type[Block]]
    """The keys of a send block, beside `to`."""

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        """Return the problems of a send block beyond the shape of its keys, one sentence each."""
        return ()

    @classmethod
    def check_send_keys(cls, own: frozenset[str], keys: frozenset[str]) -> Iterable[Flaw]:
        """Return what is wrong with the keys of a send block beside those of its destination's `own` block.

        It holds whatever the keys hold. A flaw that is not sure is a warning.
        """
        return ()

    @classmethod
    def mirrored_types(cls, own: Mapping[str, Any], fields: Mapping[str, Any]) -> frozenset[str] | None:
        """Return the types of events that a send block keeps the objects of; None where it keeps none.

        It is owed those alone, and nothing may keep one of them from it: no condition, `max_age`, `stop` or
        `ignore`. `own` is its destination's block, whose values may be wrong.
        """
        return None

    @classmethod
    def unusable_key(cls, options: Block, environment: Mapping[str, str]) -> tuple[str, str] | None:
        """Return a key of its options that cannot be used in this environment, and why; else None."""
        return None

    @classmethod
    def look(cls, options: Block, sends: Sequence[Mapping[str, Any]]) -> Iterable[tuple[int, Flaw]]:
        """Return what is wrong with send blocks by what the place itself has, each by its number."""
        return ()

    @classmethod
    def lacking(cls, options: Block, parts: Collection[str]) -> Collection[str]:
        """Return those of the parts that deliveries wait for (`Pause.needs`) that the place still lacks.

        It takes a few seconds at most. Raises SendError where the place cannot be asked.
        """
        return ()

    @classmethod
    @abstractmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        """Return the message that the fields of a send block ask for; raises TemplateError.

        A message is a JSON object. It is composed once and kept, so that every retry sends the same bytes.
        For each `${NAME}` it holds a mark of letters and digits, which is filled in whenever it is sent.
        `fields` is empty only for machines, who then get the event itself. `options` is None in previews of
        a destination that is not configured.
        """

    @classmethod
    @abstractmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        """Return the message for an event without a template, escaped as this type needs.

        `warning`, one line that may quote strangers, says why a template was not used; `link` leads to the
        event on the status page, or is empty.
        """

    @classmethod
    def addressed(cls, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        """Return the keys of a message that a send block sets whatever its words are, as whom it is for.

        The built-in message that stands in for one whose template failed has them, too. Raises
        RecipientError where they cannot be made, and then none does.
        """
        return {}

    @classmethod
    def finished(cls, message: Message) -> Message:
        """Return a message after the values of variables were filled in, as `send` takes it.

        Raises TemplateError where one of them makes it a message that cannot be sent.
        """
        return message

    @classmethod
    def text_alone(cls, message: Message) -> Message | None:
        """Return the message with nothing but its text; None where it has nothing else.

        It is sent where the place refuses the form of the whole one: `Reject` with `form`.
        """
        return None

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        """Return the parts of a message in the order in which its reader meets them, escapes undone.

        Page, `hub preview`, `hub test` and the demo show these; empty ones are left out. `message` is one
        that was kept, or rendered now, with `${NAME}` in the places of variables.
        """
        return every_text(message)

    @classmethod
    def thread_place(cls, options: Block | None, message: Message) -> str | None:
        """Return the place within which the keys of threads count, for a type whose threads the store keeps.

        A message with a `thread` is then sent as the only one of its thread, `context.thread` has what is
        known of that, and a receipt or an error what is to be kept. None where the place needs a key alone.
        """
        return None

    def __init__(self, options: Block, name: str) -> None:
        self.options = options
        self.name = name

    @abstractmethod
    def send(self, message: Message, context: SendContext) -> Receipt:
        """Make one try within `context.timeout_seconds` of wall clock, which begin with this call.

        Raises Retry, Reject, Pause or Unknown; their reasons hold no secret and no whole URL, and what they
        quote of others went through `context.mask`. It never tries a second time by itself.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return where it sends to, for the status page: a host or an address, never a secret."""

    def server(self) -> str:
        """Return the host that it talks to, where that says more of a failure than where it sends to."""
        return self.describe()

    def close(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of connections that are kept open."""


def parts_of(message: Message, type_name: str | None, context: ShownContext) -> tuple[Part, ...]:
    """Return the parts of a message of a destination of that type, None or unknown where that is gone."""
    destination = find_destination(type_name) if type_name else None
    parts = destination.shown(message, context) if destination else every_text(message)
    return tuple(part for part in parts if part.words.strip())


@cache
def find_destination(type_name: str) -> type[Destination] | None:
    """Return the class for a type; None for a type that no file or folder here is named after."""
    return find_class("hub.destinations", Destination, type_name)  # type: ignore[type-abstract]  # none is made


@cache
def destination_types() -> tuple[str, ...]:
    """Return every type there is, sorted: the names of the files and folders beside this one."""
    return type_names("hub.destinations")
