"""The options of commands that list events or deliveries, or act on all that a filter finds."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from hub.model.delivery import State

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--state", type=click.Choice([state.value for state in State]), help="Only those in this state."
    ),
    click.option("--destination", metavar="NAME", help="Only those to this destination."),
    click.option("--route", metavar="NAME", help="Only those of this route."),
    click.option(
        "--type", metavar="TYPE", help="Only those of this type of event, or of a pattern: 'user.*'."
    ),
    click.option(
        "--q", metavar="WORDS", help="Only those with these ids, addresses or names, or beginnings."
    ),
    click.option("--source", metavar="NAME", help="Only those of events from this source."),
    click.option(
        "--since", metavar="TIME", help="Only those from this time on: 2h, or 2026-01-31T12:00:00Z."
    ),
    click.option("--until", metavar="TIME", help="Only those from before this time."),
    click.option(
        "--degraded", is_flag=True, help="Only those that went out in another form than their route has."
    ),
)
"""As they stand in a command's help; by their names they are parameters of the API."""

_NAMES = ("state", "destination", "route", "type", "q", "source", "since", "until")


def filter_options(command: Command) -> Command:
    """Add the options of a filter; they arrive as the command's `filters`, parameters for the API."""

    @wraps(command)
    def with_filters(degraded: bool, **arguments: Any) -> Any:
        filters = {name: arguments.pop(name) for name in _NAMES}
        return command(filters={**filters, "degraded": "true" if degraded else None}, **arguments)

    for option in reversed(_OPTIONS):
        with_filters = option(with_filters)
    return cast(Command, with_filters)
