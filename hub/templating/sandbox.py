"""Users' expressions and templates at run time: what they write runs here and nowhere else.

Every `{{ }}` goes through an escape. `None` and missing fields print as nothing. Every error is a
TemplateError that points to its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes

from hub.errors import TemplateError, VersionUnusable
from hub.model.delivery import MARKS, MESSAGE_LIMIT_BYTES
from hub.model.event import Event
from hub.strings import one_line
from hub.templating.environment import LimitedEnvironment, filters_for, finalize
from hub.templating.escapes import Escape, as_json, plain
from hub.templating.failures import plain_words
from hub.templating.filters import as_jsonable
from hub.templating.lazy_summary import LazySummary
from hub.templating.limits import time_limit
from hub.templating.placeholders import bind, placed

ERROR_LIMIT = 200
"""As many characters of an error as a TemplateError repeats: it may quote the payload."""

Variables = Mapping[str, Any]

_LINE_ENDS = frozenset("\r\n")
"""Jinja writes the ends of lines its own way, and takes off the last."""

_UNNAMED = "<template>"
"""Jinja's file name for a template that was written in place."""


class Sandbox:
    """The expressions and templates of one version of the user's files; safe to share between threads.

    `templates` maps names below the templates folder to their text. Compiled templates are kept.
    """

    def __init__(self, templates: Mapping[str, str]) -> None:
        self.templates = templates
        self._environment = LimitedEnvironment(loader=jinja2.FunctionLoader(self._load))
        self._escaped: dict[Escape, jinja2.Environment] = {}
        self._compiled: dict[tuple[Escape | None, str, bool], Any] = {}
        self._files: dict[tuple[Escape, str], jinja2.Template] = {}

    def condition(self, source: str) -> Callable[[Variables], Any]:
        """Return an expression as a function of its variables that keeps the value's type.

        A missing field is None. Each `${NAME}` in it is looked up by the identifier of its `Placeholder`. The
        function raises TemplateError where the expression fails or is none.
        """

        def evaluate(variables: Variables) -> Any:
            try:
                compiled = self._compiled.get((None, source, False))
                if compiled is None:
                    expression = bind(source)[0] if "${" in source else source
                    compiled = self._environment.compile_expression(expression, undefined_to_none=False)
                    self._compiled[None, source, False] = compiled
                with time_limit():
                    value = compiled(variables)
                # Jinja finds out only when the value is used that it is not there.
                return None if isinstance(value, jinja2.Undefined) else value
            except Exception as error:
                raise _kind(error)(source, None, _message(error)) from error

        return evaluate

    def text(self, source: str, variables: Variables, escape: Escape, *, name: str) -> str:
        """Render a template written in place. `name` is how errors call it (`text`, `subject`).

        Where the variables have `MARKS`, each `${NAME}` of its plain text becomes a mark; elsewhere it is
        text like any other.
        """
        if "{" not in source and not _LINE_ENDS & set(source):
            return source
        has_places = MARKS in variables and "${" in source
        key = (escape, source, has_places)
        try:
            template = self._compiled.get(key)
            if template is None:
                tree = placed(self._environment.parse(source), escape) if has_places else source
                template = self._compiled[key] = self._environment_for(escape).from_string(tree)
            with time_limit():
                return _rendered(template, variables, name)
        except TemplateError:
            raise
        except Exception as error:
            raise _located(name, error, self.templates) from error

    def file(self, name: str, variables: Variables, escape: Escape) -> str:
        """Render a file below the templates folder."""
        key = (escape, name)
        try:
            with time_limit():
                template = self._files.get(key)
                if template is None:
                    template = self._files[key] = self._environment_for(escape).get_template(name)
                return _rendered(template, variables, name)
        except TemplateError:
            raise
        except jinja2.TemplateNotFound as error:
            raise TemplateError(str(error.name), None, "there is no such file under templates/") from error
        except Exception as error:
            raise _located(name, error, self.templates) from error

    def structure(self, value: Any, variables: Variables, escape: Escape, *, name: str) -> Any:
        """Render every string of a parsed structure in place; its shape cannot change.

        A string that is one whole `{{ expression }}` becomes that expression's value with its type where
        the escape is `as_json` (missing is None); elsewhere it is text like any other.
        """
        if isinstance(value, Mapping):
            return {
                self.structure(key, _unmarked(variables), plain, name=name)
                if isinstance(key, str)
                else key: (self.structure(item, variables, escape, name=f"{name}.{key}"))
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [
                self.structure(item, variables, escape, name=f"{name}[{index}]")
                for index, item in enumerate(value)
            ]
        if not isinstance(value, str):
            return value
        if escape is as_json:
            expression = whole_expression(value)
            if expression is not None:
                return _jsonable(self._value(expression, variables, name), name)
            return self.text(value, variables, plain, name=name)
        return self.text(value, variables, escape, name=name)

    def _value(self, expression: str, variables: Variables, name: str) -> Any:
        try:
            return self.condition(expression)(variables)
        except TemplateError as error:
            raise type(error)(name, None, error.message) from error

    @property
    def syntax(self) -> jinja2.Environment:
        """Return the environment to parse templates with, for those who read them and run nothing."""
        return self._environment

    def parse(self, source: str, name: str) -> nodes.Template:
        """Return a template's syntax tree; raises jinja2.TemplateSyntaxError, for an unknown filter too."""
        self._environment.compile(source, name=name)
        return self._environment.parse(source, name=name)

    def parse_condition(self, source: str) -> None:
        """Raise jinja2.TemplateSyntaxError where a condition is no expression."""
        self._environment.compile_expression(bind(source)[0])

    def _load(self, name: str) -> tuple[str, str, None] | None:
        """Return a template with its name as file name, by which errors say which of several failed."""
        source = self.templates.get(name)
        return None if source is None else (source, name, None)

    def _environment_for(self, escape: Escape) -> jinja2.Environment:
        environment = self._escaped.get(escape)
        if environment is None:
            # Autoescape is what marks the results of macros, blocks and super() as escaped already.
            environment = self._environment.overlay(autoescape=True, finalize=finalize(escape))
            environment.filters = filters_for(escape)
            self._escaped[escape] = environment
        return environment


def variables(event: Event, route: str, summary: LazySummary) -> dict[str, Any]:
    """Return the variables of a condition; a template has `destination` and `link` besides."""
    attributes = event.body.get("event_attributes")
    sent = attributes.get("http_request") if isinstance(attributes, dict) else None
    request = sent if isinstance(sent, dict) else {}
    texts = {
        "instance_id": event.body.get("instance_id"),
        "client_ip": request.get("client_ip"),
        "user_agent": request.get("user_agent"),
    }
    return {
        "event": {
            "id": event.id,
            "type": event.type,
            "source": event.source,
            "timestamp": event.timestamp,
            **{name: text if isinstance(text, str) else "" for name, text in texts.items()},
        },
        "type": event.type,
        "data": event.data,
        "route": route,
        "summary": summary,
    }


@lru_cache(maxsize=4096)
def whole_expression(text: str) -> str | None:
    """Return the expression of a string that is nothing but one `{{ expression }}`; None for any other."""
    stripped = text.strip()
    if not (stripped.startswith("{{") and stripped.endswith("}}")):
        return None
    inner = stripped[2:-2].strip().removeprefix("-").removesuffix("-").strip()
    try:
        tokens = list(jinja2.Environment(autoescape=True).lex(stripped))
    except jinja2.TemplateSyntaxError:
        return None
    kinds = [kind for _, kind, _ in tokens]
    return inner if kinds.count("variable_begin") == 1 and kinds[-1] == "variable_end" else None


def _unmarked(variables: Variables) -> Variables:
    """Return the variables of a text in which `${` means nothing."""
    return {name: value for name, value in variables.items() if name != MARKS}


def _rendered(template: jinja2.Template, variables: Variables, name: str) -> str:
    """Return the rendered text, given up as soon as it grows past the limit of a message."""
    pieces: list[str] = []
    size = 0
    for piece in template.generate(variables):
        size += len(piece)
        if size > MESSAGE_LIMIT_BYTES:
            raise TemplateError(name, None, f"renders to more than {MESSAGE_LIMIT_BYTES // 1024} KiB")
        pieces.append(piece)
    return "".join(pieces)


def _jsonable(value: Any, name: str) -> Any:
    """Return the value as JSON would carry it: tuples as lists, missing fields as null, others as text."""
    try:
        return json.loads(json.dumps(value, default=as_jsonable))
    except (TypeError, ValueError, RecursionError) as error:
        raise TemplateError(name, None, _message(error)) from error


def _located(name: str, error: Exception, templates: Collection[str]) -> TemplateError:
    """Return the error with the deepest template, and the line in it, that its trace names."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return VersionUnusable(error.name or name, error.lineno, _message(error))
    line = None
    trace = error.__traceback__
    while trace is not None:
        # Jinja puts frames in the place of its own that have the template's name and the template's line.
        file = trace.tb_frame.f_code.co_filename
        if file in templates or file == _UNNAMED:
            line = trace.tb_lineno
            name = name if file == _UNNAMED else file
        trace = trace.tb_next
    return TemplateError(name, line, _message(error))


def _kind(error: Exception) -> type[TemplateError]:
    return VersionUnusable if isinstance(error, jinja2.TemplateSyntaxError) else TemplateError


def _message(error: Exception) -> str:
    return one_line(plain_words(error), ERROR_LIMIT) or type(error).__name__
