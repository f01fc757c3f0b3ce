"""A send block and an event -> the message: the user's own words, or the built-in ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from hub import catalog
from hub.destinations.base import Destination
from hub.errors import RecipientError, TemplateError, VersionUnusable
from hub.model.delivery import MARKS, MESSAGE_LIMIT_BYTES, Message, Rendered
from hub.model.event import Event
from hub.model.routing import Route, Send, is_relayed
from hub.model.summary import Earlier, Summary
from hub.model.thread import THREAD, THREAD_MODE
from hub.strings import one_line
from hub.templating.escapes import BY_NAME, Escape, OwnLink, as_json, plain
from hub.templating.lazy_summary import LazySummary
from hub.templating.placeholders import Marks, filled, is_marked, quoted, with_escape, with_marks
from hub.templating.sandbox import Sandbox, variables
from hub.templating.times import ZONE


class Composer(Protocol):
    """A destination type as rendering sees it: it puts its messages together."""

    read_by_people: bool

    def compose(self, options: Any, fields: Mapping[str, Any], renderer: Any) -> Message: ...

    def compose_builtin(self, options: Any, summary: Summary, warning: str | None, link: str) -> Message: ...

    def addressed(self, fields: Mapping[str, Any], renderer: Any) -> Message: ...

    def text_alone(self, message: Message) -> Message | None: ...


@dataclass(frozen=True, kw_only=True)
class RenderContext:
    """One event that a route owes to a destination, as the message's readers are to see it.

    `link` leads to it on the status page, or is empty; `timezone` is the IANA name of theirs. Without
    `earlier` its summary says nothing of what came before, and without `routes` nothing of relays.
    """

    event: Event
    route: str
    link: str = ""
    timezone: str = "UTC"
    earlier: Earlier | None = None
    routes: tuple[Route, ...] = ()

    @cached_property
    def summary(self) -> Summary:
        """The built-in words for the event, made once."""
        relayed = is_relayed(self.event.type, self.routes)
        return catalog.summarise(self.event, ZoneInfo(self.timezone), self.earlier, is_relayed=relayed)


@dataclass(frozen=True, kw_only=True)
class SendRenderer:
    """The fields of one send block, with the variables of one event in scope.

    `marks` are those of its `${NAME}`, as far as they were rendered; `variables` have them, too.
    """

    context: RenderContext
    sandbox: Sandbox
    variables: Mapping[str, Any]
    marks: Marks = field(default_factory=dict)

    def text(self, source: str, escape: Escape, *, name: str) -> str:
        text = self.sandbox.text(source, self.variables, escape, name=name)
        return quoted(text, self.marks) if self.marks and escape is as_json else text

    def file(self, name: str, escape: Escape) -> str:
        return self.sandbox.file(name, self.variables, escape)

    def exists(self, name: str) -> bool:
        return name in self.sandbox.templates

    def source(self, name: str) -> str:
        return self.sandbox.templates[name]

    def structure(self, value: Any, escape: Escape, *, name: str) -> Any:
        variables = self.variables
        file = name.partition("[")[0]
        if self.exists(file):  # `${NAME}` is replaced in routes.yaml, not in the files of templates
            variables = {key: item for key, item in variables.items() if key != MARKS}
        return self.sandbox.structure(value, variables, escape, name=name)

    def is_open(self, text: str) -> bool:
        return is_marked(text, self.marks)

    @property
    def event_type(self) -> str:
        return self.context.event.type

    @property
    def link(self) -> str:
        return self.context.link

    def within(self, text: str, escape: Escape) -> str:
        return with_escape(text, self.marks, escape.__name__) if self.marks else text

    def summary(self) -> Summary:
        return self.context.summary


def render(
    send: Send, context: RenderContext, composer: Composer, options: Any, sandbox: Sandbox
) -> Rendered:
    """The message that a send block asks for.

    Where its templates fail, people get the built-in message with a warning of the failure instead; for
    machines (`read_by_people` false) TemplateError is raised. So are VersionUnusable and RecipientError for
    both.
    """
    try:
        return Rendered(message=compose(send, context, composer, options, sandbox))
    except TemplateError as error:
        if not composer.read_by_people or isinstance(error, VersionUnusable | RecipientError):
            raise
        return builtin(send, context, composer, options, sandbox, f"template failed: {error}")


def plainer(
    message: Message,
    send: Send,
    context: RenderContext,
    composer: Composer,
    options: Any,
    sandbox: Sandbox,
    reason: str,
) -> Iterator[Rendered]:
    """Yield what to send in place of a message whose form was refused, one after the other, for that reason.

    The text alone comes first, then the built-in message, where it was not that already.
    """
    text = composer.text_alone(message)
    if text is not None:
        yield Rendered(message=text, degraded=f"{reason}; its text was sent alone")
    if send.fields:
        warning = f"{reason}; the built-in message was sent"
        yield builtin(send, context, composer, options, sandbox, warning)


def builtin(
    send: Send, context: RenderContext, composer: Composer, options: Any, sandbox: Sandbox, warning: str
) -> Rendered:
    """Return the built-in message in place of a send block's own, with a warning why it is not that.

    It goes to those whom the send block names, and into its thread, where that can be rendered. Raises
    RecipientError where it is not known whom it is for.
    """
    warning = one_line(warning)

    def stand_in(options: Any, fields: Mapping[str, Any], renderer: SendRenderer) -> Message:
        words = composer.compose_builtin(options, context.summary, warning, context.link)
        return {**words, **composer.addressed(fields, renderer)}

    try:
        message = compose(send, context, composer, options, sandbox, stand_in)
    except RecipientError:
        raise
    except TemplateError:
        rest = {key: value for key, value in send.fields.items() if key != THREAD}
        alone = replace(send, fields=rest)
        message = compose(alone, context, composer, options, sandbox, stand_in)
    return Rendered(message=message, degraded=warning)


def _in_thread(message: Message, send: Send, renderer: SendRenderer) -> Message:
    """Return a message with its thread's key and its part there; as it is where that renders to nothing."""
    key = renderer.text(send.fields[THREAD], plain, name=THREAD).strip()
    mode = {THREAD_MODE: send.fields[THREAD_MODE]} if send.fields.get(THREAD_MODE) else {}
    return {**message, THREAD: key, **mode} if key else message


