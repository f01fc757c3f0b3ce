"""The one Jinja environment of conditions and templates: what users write runs here and nowhere else.

Every `{{ }}` goes through an escape, a function from a value to text, so a value from an event can never
become markup. `None` and missing fields print as nothing. A name after a dot is a key of that name first
(`data.items` is the payload's). Python's internals are out of reach (Jinja's sandbox).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import update_wrapper, wraps
from types import BuiltinMethodType
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from markupsafe import escape as escape_markup

from hub.errors import TemplateError
from hub.model.delivery import MESSAGE_LIMIT_BYTES
from hub.model.event import Event
from hub.templating.filters import FILTERS, JsonText, as_jsonable
from hub.templating.limits import (
    GROWING_FILTERS,
    GROWING_METHODS,
    check_format,
    check_growth,
    check_percent_format,
    check_product,
    check_time,
    counted,
    limited_time,
    weighed,
)

Escape = Callable[[Any], str]
Variables = Mapping[str, Any]


class Blank(jinja2.ChainableUndefined):
    """A missing field: prints as nothing, is false, and so is everything below it."""

    __slots__ = ()


# -- escapes --------------------------------------------------------------------------------------


def plain(value: Any) -> str:
    """For places where no character means anything: console lines, mail subjects and plain text."""
    return str(value)


def html(value: Any) -> str:
    """For HTML; what a filter already marked as safe stays as it is."""
    return str(escape_markup(value))


def as_json(value: Any) -> str:
    """For JSON bodies: prints the value as JSON, a missing one as null."""
    if isinstance(value, JsonText) or (isinstance(value, Markup) and _is_json(value)):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=as_jsonable)


def _is_json(text: str) -> bool:
    """Whether a macro or a block made a whole JSON value of what its own values printed."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def path_segment(value: Any) -> str:
    """For URL paths: percent-encodes everything but unreserved characters, the slash included."""
    return quote(str(value), safe="")


