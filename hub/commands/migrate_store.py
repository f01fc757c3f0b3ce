"""`hub migrate-store`: move everything to another database."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing

import click

from hub.commands import Section
from hub.errors import SettingsError, StoreError
from hub.humanize import counted
from hub.process import start
from hub.settings import read_environment
from hub.store import copy
from hub.store.open import open_store
from hub.store.store import Store
from hub.terminal import progress
from hub.terminal.printing import say

SECTION = Section.OPERATE

NOUNS = {
    "deliveries": ("delivery", "deliveries"),
    "audit": ("entry of the audit", "entries of the audit"),
    "audit_subjects": ("subject of the audit", "subjects of the audit"),
    "versions": ("version of the files", "versions of the files"),
}
"""The nouns for the rows of tables, where they are no name with an s."""


@click.command(short_help="Move everything to another database.")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--undo", is_flag=True, help="Let FROM go on: only while the move is not complete.")
def command(source: str, target: str, undo: bool) -> None:
    """Move everything from the database FROM to the empty database TO, such as from sqlite:///hub.db to
    postgresql://user:password@host/name. `env:NAME` is the URL that the variable NAME holds: everybody on the
    machine sees a command line, and a shell keeps it.

    The hub may run meanwhile: as soon as this begins, its web answers 503, so that senders try again later,
    and its workers finish what they are sending and stop. Run it again if it was cut off: it goes on. When
    it is done set DATABASE_URL to TO and start the hub there.

    \b
    Example:
      hub migrate-store sqlite:///hub.db env:DATABASE_URL
    """
    with ExitStack() as stack:
        from_store = stack.enter_context(closing(_opened(source, "FROM")))
        to_store = stack.enter_context(closing(_opened(target, "TO", makes=not undo)))
        if undo:
            copy.undo(from_store, to_store)
            say("FROM goes on: start the hub there again. TO holds a part of a copy; remove it.")
            return
        counts = copy.migrate_store(from_store, to_store, _show_progress)
    moved = ", ".join(
        counted(count, *NOUNS.get(name, (name.removesuffix("s"),))) for name, count in counts.items()
    )
    say(f"moved {moved}: set DATABASE_URL to TO and start the hub there")


def _opened(argument: str, name: str, *, makes: bool = False) -> Store:
    """Return the store behind an argument, with today's tables; raise StoreError with the argument's name."""
    store = open_store(_url(argument, name), name=name)
    start.warn(store)
    try:
        newer = store.migrate() if makes else store.check_schema()
    except StoreError as error:
        raise StoreError(f"{name}: {error}") from error
    if newer is not None:
        raise StoreError(
            f"{name} is at {newer}, newer than this hub, which knows only a part of what is in it; "
            "run migrate-store with the version that made it"
        )
    return store


def _url(argument: str, name: str) -> str:
    """Return the URL that an argument is or, as `env:NAME`, names."""
    if not argument.startswith("env:"):
        return argument
    variable = argument.removeprefix("env:")
    if not re.fullmatch(r"[A-Za-z_]\w*", variable):
        raise SettingsError(f"{name} begins with env: and names no variable, as env:NEW_DATABASE_URL does")
    url = read_environment().get(variable, "")
    if not url:
        raise SettingsError(
            f"{name} is {argument}, but the variable {variable} is not set here; export it first"
        )
    return url


def _show_progress(name: str, copied: int, total: int) -> None:
    """Draw a bar on a terminal, and print a line at the end of each table."""
    if copied < total:
        progress.show(name, copied, total, rate=0.0, remaining_seconds=None)
        return
    progress.clear()
    say(f"{name}: {counted(copied, 'row')}", err=True)