def compose(
    send: Send,
    context: RenderContext,
    composer: Composer,
    options: Any,
    sandbox: Sandbox,
    make: Callable[[Any, Mapping[str, Any], SendRenderer], Message] | None = None,
) -> Message:
    """Return the message of the user's own words, or the one that `make` puts together.

    Raises TemplateError.
    """
    if not send.fields and composer.read_by_people:
        message, _ = _whole(composer.compose_builtin(options, context.summary, None, context.link))
        return message
    ZONE.set(context.timezone)
    marks: Marks = {}
    summary = LazySummary(lambda: context.summary)
    # Where nothing is rendered the payload need not be read.
    seen = variables(context.event, context.route, summary) if send.fields else {}
    seen |= {"destination": send.to, "link": OwnLink(context.link), MARKS: marks}
    renderer = SendRenderer(context=context, sandbox=sandbox, variables=seen, marks=marks)
    made = (make or composer.compose)(options, send.fields, renderer)
    message, size = _whole(_in_thread(made, send, renderer) if THREAD in send.fields else made)
    if size > MESSAGE_LIMIT_BYTES:
        raise TemplateError(
            send.to,
            None,
            f"the message has {size // 1024} KiB; at most {MESSAGE_LIMIT_BYTES // 1024} are sent",
        )
    return with_marks(message, marks) if marks else message


def _whole(message: Message) -> tuple[Message, int]:
    """The message without lone surrogates, which UTF-8 cannot hold, and its size in bytes."""
    text = json.dumps(message, ensure_ascii=False)
    octets = text.encode("utf-8", "replace")
    scrubbed = octets.decode()
    return (message if scrubbed == text else json.loads(scrubbed)), len(octets)


def with_values(message: Message, kind: type[Destination], environment: Mapping[str, str]) -> Message:
    """Return a message with the values of its variables, as they are here and now.

    Raises VariableNotSet for those that are not set, and TemplateError where it cannot be sent with them.
    """
    escapes = {**BY_NAME, **{escape.__name__: escape for escape in kind.escapes}}
    return kind.finished(filled(message, environment, escapes))
