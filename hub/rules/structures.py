"""Structures and texts of a configuration (blocks, cards, HTML), held against what their places take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hub import yamldoc
from hub.config.sends import marks_of
from hub.destinations.base import Destination, find_destination
from hub.lint import line_and_column, route_paths
from hub.model.config import Config
from hub.model.problem import Code, Problem, Severity
from hub.model.routing import Send
from hub.rules.texts import send_paths
from hub.templating.flaws import Flaw, StructureCheck, TextFlaw
from hub.templating.marks import Inline, Structure, TemplateName
from hub.yamldoc import Document, Path


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """A structure as it is written: in a document, below a path."""

    document: Document
    path: Path
    check: StructureCheck


def check_config_structures(config: Config, document: Document, templates_folder: str) -> list[Problem]:
    """Return the problems of every structure and text that a send block has or names, each once.

    `document` is routes.yaml, `templates_folder` the beginning of the templates' names in problems.
    """
    files = {
        name: yamldoc.parse(source.encode(), f"{templates_folder}/{name}")[0]
        for name, source in config.templates.items()
        if name.endswith(".yaml")
    }
    problems: dict[Problem, None] = {}
    for path, sends in _sends(config, document):
        blocks = send_paths(document, path)
        # A block with a problem of its own is none of the sends: which one is missing is not known.
        for block_path, send in zip(blocks, sends, strict=True) if len(blocks) == len(sends) else ():
            destination = config.destinations.get(send.to)
            destination_class = find_destination(destination.type) if destination else None
            if destination_class is not None:
                for structure in _structures(send, block_path, destination_class, document, files):
                    problems.update(dict.fromkeys(_problems(structure)))
                of_texts = _text_problems(
                    send, block_path, destination_class, document, config, templates_folder
                )
                problems.update(dict.fromkeys(of_texts))
    return list(problems)


def _sends(config: Config, document: Document) -> Iterator[tuple[Path, tuple[Send, ...]]]:
    for path, route in zip(route_paths(document), config.routes, strict=True):
        if Code.BAD_BLOCKS not in route.allow:
            yield (*path, "send"), route.sends
    for name, sends in (("unmatched", config.unmatched), ("problems", config.problems)):
        if sends:
            yield (name, "send"), sends


def _structures(
    send: Send,
    path: Path,
    destination: type[Destination],
    document: Document,
    files: dict[str, Document | None],
) -> Iterator[_Checked]:
    for name, field in destination.Send.model_fields.items():
        key = field.alias or name
        for mark in marks_of(field) if key in send.fields else ():
            if isinstance(mark, Structure) and mark.check and isinstance(send.fields[key], list | dict):
                yield _Checked(document=document, path=(*path, key), check=mark.check)
            elif isinstance(mark, TemplateName) and mark.check:
                for suffix in mark.suffixes:
                    file = files.get(f"{send.fields[key]}{suffix}")
                    if file is not None:
                        yield _Checked(document=file, path=(), check=mark.check)


def _text_problems(
    send: Send,
    path: Path,
    destination: type[Destination],
    document: Document,
    config: Config,
    templates_folder: str,
) -> Iterator[Problem]:
    for name, field in destination.Send.model_fields.items():
        key = field.alias or name
        for mark in marks_of(field) if isinstance(send.fields.get(key), str) else ():
            text = send.fields[key]
            if isinstance(mark, Inline) and mark.check:
                for flaw in mark.check(text):
                    position = document.within((*path, key), flaw.offset)
                    yield _at(document.file, position.line, position.column, flaw)
            elif isinstance(mark, TemplateName) and mark.text_check:
                file = f"{text}{next(end for end in mark.suffixes if not end.endswith('.yaml'))}"
                source = config.templates.get(file, "")
                for flaw in mark.text_check(source):
                    yield _at(f"{templates_folder}/{file}", *line_and_column(source, flaw.offset), flaw)


def _at(file: str, line: int, column: int, flaw: TextFlaw) -> Problem:
    return Problem(
        file=file,
        line=line,
        column=column,
        severity=Severity.ERROR,
        code=Code.BAD_BLOCKS,
        message=flaw.message,
    )


def _problems(structure: _Checked) -> Iterable[Problem]:
    value: Any = structure.document.value
    for step in structure.path:
        value = value[step]
    return (_problem(structure, flaw) for flaw in structure.check(value))


def _problem(structure: _Checked, flaw: Flaw) -> Problem:
    document, path = structure.document, (*structure.path, *flaw.path)
    position = document.key_at(path) if flaw.is_about_key else document.at(path)
    return Problem(
        file=document.file,
        line=position.line,
        column=position.column,
        severity=Severity.ERROR if flaw.is_sure else Severity.WARNING,
        code=Code.BAD_BLOCKS,
        message=flaw.message,
    )
