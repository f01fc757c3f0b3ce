"""Send blocks held against what their places have: `hub check --database`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from hub.config.files import read_files
from hub.config.report import presentable
from hub.destinations.base import find_destination
from hub.errors import ConfigError, SendError
from hub.lint import route_paths
from hub.model.config import Config
from hub.model.destination import DestinationConfig
from hub.model.problem import Code, Problem, Severity
from hub.model.routing import Send
from hub.rules.load import check_files
from hub.rules.texts import send_paths
from hub.strings import one_line
from hub.templating.flaws import Flaw
from hub.yamldoc import Document, Path


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
        sends = [one for one in _blocks(checked.config, checked.document) if one[1].to == destination.name]
        problems += _of(destination, sends, checked.document) if sends else ()
    return presentable(problems)


def _blocks(config: Config, document: Document) -> Iterator[tuple[Path, Send]]:
    """Yield the send blocks that have keys of their own, with their paths."""
    holders: list[tuple[Path, tuple[Send, ...]]] = [
        (path, route.sends) for path, route in zip(route_paths(document), config.routes, strict=True)
    ]
    holders.append((("unmatched",), config.unmatched))
    for path, sends in holders:
        blocks = send_paths(document, (*path, "send")) if sends else []
        # A block with a problem of its own is none of the sends: which one is missing is not known.
        for block, send in zip(blocks, sends, strict=True) if len(blocks) == len(sends) else ():
            if send.fields:
                yield block, send


def _of(
    destination: DestinationConfig, sends: list[tuple[Path, Send]], document: Document
) -> Iterator[Problem]:
    kind = find_destination(destination.type)
    if kind is None or destination.options is None:
        return
    try:
        for index, flaw in kind.look(destination.options, [send.fields for _, send in sends]):  # type: ignore[arg-type]  # checked
            yield _problem(document, (*sends[index][0], *flaw.path), flaw)
    except SendError as error:
        message = f"what it has cannot be looked at: {one_line(error.reason)}"
        yield _problem(document, ("destinations", destination.name), Flaw(path=(), message=message))


def _problem(document: Document, path: Path, flaw: Flaw) -> Problem:
    is_key = flaw.is_about_key or path[0] == "destinations"
    position = document.key_at(path) if is_key else document.at(path)
    return Problem(
        file=document.file,
        line=position.line,
        column=position.column,
        severity=Severity.ERROR,
        code=Code.BAD_SEND,
        message=flaw.message,
    )