class _Generator(CodeGenerator):
    """Compiles templates so that every loop and every `~` asks for what it may cost."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        plain, node.iter = node.iter, _called("counted", node.iter)
        super().visit_For(node, frame)
        node.iter = plain

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        plain, node.nodes = node.nodes, [_called("weighed", each) for each in node.nodes]
        super().visit_Concat(node, frame)
        node.nodes = plain


def _called(name: str, argument: nodes.Node) -> Any:
    """A call of one of the environment's own functions."""
    function = nodes.EnvironmentAttribute(name, lineno=argument.lineno)
    call = nodes.Call(function, [argument], [], None, None, lineno=argument.lineno)
    return call.set_environment(argument.environment) if argument.environment else call


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with keys before attributes, where nothing runs for long or makes something huge."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    counted = staticmethod(counted)
    weighed = staticmethod(weighed)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%":
            if isinstance(left, str):
                check_percent_format(left)
            weighed(right)
        elif operator == "+":
            weighed(left)
            weighed(right)
        else:
            _check_power(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja's
        check_time()
        given = (*args, *kwargs.values())
        for argument in given:
            weighed(argument)
        if isinstance(__obj, BuiltinMethodType) and __obj.__name__ in GROWING_METHODS:
            check_growth(__obj.__self__, given)
        return super().call(__context, __obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def checked(*args: Any, **kwargs: Any) -> str:
            check_format(value.__self__)
            return wrapped(*args, **kwargs)

        return update_wrapper(checked, wrapped)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        # Jinja falls back from a missing key to an attribute; a payload has no attributes.
        if isinstance(obj, Mapping) and isinstance(argument, str):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)


def _check_power(operator: str, left: Any, right: Any) -> None:
    """Raises OverflowError where `*` or `**` makes something huge."""
    sizes = [len(side) if hasattr(side, "__len__") else abs(side) for side in (left, right)]
    if operator == "**" and (sizes[0] > 2**16 or sizes[1] > 2**8):
        raise OverflowError("the result of ** is too large")
    if isinstance(left, int) and isinstance(right, int):
        check_product(left, right)
    if any(hasattr(side, "__len__") for side in (left, right)) and sizes[0] * sizes[1] > MESSAGE_LIMIT_BYTES:
        raise OverflowError("the result of * is too long")


def _limited_filter(name: str, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """A filter of one of Jinja's names, which asks first for what it may cost."""
    passed = 1 if hasattr(wrapped, "jinja_pass_arg") else 0

    @wraps(wrapped)
    def limited(*args: Any, **kwargs: Any) -> Any:
        check_time()
        before, (value, *rest) = args[:passed], args[passed:]
        if name in GROWING_FILTERS:
            value = list(value) if isinstance(value, Iterator) else value
            # A width to wrap at makes nothing longer, what is put in at the ends of lines does.
            given = (*rest, *kwargs.values())
            check_growth(value, (a for a in given if name != "wordwrap" or isinstance(a, str)))
        elif name == "format":
            check_percent_format(str(weighed(value)))
        for argument in (value, *rest, *kwargs.values()):
            weighed(argument)
        return wrapped(*before, value, *rest, **kwargs)

    return limited


_LIMITED_FILTERS = {
    name: _limited_filter(name, FILTERS.get(name, JINJA_FILTERS[name])) for name in JINJA_FILTERS
}


class Sandbox:
    """Runs users' expressions and templates.

    `templates` maps names below the templates folder to their text. Compiled templates are kept, so one
    sandbox serves one version of the user's files. Safe to share between threads.
    """

    def __init__(self, templates: Mapping[str, str]) -> None:
        self.templates = templates
        self._environment = _Environment(
            loader=jinja2.FunctionLoader(self._load),
            undefined=Blank,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update({**FILTERS, **_LIMITED_FILTERS})
        self._environment.globals.pop("lipsum", None)
        self._escaped: dict[Escape, jinja2.Environment] = {}
        self._compiled: dict[tuple[Escape | None, str], Any] = {}

    def condition(self, source: str) -> Callable[[Variables], Any]:
        """An expression as a function of its variables that keeps the value's type.

        A missing field is None. The function raises TemplateError where the expression fails or is none.
        """

        def evaluate(variables: Variables) -> Any:
            try:
                compiled = self._compiled.get((None, source))
                if compiled is None:
                    compiled = self._environment.compile_expression(source, undefined_to_none=False)
                    self._compiled[None, source] = compiled
                with limited_time():
                    value = compiled(variables)
                # Jinja finds out only when the value is used that it is not there.
                return None if isinstance(value, jinja2.Undefined) else value
            except Exception as error:
                raise TemplateError(source, None, _said(error)) from error

        return evaluate

    def text(self, source: str, variables: Variables, escape: Escape, *, name: str) -> str:
        """Render a template written in place. `name` is how errors call it (`text`, `subject`)."""
        key = (escape, source)
        try:
            template = self._compiled.get(key)
            if template is None:
                template = self._compiled[key] = self._environment_for(escape).from_string(source)
            with limited_time():
                return _limited(template, variables, name)
        except TemplateError:
            raise
        except Exception as error:
            raise _located(name, error) from error

    def file(self, name: str, variables: Variables, escape: Escape) -> str:
        """Render a file below the templates folder."""
        try:
            with limited_time():
                return _limited(self._environment_for(escape).get_template(name), variables, name)
        except TemplateError:
            raise
        except jinja2.TemplateNotFound as error:
            raise TemplateError(str(error.name), None, "there is no such file under templates/") from error
        except Exception as error:
            raise _located(name, error) from error

    def structure(self, value: Any, variables: Variables, escape: Escape, *, name: str) -> Any:
        """Render every string of a parsed structure in place; its shape cannot change.

        A string that is one whole `{{ expression }}` becomes that expression's value with its type where
        the escape is `as_json` (missing is None); elsewhere it is text like any other.
        """
        if isinstance(value, Mapping):
            return {
                self.structure(key, variables, plain, name=name) if isinstance(key, str) else key: (
                    self.structure(item, variables, escape, name=f"{name}.{key}")
                )
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
                return _jsonable(self.condition(expression)(variables), name)
            return self.text(value, variables, plain, name=name)
        return self.text(value, variables, escape, name=name)

    @property
    def syntax(self) -> jinja2.Environment:
        """What templates are parsed by, for those who read them and run nothing."""
        return self._environment

    def parse(self, source: str, name: str) -> nodes.Template:
        """The syntax tree of a template; raises jinja2.TemplateSyntaxError (also for unknown filters)."""
        tree = self._environment.parse(source, name=name)
        self._environment.compile(tree, name=name)
        return tree

    def parse_condition(self, source: str) -> None:
        """Raises jinja2.TemplateSyntaxError where a condition is no expression."""
        self._environment.compile_expression(source)

    def _load(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        """A template with its name as file name: errors then say which of several included ones failed."""
        source = self.templates.get(name)
        return None if source is None else (source, name, lambda: True)

    def _environment_for(self, escape: Escape) -> jinja2.Environment:
        environment = self._escaped.get(escape)
        if environment is None:
            # Autoescape is what marks the results of macros, blocks and super() as escaped already.
            environment = self._environment.overlay(autoescape=True, finalize=_finalize(escape))
            environment.cache = jinja2.environment.create_cache(400)
            self._escaped[escape] = environment
        return environment


def variables(event: Event, route: str) -> dict[str, Any]:
    """What conditions see; templates see `destination` and `link` besides."""
    return {
        "event": {
            "id": event.id,
            "type": event.type,
            "source": event.source,
            "timestamp": event.timestamp,
            "instance_id": event.instance_id,
        },
        "type": event.type,
        "data": event.data,
        "route": route,
    }


def whole_expression(text: str) -> str | None:
    """The expression of a string that is nothing but one `{{ expression }}`; None for any other."""
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


def _finalize(escape: Escape) -> Callable[[Any, Any], Any]:
    # With a context as argument Jinja leaves literals to us too, instead of escaping them for HTML first.
    @jinja2.pass_eval_context
    def finalize(_: Any, value: Any) -> Any:
        weighed(value)
        if escape is as_json:
            return Markup(escape(value))  # noqa: S704 - escaped for where it goes
        if value is None or isinstance(value, jinja2.Undefined):
            return ""
        # Markup is what a template's owner marked as finished text (`| safe`, `| e`), or built of such.
        return value if isinstance(value, Markup) else Markup(escape(value))  # noqa: S704

    return finalize


def _limited(template: jinja2.Template, variables: Variables, name: str) -> str:
    """The rendered text, given up as soon as it grows past the limit of a message."""
    pieces: list[str] = []
    size = 0
    for piece in template.generate(variables):
        size += len(piece)
        if size > MESSAGE_LIMIT_BYTES:
            raise TemplateError(name, None, f"renders to more than {MESSAGE_LIMIT_BYTES // 1024} KiB")
        pieces.append(piece)
    return "".join(pieces)


def _jsonable(value: Any, name: str) -> Any:
    """The value as JSON would carry it: tuples as lists, anything foreign as text, Blank as null."""
    try:
        return json.loads(json.dumps(value, default=as_jsonable))
    except (TypeError, ValueError, RecursionError) as error:
        raise TemplateError(name, None, _said(error)) from error


def _located(name: str, error: Exception) -> TemplateError:
    """A user's template failed: find the deepest template, and the line in it, that the trace names."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return TemplateError(error.name or name, error.lineno, _said(error))
    line = None
    trace = error.__traceback__
    while trace is not None:
        # Jinja puts such a frame in the place of its own: the template's name, the template's line.
        if "__jinja_exception__" in trace.tb_frame.f_globals:
            file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
            name = name if file == "<template>" else file
        trace = trace.tb_next
    return TemplateError(name, line, _said(error))


def _said(error: Exception) -> str:
    """What went wrong in one line, bounded: an error may quote the payload."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:200] + "…"
