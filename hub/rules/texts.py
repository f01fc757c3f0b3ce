"""The texts of a configuration, collected for the type checker, and its diagnostics as problems."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hub import catalog, yamldoc
from hub.config.sends import marks_of
from hub.destinations.base import Destination, find_destination
from hub.lint import (
    ANY_TYPE,
    SEND_NOUN,
    Diagnostic,
    Scope,
    Text,
    WholeEvent,
    check_texts,
    event_types_of,
    line_and_column,
    route_paths,
)
from hub.model.config import Config
from hub.model.problem import Problem, allowed_codes
from hub.model.routing import Send
from hub.templating.flaws import is_dynamic
from hub.templating.marks import Inline, Structure, TemplateName
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Document, Path
from hub.yamldoc.nodes import Position

_OBJECT_ID = re.compile(r"\{\{-?\s*data\.id\s*-?\}\}")


@dataclass(frozen=True, kw_only=True)
class TextLocation:
    """A text's location: a path in a YAML file, or a file that is one template, whose `path` is empty."""

    file: str
    path: Path = ()


def check_config_texts(config: Config, document: Document, templates_folder: str) -> list[Problem]:
    """Return the problems of every condition and template of the configuration.

    `document` is routes.yaml, `templates_folder` the beginning of the templates' names in problems.
    """
    collector = _Collector(config, document, templates_folder)
    diagnostics = check_texts(
        collector.scopes(),
        Sandbox(config.templates).syntax,
        templates=config.templates,
        extra_types=(name for source in config.sources.values() for name in source.extra_events),
    )
    return [collector.problem(diagnostic) for diagnostic in diagnostics]


def send_paths(document: Document, path: Path) -> list[Path]:
    """Return the path of each entry of the sends at a path: of one, or of a list."""
    value: Any = document.value
    for step in path:
        value = value.get(step) if isinstance(value, dict) else value[step]
    return [(*path, index) for index in range(len(value))] if isinstance(value, list) else [path]


