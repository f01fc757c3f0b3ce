"""The rows that a mirror's database would not take, named at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hub.terminal.printing import inline

SHOWN = 20


def refusals(refused: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each of the first ones, by their ids and reasons, and one for the rest."""
    for id_, reason in list(refused.items())[:SHOWN]:
        yield f"  not written: {inline(id_)}: {inline(reason)}"
    if len(refused) > SHOWN:
        yield f"  and {len(refused) - SHOWN:,} more were not written"
