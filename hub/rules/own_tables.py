"""Send blocks to tables of the user's own, held against the tables there are: `hub check --database`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path as FilePath

from hub.config.files import read_files
from hub.config.report import presentable
from hub.destinations.database.options import DatabaseOptions
from hub.errors import ConfigError, SendError
from hub.humanize import did_you_mean, listed
from hub.lint import route_paths
from hub.mirror.mirror import Mirror, open_mirror
from hub.model.config import Config
from hub.model.destination import DestinationConfig
from hub.model.problem import Code, Problem, Severity
from hub.model.routing import Send
from hub.rules.load import check_files
from hub.rules.texts import send_paths
from hub.strings import one_line
from hub.yamldoc import Document, Path

LOOK_SECONDS = 15.0


def check_databases(
    path: FilePath, templates: FilePath, environment: Mapping[str, str]
) -> tuple[Problem, ...]:
    """Return the problems of the tables and columns that send blocks name; none where no file can be read."""
    try:
        checked = check_files(read_files(path, templates), environment)
    except ConfigError:
        return ()
    if checked.config is None or checked.document is None:
        return ()
    problems: list[Problem] = []
    for destination in checked.config.destinations.values():
        sends = [one for one in _own(checked.config, checked.document) if one[1].to == destination.name]
        if sends and isinstance(destination.options, DatabaseOptions):
            problems += _problems(destination, destination.options, sends, checked.document)
    return presentable(problems)


def _own(config: Config, document: Document) -> Iterator[tuple[Path, Send]]:
    """Yield the send blocks that name a table, with their paths."""
    holders: list[tuple[Path, tuple[Send, ...]]] = [
        (path, route.sends) for path, route in zip(route_paths(document), config.routes, strict=True)
    ]
    holders.append((("unmatched",), config.unmatched))
    for path, sends in holders:
        blocks = send_paths(document, (*path, "send")) if sends else []
        # A block with a problem of its own is none of the sends: which one is missing is not known.
        for block, send in zip(blocks, sends, strict=True) if len(blocks) == len(sends) else ():
            if send.fields.get("table"):
                yield block, send


def _problems(
    destination: DestinationConfig,
    options: DatabaseOptions,
    sends: list[tuple[Path, Send]],
    document: Document,
) -> Iterator[Problem]:
    """Yield the problems of one database; the first that it cannot be asked is the only one."""
    try:
        with closing(open_mirror(options.mirror)) as mirror:
            for path, send in sends:
                yield from _of_send(mirror, path, send, document)
    except SendError as error:
        message = f"its tables cannot be looked at: {one_line(error.reason)}"
        yield _problem(document, ("destinations", destination.name), message)


def _of_send(mirror: Mirror, path: Path, send: Send, document: Document) -> Iterator[Problem]:
    table = str(send.fields["table"])
    columns = mirror.columns_of(table, timeout_seconds=LOOK_SECONDS)
    if columns is None:
        yield _problem(
            document, (*path, "table"), f"{send.to} has no table {table}; make it, or mend the name"
        )
        return
    for key in ("key", "set", "on_delete"):
        fields = send.fields.get(key)
        for column in fields if isinstance(fields, Mapping) else ():
            if column not in columns:
                close = did_you_mean(column, columns, f"; it has {listed(columns)}")
                message = f'the table {table} of {send.to} has no column "{column}"{close}'
                yield _problem(document, (*path, key, column), message, key=True)


def _problem(document: Document, path: Path, message: str, *, key: bool = False) -> Problem:
    position = document.key_at(path) if key or path[0] == "destinations" else document.at(path)
    return Problem(
        file=document.file,
        line=position.line,
        column=position.column,
        severity=Severity.ERROR,
        code=Code.BAD_SEND,
        message=message,
    )
