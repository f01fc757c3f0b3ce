"""One act for every id of a command line, which fails at the end if one of them failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from hub.errors import Conflict, NotFound
from hub.terminal.printing import say

LONGEST_ID = 60


def run_batch(ids: Iterable[str], act: Callable[[str], None]) -> None:
    """Call `act` with each id; a refusal of one is printed and does not keep the others from theirs."""
    failed = False
    for id_ in ids:
        try:
            act(id_)
        except (NotFound, Conflict) as error:
            failed = True
            say(f"hub: {id_[:LONGEST_ID]}: {error}", err=True)
    if failed:
        raise click.exceptions.Exit(1)
