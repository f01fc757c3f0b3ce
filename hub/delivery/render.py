"""A send block and an event -> the message: the user's own words, or the built-in ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from hub import catalog
from hub.errors import TemplateError, VersionUnusable
from hub.model.delivery import MARKS, MESSAGE_LIMIT_BYTES, Message, Rendered
from hub.model.event import Event
from hub.model.routing import Send
from hub.model.summary import Summary
from hub.model.thread import THREAD, THREAD_MODE
from hub.templating.escapes import Escape, OwnLink, as_json, plain
from hub.templating.placeholders import Marks, is_marked, quoted, with_escape, with_marks
from hub.templating.sandbox import Sandbox, variables
from hub.templating.times import ZONE


class Composer(Protocol):
    """A destination type as rendering sees it: it puts its messages together."""

    read_by_people: bool

    def compose(self, options: Any, fields: Mapping[str, Any], renderer: Any) -> Message: ...

    def compose_builtin(self, options: Any, summary: Summary, warning: str | None, link: str) -> Message: ...

    def text_alone(self, message: Message) -> Message | None: ...


@dataclass(frozen=True, kw_only=True)
class SendRenderer:
    """The fields of one send block, with the variables of one event in scope.

    `marks` are those of its `${NAME}`, as far as they were rendered; `variables` have them, too.
    """

    event: Event
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

    def within(self, text: str, escape: Escape) -> str:
        return with_escape(text, self.marks, escape.__name__) if self.marks else text

    def summary(self) -> Summary:
        return summary(self.event)


def render(
    send: Send, event: Event, route: str, composer: Composer, options: Any, sandbox: Sandbox, link: str
) -> Rendered:
    """The message that a send block asks for.

    Where its templates fail, people get the built-in message with a warning of the failure instead; for
    machines (`read_by_people` false) TemplateError is raised. So is VersionUnusable for both.
    """
    try:
        return Rendered(message=compose(send, event, route, composer, options, sandbox, link))
    except TemplateError as error:
        if not composer.read_by_people or isinstance(error, VersionUnusable):
            raise
        rendered = builtin(event, composer, options, link, f"template failed: {error}")
        tie = _tie(send, event, route, composer, options, sandbox, link)
        return replace(rendered, message={**rendered.message, **tie})


def plainer(
    message: Message, send: Send, event: Event, composer: Composer, options: Any, link: str, reason: str
) -> Iterator[Rendered]:
    """Yield what to send in place of a message whose form was refused, one after the other, for that reason.

    The text alone comes first, then the built-in message, where it was not that already.
    """
    text = composer.text_alone(message)
    if text is not None:
        yield Rendered(message=text, degraded=f"{reason}; its text was sent alone")
    if send.fields:
        rendered = builtin(event, composer, options, link, f"{reason}; the built-in message was sent")
        yield replace(rendered, message={**rendered.message, **_tied(message)})


def _tie(
    send: Send, event: Event, route: str, composer: Composer, options: Any, sandbox: Sandbox, link: str
) -> Message:
    """Return the keys of a message that tie it to its thread; none where that cannot be rendered either."""
    fields = _tied(send.fields)
    try:
        alone = replace(send, fields=fields)
        return _tied(compose(alone, event, route, composer, options, sandbox, link)) if fields else {}
    except TemplateError:
        return {}


def _tied(message: Mapping[str, Any]) -> Message:
    """Return what ties a message, or a send block, to a thread."""
    return {key: message[key] for key in (THREAD, THREAD_MODE, MARKS) if key in message and THREAD in message}


def _in_thread(message: Message, send: Send, renderer: SendRenderer) -> Message:
    """Return a message with its thread's key and its part there; as it is where that renders to nothing."""
    key = renderer.text(send.fields[THREAD], plain, name=THREAD).strip()
    mode = {THREAD_MODE: send.fields[THREAD_MODE]} if send.fields.get(THREAD_MODE) else {}
    return {**message, THREAD: key, **mode} if key else message


def builtin(event: Event, composer: Composer, options: Any, link: str, warning: str) -> Rendered:
    """Return the built-in message, with a warning why it is not the user's own."""
    message, _ = _whole(composer.compose_builtin(options, summary(event), warning, link))
    return Rendered(message=message, degraded=warning)


def summary(event: Event) -> Summary:
    """Return the built-in words for an event, in the time zone of its readers."""
    return catalog.summarise(event, ZoneInfo(ZONE.get()))


def compose(
    send: Send, event: Event, route: str, composer: Composer, options: Any, sandbox: Sandbox, link: str
) -> Message:
    """Return the message of the user's own words; raises TemplateError."""
    if not send.fields and composer.read_by_people:
        message, _ = _whole(composer.compose_builtin(options, summary(event), None, link))
        return message
    marks: Marks = {}
    # Where nothing is rendered the payload need not be read.
    seen = variables(event, route) if send.fields else {}
    seen |= {"destination": send.to, "link": OwnLink(link), MARKS: marks}
    renderer = SendRenderer(event=event, sandbox=sandbox, variables=seen, marks=marks)
    made = composer.compose(options, send.fields, renderer)
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
