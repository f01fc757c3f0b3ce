"""Types every path in every condition and template against the events that it will see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jinja2
from jinja2 import nodes

from hub import yamldoc as documents
from hub.catalog import event_types
from hub.config.routes import NEVER
from hub.config.sends import marks_of
from hub.destinations.base import Destination, Inline, Structure, TemplateName, find_destination
from hub.lint.environments import Scene, any_scene, scene_of
from hub.lint.messages import Judgement, Use, judge, types_listed
from hub.lint.positions import line_and_column, original_offset, parse_expression, parse_template, start
from hub.lint.statements import Found, Text, names_set_in, read, state_of
from hub.lint.states import State
from hub.lint.values import ANY, MISSING, Value, secret_in
from hub.model.config import Config
from hub.model.problem import Code, Problem, Severity
from hub.model.routing import Route, Send, event_matches
from hub.sources.base import find_source
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Document, Path
from hub.yamldoc.nodes import Position


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a text stands: in a file that is one template (no `path`), or at a path of a document."""

    file: str
    path: Path = ()


@dataclass(frozen=True, kw_only=True)
class View:
    """The events that a send will see: each with what the conditions before it have shown."""

    states: Mapping[Scene, State | None]
    conditions: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()


@dataclass(kw_only=True)
class _Reading:
    """A text of the user's files, where it stands, and every use of it."""

    source: str
    text: Text
    noun: str
    document: Document | None
    uses: list[Use] = field(default_factory=list)


class _AnyName(dict[str, Value]):
    """The names of a template whose frame is chosen while it runs: any may be there."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Value:
        return ANY


def check_fields(
    config: Config, document: Document, templates_folder: str, places: Iterable[Path]
) -> list[Problem]:
    """Unknown fields and variables, impossible comparisons, and values that are empty or secret where that
    breaks something. `places` are the routes' paths in the document, in their order."""
    checker = _Checker(config, document, templates_folder)
    for place, route in zip(places, config.routes, strict=True):
        checker.check_route(place, route)
    if config.unmatched:
        view = _fresh((any_scene(),))
        checker.check_sends(("unmatched", "send"), config.unmatched, view)
    if config.problems:
        view = _fresh((scene_of("hub.problem"),))
        checker.check_sends(("problems", "send"), config.problems, view)
    return checker.problems()


def scenes_of(route: Route, config: Config) -> tuple[Scene, ...]:
    """Every type of event that a route can match; a source without types may send any."""
    scenes: dict[Scene, None] = {}
    for name in route.sources or config.sources:
        source = config.sources.get(name)
        kind = find_source(source.type) if source else None
        if source is None or kind is None or not kind.typed:
            scenes[any_scene()] = None
            continue
        for known in (*event_types(), *source.extra_events):
            is_ignored = any(event_matches(pattern, known) for pattern in source.ignore)
            if not is_ignored and any(event_matches(pattern, known) for pattern in route.events):
                scenes[scene_of(known)] = None
    return tuple(scenes)


def _fresh(scenes: Iterable[Scene], allow: tuple[str, ...] = ()) -> View:
    return View(states={scene: state_of(scene, is_condition=False) for scene in scenes}, allow=allow)


