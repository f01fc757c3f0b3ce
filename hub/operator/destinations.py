"""Acts on destinations: pause and resume."""

from __future__ import annotations

from collections.abc import Collection

from hub.errors import NotFound
from hub.humanize import did_you_mean, there_are
from hub.ingest.route import Rules
from hub.model.audit import COMMAND_LINE, Act, Actor
from hub.model.destination import DestinationState
from hub.operator.audited import audited, entry_of
from hub.store.store import Store, Transaction
from hub.strings import one_line

NAME_SHOWN = 60
"""So many characters of a name that is not known are said again."""


def pause(store: Store, rules: Rules, name: str, actor: Actor = COMMAND_LINE) -> DestinationState:
    """Let a destination wait until it is resumed. Raises NotFound."""

    def work(transaction: Transaction) -> DestinationState:
        require_destination(name, rules, transaction)
        transaction.destinations.pause(name, "paused by an operator")
        return transaction.destinations.all()[name]

    return audited(store, entry_of(Act.PAUSE, actor, name), work)


def resume(store: Store, rules: Rules, name: str, actor: Actor = COMMAND_LINE) -> DestinationState:
    """Let a destination go on, its breaker closed. Raises NotFound."""

    def work(transaction: Transaction) -> DestinationState:
        require_destination(name, rules, transaction)
        transaction.destinations.resume(name)
        return transaction.destinations.all()[name]

    state = audited(store, entry_of(Act.RESUME, actor, name), work)
    store.wake()
    return state


def require_destination(name: str, rules: Rules, snapshot: Transaction) -> None:
    """Raise NotFound, with the names there are, for a destination that never was in the configuration."""
    known = {*rules.config.destinations, *snapshot.destinations.all()}
    if name not in known:
        raise no_destination(name, known)


def no_destination(name: str, known: Collection[str]) -> NotFound:
    """Return the error for a name that is no destination, with the one that is meant or those there are."""
    advice = did_you_mean(name, known, there_are(known, "; there is none yet"))
    return NotFound(f'there is no destination "{one_line(name, NAME_SHOWN)}"{advice}')
