"""Does the same for every id that was named, and fails at the end if one of them failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from hub.errors import Conflict, NotFound
from hub.terminal.printing import say


def for_each(ids: Iterable[str], act: Callable[[str], None]) -> None:
    """Call `act` with each id; what one id forbids is said and does not keep the others from theirs."""
    all_done = True
    for each in ids:
        try:
            act(each)
        except (NotFound, Conflict) as error:
            all_done = False
            say(f"hub: {each[:60]}: {error}", err=True)
    if not all_done:
        raise click.exceptions.Exit(1)