class _Checker:
    """Reads each text once for each type of event, however many routes use it."""

    def __init__(self, config: Config, document: Document, templates_folder: str) -> None:
        self._config = config
        self._document = document
        self._folder = templates_folder
        self._environment = Sandbox(config.templates).syntax
        self._texts: dict[tuple[str, str, bool], Text | None] = {}
        self._found: dict[tuple[object, ...], Found] = {}
        self._readings: dict[Place, _Reading] = {}
        self._structures: dict[str, Document | None] = {}
        self._problems: list[Problem] = []
        extra = (name for source in config.sources.values() for name in source.extra_events)
        self._known_types = frozenset((*event_types(), *extra))

    def check_route(self, place: Path, route: Route) -> None:
        scenes = scenes_of(route, self._config)
        if scenes:
            view = self._conditions((*place, "when"), route, scenes)
            self.check_sends((*place, "send"), route.sends, view)

    def check_sends(self, path: Path, sends: tuple[Send, ...], view: View) -> None:
        blocks = self._blocks(path)
        if len(blocks) != len(sends):
            return
        for (where, block), send in zip(blocks, sends, strict=True):
            destination = self._config.destinations.get(send.to)
            kind = find_destination(destination.type) if destination else None
            if kind is not None:
                self._check_send(where, block, send, kind, view)

    def problems(self) -> list[Problem]:
        for place, reading in self._readings.items():
            for judgement in judge(reading.uses, self._known_types, reading.noun):
                self._problems.append(self._problem(place, reading, judgement))
        return self._problems

    # -- conditions -------------------------------------------------------------------------------

    def _conditions(self, path: Path, route: Route, scenes: tuple[Scene, ...]) -> View:
        """Read a route's conditions one after the other, each for the events that the others let through."""
        view = _fresh(scenes, route.allow)
        if not route.when or route.when == (NEVER,):
            return view
        states: dict[Scene, State | None] = {s: state_of(s, is_condition=True) for s in scenes}
        for where, source in self._document.texts(path):
            text = self._text(source, "", is_condition=True)
            if text is None:
                continue
            alive = {scene: state for scene, state in states.items() if state is not None}
            reading = self._reading(Place(file=self._document.file, path=where), source, text, "this route")
            for scene, state in alive.items():
                found = read(text, state)
                states[scene] = found.after
                reading.uses.append(Use(scene=scene, found=found, allow=route.allow))
            if not any(states.values()):
                self._never_true(where, reading, list(alive), route)
                states = {**states, **alive}
        open_states = {
            scene: State(
                names={**state.names, **state_of(scene, is_condition=False).names}, facts=state.facts
            )
            for scene, state in states.items()
            if state is not None
        }
        return View(states=open_states, conditions=route.when, allow=route.allow)

    def _never_true(self, path: Path, reading: _Reading, scenes: list[Scene], route: Route) -> None:
        """Remark that no event passes, where nothing said about the condition has told so."""
        tree = reading.text.tree
        is_constant = not isinstance(tree, nodes.Name) and next(tree.find_all(nodes.Name), None) is None
        said = list(judge(reading.uses, self._known_types, reading.noun))
        if is_constant or said or Code.NEVER_TRUE in route.allow:
            return
        is_sure = all(scene.published for scene in scenes)
        message = (
            f"this never holds for {types_listed(scenes)}, so the route takes nothing; mend or remove it"
        )
        judgement = Judgement(
            offset=start(tree),
            code=Code.NEVER_TRUE,
            severity=Severity.ERROR if is_sure else Severity.WARNING,
            message=message,
        )
        self._problems.append(self._problem(Place(file=self._document.file, path=path), reading, judgement))

    # -- sends ------------------------------------------------------------------------------------

    def _blocks(self, path: Path) -> list[tuple[Path, Any]]:
        value: Any = self._document.value
        for step in path:
            value = value.get(step) if isinstance(value, dict) else value[step]
        if isinstance(value, list):
            return [((*path, index), each) for index, each in enumerate(value)]
        return [(path, value)]

    def _check_send(self, path: Path, block: Any, send: Send, kind: type[Destination], view: View) -> None:
        fields = kind.Send.model_fields
        is_rendered = False
        for name, model_field in fields.items():
            key = model_field.alias or name
            for mark in marks_of(model_field) if key in send.fields else ():
                is_rendered = is_rendered or not (isinstance(mark, Inline) and mark.filled)
                if isinstance(mark, TemplateName):
                    self._check_files(str(send.fields[key]), mark, view)
                elif isinstance(mark, Structure | Inline):
                    needed_by = key if isinstance(mark, Inline) and mark.filled else ""
                    self._check_inline((*path, key), needed_by, view)
        if not is_rendered and not kind.read_by_people:
            self._check_raw(path, send, view)

    def _check_raw(self, path: Path, send: Send, view: View) -> None:
        """A machine that gets the event itself gets its one-time secrets, too.

        A route that also takes events without any passes on what comes: nothing is said of those.
        """
        secrets = {scene: secret_in(scene.variables["data"]) for scene in view.states}
        told = [scene for scene, secret in secrets.items() if secret]
        if not told or len(told) < len(secrets) or Code.ONE_TIME_SECRET in view.allow:
            return
        at = self._document.at(path)
        message = (
            f'"{send.to}" gets the event itself, and with it {secrets[told[0]]}, '
            f"a one-time secret of {types_listed(told)}; name what it shall get under json"
        )
        self._problems.append(
            _problem(self._document.file, at, Code.ONE_TIME_SECRET, Severity.WARNING, message)
        )

    def _check_files(self, name: str, mark: TemplateName, view: View) -> None:
        for file in (name + suffix for suffix in mark.suffixes):
            source = self._config.templates.get(file)
            path = f"{self._folder}/{file}"
            if source is None:
                continue
            if not file.endswith(".yaml"):
                self._use(Place(file=path), source, "", "this template", view)
                continue
            if file not in self._structures:
                self._structures[file] = documents.parse(source.encode(), path)[0]
            structure = self._structures[file]
            for where, text in structure.texts() if structure else ():
                self._use(Place(file=path, path=where), text, "", "this template", view, structure)

    def _check_inline(self, path: Path, needed_by: str, view: View) -> None:
        needed = f"the {needed_by} needs it" if needed_by else ""
        for where, text in self._document.texts(path):
            self._use(
                Place(file=self._document.file, path=where), text, needed, "this route", view, self._document
            )

    def _use(
        self,
        place: Place,
        source: str,
        needed_by: str,
        noun: str,
        view: View,
        document: Document | None = None,
    ) -> None:
        text = self._text(source, needed_by)
        if text is None:
            return
        reading = self._reading(place, source, text, noun, document)
        for scene, state in view.states.items():
            if state is not None:
                found = self._read(text, scene, state, view.conditions)
                reading.uses.append(Use(scene=scene, found=found, allow=view.allow))

    def _read(self, text: Text, scene: Scene, state: State, conditions: tuple[str, ...]) -> Found:
        """Read a text once: types that it cannot tell apart share the reading."""
        shape = scene if conditions or text.mentions_type else scene.shape
        key = (id(text), shape, conditions)
        if key not in self._found:
            self._found[key] = read(text, state)
        return self._found[key]

    # -- texts ------------------------------------------------------------------------------------

    def _text(self, source: str, needed_by: str, *, is_condition: bool = False) -> Text | None:
        """A text as a tree; None where it is no template, or has a syntax error, which was reported."""
        if not is_condition and "{{" not in source and "{%" not in source:
            return None
        key = (source, needed_by, is_condition)
        if key not in self._texts:
            self._texts[key] = self._parsed(source, needed_by, is_condition)
        return self._texts[key]

    def _parsed(self, source: str, needed_by: str, is_condition: bool) -> Text | None:
        parse = parse_expression if is_condition else parse_template
        try:
            tree = parse(self._environment, source)
            late = self._late_names(tree)
        except (jinja2.TemplateSyntaxError, RecursionError):
            return None
        return Text(tree=tree, late=late, needed_by=needed_by, is_condition=is_condition)

    def _late_names(self, tree: nodes.Node) -> Mapping[str, Value]:
        """The names that a template sets somewhere, and those that the templates it extends may set."""
        late: dict[str, Value] = dict.fromkeys(names_set_in(tree), MISSING)
        seen: set[str] = set()
        while (extends := next(tree.find_all(nodes.Extends), None)) is not None:
            name = extends.template.value if isinstance(extends.template, nodes.Const) else None
            if not isinstance(name, str) or name not in self._config.templates or name in seen:
                return _AnyName(late)
            seen.add(name)
            tree = parse_template(self._environment, self._config.templates[name])
            late = {**late, **dict.fromkeys(names_set_in(tree), ANY)}
        return late

    def _reading(
        self, place: Place, source: str, text: Text, noun: str, document: Document | None = None
    ) -> _Reading:
        if place not in self._readings:
            at = document or (self._document if place.path else None)
            self._readings[place] = _Reading(source=source, text=text, noun=noun, document=at)
        return self._readings[place]

    def _problem(self, place: Place, reading: _Reading, judgement: Judgement) -> Problem:
        if reading.document is not None:
            offset = original_offset(reading.source, judgement.offset)
            at = reading.document.within(place.path, offset)
        else:
            line, column = line_and_column(reading.source, judgement.offset)
            at = Position(line=line, column=column)
        return _problem(place.file, at, judgement.code, judgement.severity, judgement.message)


def _problem(file: str, at: Position, code: Code, severity: Severity, message: str) -> Problem:
    return Problem(file=file, line=at.line, column=at.column, severity=severity, code=code, message=message)
