"""Every message of an event, rendered as the worker would at the first attempt; sends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.delivery.render import RenderContext, SendRenderer, compose, render
from hub.destinations.base import Block, Destination, find_destination
from hub.errors import TemplateError
from hub.ingest.route import Rules
from hub.model.delivery import Message
from hub.model.destination import DestinationConfig
from hub.model.event import Event
from hub.model.routing import Routing, Send
from hub.model.summary import Earlier
from hub.templating.placeholders import shown


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """A send block, rendered for an event.

    `message` is None where `error` says why there would be none; `degraded` why it is not the user's own. It
    shows `${NAME}` for every variable; `unset` names those that it would wait for.
    """

    route: str
    destination: DestinationConfig
    message: Message | None = None
    degraded: str | None = None
    error: str | None = None
    unset: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return bool(self.error or self.degraded)

    @property
    def failure(self) -> str | None:
        """The reason why no message of the user's own could be made; None where it could."""
        return self.error or self.degraded


def render_all(
    routing: Routing, event: Event, rules: Rules, public_url: str = "", earlier: Earlier | None = None
) -> Iterator[Rendering]:
    """Yield the rendering of each send block that owes the event something, in order."""
    link = f"{public_url}/events/{event.id}" if public_url else ""
    for routed in routing.sends:
        timezone = rules.config.destinations[routed.send.to].timezone
        context = RenderContext(
            event=event,
            route=routed.route,
            link=link,
            timezone=timezone,
            earlier=earlier,
            routes=rules.config.routes,
        )
        yield rendering_of(routed.send, context, rules)


def rendering_of(send: Send, context: RenderContext, rules: Rules) -> Rendering:
    """Return the rendering of one send block to a destination that the rules have."""
    destination = rules.config.destinations[send.to]
    composer = find_destination(destination.type)
    assert composer is not None
    try:
        options = destination.options or _known_options(destination, composer)
        rendered = render(send, context, composer, options, rules.sandbox)
    except TemplateError as error:
        return Rendering(route=context.route, destination=destination, error=f"template failed: {error}")
    return Rendering(
        route=context.route,
        destination=destination,
        message=shown(rendered.message),
        degraded=rendered.degraded,
        unset=send.unset,
    )


def recipients_of(send: Send, context: RenderContext, rules: Rules) -> tuple[str, ...]:
    """Return the people whom a send block names for an event; none where they cannot be made."""
    destination = rules.config.destinations[send.to]
    kind = find_destination(destination.type)
    assert kind is not None

    def addressed(options: Any, fields: Mapping[str, Any], renderer: SendRenderer) -> Message:
        return kind.addressed(fields, renderer)

    named = {key: value for key, value in send.fields.items() if key in kind.recipient_keys}
    try:
        message = compose(replace(send, fields=named), context, kind, None, rules.sandbox, addressed)
    except TemplateError:
        return ()
    texts = [[value] if isinstance(value, str) else value for value in shown(message).values()]
    return tuple(text for several in texts for text in several)


def _known_options(destination: DestinationConfig, kind: type[Destination]) -> Block:
    """Return what is known of a destination that is not configured: the values without a variable."""
    known = {key: value for key, value in destination.written.items() if "${" not in str(value)}
    return kind.Options.model_construct(**known)
