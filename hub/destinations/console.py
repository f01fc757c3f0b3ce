"""The hub's own standard output: one line per message, for a first look and for platforms' log drains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from hub.destinations.base import Block, Destination, ShownContext
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.parts import Part
from hub.model.summary import Summary, Tone
from hub.strings import one_line
from hub.templating.escapes import plain
from hub.templating.marks import InlineText, TemplateName
from hub.templating.renderer import Renderer
from hub.transport.standard_output import print_within


class ConsoleOptions(Block):
    """A block under `destinations:` of type `console`: it has no keys."""


class ConsoleSend(Block):
    """A send block to a destination of type `console`."""

    text: InlineText | None = None
    template: Annotated[str, TemplateName(".j2")] | None = None


class ConsoleDestination(Destination):
    """The standard output of the process that delivers."""

    type: ClassVar[str] = "console"
    Options = ConsoleOptions
    Send = ConsoleSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, ConsoleSend)
        if send.text is not None and send.template is not None:
            yield "text and template exclude each other"

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if fields.get("template") is not None:
            return {"text": one_line(renderer.file(f"{fields['template']}.j2", plain))}
        return {"text": one_line(renderer.text(fields.get("text") or "", plain, name="text"))}

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        sign = "⚠" if summary.tone in (Tone.BAD, Tone.WATCH) else ""
        facts = ", ".join(filter(None, (*map(": ".join, summary.fields), summary.details)))
        parts = [sign, summary.headline, facts and f"({facts})", link, warning and f"[{warning}]"]
        return {"text": one_line(" ".join(part for part in parts if part))}

    @classmethod
    def finished(cls, message: Message) -> Message:
        return {**message, "text": one_line(message["text"])}

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        yield Part(text=str(message.get("text", "")))

    def send(self, message: Message, context: SendContext) -> Receipt:
        print_within(context.timeout_seconds, f"[{self.name}] {message['text']}")
        return Receipt(detail="printed")

    def describe(self) -> str:
        return "standard output"