class _Collector:
    """The texts of a configuration by their locations, and the documents that they are in."""

    def __init__(self, config: Config, document: Document, templates_folder: str) -> None:
        self._config = config
        self._document = document
        self._folder = templates_folder
        self._documents: dict[str, Document | None] = {document.file: document}
        self._first_paths: dict[Position, Path] = {}

    def scopes(self) -> Iterator[Scope]:
        """Yield the scopes of each route, then those of `unmatched` and `problems`."""
        for path, route in zip(route_paths(self._document), self._config.routes, strict=True):
            scope = Scope(
                event_types=event_types_of(route, self._config),
                conditions=tuple(self._texts_at((*path, "when"), noun="this route")) if route.when else (),
                allow=route.allow,
            )
            yield from self._scopes_of(scope, (*path, "send"), route.sends)
        unmatched, problems = Scope(event_types=(ANY_TYPE,)), Scope(event_types=(catalog.PROBLEM,))
        yield from self._scopes_of(unmatched, ("unmatched", "send"), self._config.unmatched)
        yield from self._scopes_of(problems, ("problems", "send"), self._config.problems)

    def _scopes_of(self, scope: Scope, path: Path, sends: tuple[Send, ...]) -> Iterator[Scope]:
        """Yield the scope of sends without conditions of their own, and one for each of the others."""
        texts: list[Text | WholeEvent] = []
        blocks = send_paths(self._document, path) if sends else []
        # A block with a problem of its own is none of the sends: which one is missing is not known.
        for block_path, send in zip(blocks, sends, strict=True) if len(blocks) == len(sends) else ():
            its_texts = self._texts_of_send(block_path, send)
            if send.when:
                conditions = tuple(self._texts_at((*block_path, "when"), noun=SEND_NOUN))
                yield replace(scope, send_conditions=conditions, texts=tuple(its_texts))
            else:
                texts += its_texts
        yield replace(scope, texts=tuple(texts))

    def problem(self, diagnostic: Diagnostic) -> Problem:
        """Return a diagnostic as a problem at its line and column."""
        location = diagnostic.location
        assert isinstance(location, TextLocation)
        position = self._position(location, diagnostic.offset)
        return Problem(
            file=location.file,
            line=position.line,
            column=position.column,
            severity=diagnostic.severity,
            code=diagnostic.code,
            message=diagnostic.message,
        )

    def _position(self, location: TextLocation, offset: int | None) -> Position:
        document = self._documents.get(location.file)
        if document is not None:
            path = location.path
            return document.at(path) if offset is None else document.within(path, offset)
        source = self._config.templates[location.file.removeprefix(f"{self._folder}/")]
        line, column = line_and_column(source, offset or 0)
        return Position(line=line, column=column)

    def _texts_of_send(self, path: Path, send: Send) -> list[Text | WholeEvent]:
        destination = self._config.destinations.get(send.to)
        kind = find_destination(destination.type) if destination else None
        allow = tuple(allowed_codes(self._document.value, ("destinations", send.to)))
        is_short_lived = send.max_age_seconds is not None
        return [
            replace(text, allow=allow, is_short_lived=is_short_lived)
            for text in (self._all_texts_of_send(path, send, kind) if kind else ())
        ]

    def _all_texts_of_send(
        self, path: Path, send: Send, destination: type[Destination]
    ) -> Iterator[Text | WholeEvent]:
        is_rendered = False
        for name, field in destination.Send.model_fields.items():
            key = field.alias or name
            for mark in marks_of(field) if key in send.fields else ():
                is_rendered = is_rendered or _makes_body(mark)
                if isinstance(mark, TemplateName):
                    yield from self._texts_of_files(str(send.fields[key]), mark)
                elif isinstance(mark, Structure | Inline):
                    yield from self._texts_of_mark((*path, key), mark, key)
        if not is_rendered and not destination.read_by_people and send.mirrored is None:
            location = TextLocation(file=self._document.file, path=path)
            advice = "name what it shall get under json"
            yield WholeEvent(location=location, recipient=send.to, advice=advice)

    def _texts_of_mark(self, path: Path, mark: Structure | Inline, key: str) -> Iterator[Text]:
        needed_by = f"the {key} needs it" if mark.filled else ""
        for text in self._texts_at(path, needed_by):
            if isinstance(mark, Inline):
                yield text
                continue
            # Clerk's schema of a deleted object has no required id; without one there is nothing to send.
            is_carried = not is_dynamic(_OBJECT_ID.sub("", text.source))
            needed = "" if is_carried else text.needed_by
            yield replace(text, needed_by=needed, of_deletions=mark.of_deletions)

    def _texts_at(self, path: Path, needed_by: str = "", noun: str = "this route") -> Iterator[Text]:
        """Yield the texts at or below a path of routes.yaml."""
        for text_path, source in self._document.texts(path):
            # What aliases repeat is one text, with one place.
            first_path = self._first_paths.setdefault(self._document.at(text_path), text_path)
            location = TextLocation(file=self._document.file, path=first_path)
            yield Text(location=location, source=source, noun=noun, needed_by=needed_by)

    def _texts_of_files(self, name: str, mark: TemplateName) -> Iterator[Text]:
        for template in (name + suffix for suffix in mark.suffixes):
            source = self._config.templates.get(template)
            file = f"{self._folder}/{template}"
            if source is not None and template.endswith(".yaml"):
                structure = self._structure(source, file)
                for path, text in structure.texts() if structure else ():
                    yield Text(location=TextLocation(file=file, path=path), source=text)
            elif source is not None:
                yield Text(location=TextLocation(file=file), source=source)

    def _structure(self, source: str, file: str) -> Document | None:
        """Return a YAML file whose texts are templates; None where it does not parse."""
        if file not in self._documents:
            self._documents[file] = yamldoc.parse(source.encode(), file)[0]
        return self._documents[file]


def _makes_body(mark: object) -> bool:
    """Return True where a field with this mark stands in the place of the event itself."""
    return isinstance(mark, TemplateName) or (
        mark.is_body if isinstance(mark, Structure) else isinstance(mark, Inline) and not mark.filled
    )
