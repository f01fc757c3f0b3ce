"""An event taken through the rules as ingest and the worker would, and nothing kept or sent."""

from __future__ import annotations

from dataclasses import dataclass

from hub.ingest.route import Rules, is_ignored, match
from hub.model.event import Event
from hub.model.routing import UNMATCHED, Routing
from hub.model.summary import Earlier
from hub.preview.renderings import Rendering, render_all


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """The outcome of an event: the verdict of each route that fits it, and every message.

    `fitting` names the routes whose `events` and `source` fit it, `others` all other routes.
    """

    event: Event
    is_ignored: bool
    routing: Routing
    fitting: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    renderings: tuple[Rendering, ...] = ()

    @property
    def fails(self) -> bool:
        return any(rendering.failed for rendering in self.renderings)

    @property
    def goes_to_unmatched(self) -> bool:
        return any(routed.route == UNMATCHED for routed in self.routing.sends)


def dry_run(event: Event, rules: Rules, public_url: str = "", earlier: Earlier | None = None) -> DryRun:
    """Return the outcome of the event by the rules; one that its source ignores owes nothing."""
    if is_ignored(rules.config.sources[event.source], event.type):
        return DryRun(event=event, is_ignored=True, routing=Routing())
    routing = match(rules, event)
    fitting = tuple(route.name for route in rules.fitting(event))
    return DryRun(
        event=event,
        is_ignored=False,
        routing=routing,
        fitting=fitting,
        others=tuple(route.name for route in rules.config.routes if route.name not in fitting),
        renderings=tuple(render_all(routing, event, rules, public_url, earlier)),
    )
