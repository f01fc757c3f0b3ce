"""Jinja's sandbox as users' templates and conditions run in it: keys before attributes, and limits on cost.

A name after a dot is the key of that name (`data.items` is the payload's), undefined where there is none;
only what is called at once (`data.items()`) is a method. Python's internals are out of reach. Every loop,
call, filter and operator that can take long or make something huge asks `limits` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import wraps
from types import BuiltinMethodType
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from hub.model.delivery import MESSAGE_LIMIT_BYTES
from hub.templating.escapes import Escape, as_json, html
from hub.templating.filters import FILTERS, to_json_in_html
from hub.templating.limits import (
    GROWING_FILTERS,
    GROWING_METHODS,
    check_format,
    check_growth,
    check_percent_format,
    check_product,
    check_time,
    timed,
    within_size,
)
from hub.templating.placeholders import mark

_FORMATTING = ("format", "format_map")

_CALLED = "()"
"""The end of an attribute's name in a syntax tree where the attribute is called at once."""

_DATA = (str, bytes, int, float, list, tuple, set, range, datetime)
"""The types of values whose methods are no keys; other objects with attributes are Jinja's own."""

_PASSED = (Context, nodes.EvalContext, jinja2.Environment)
"""Jinja puts one of these before a filter's value where the filter asks for it; no template has them."""


class Blank(jinja2.ChainableUndefined):
    """A missing field: prints as nothing, is false, and so is everything below it."""

    __slots__ = ()


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, where nothing runs for long or makes something huge."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    timed = staticmethod(timed)
    within_size = staticmethod(within_size)
    mark = staticmethod(mark)

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=Blank, trim_blocks=True, lstrip_blocks=True, **options)
        self.filters.update(AVAILABLE_FILTERS)
        self.globals.pop("lipsum", None)

    def compile(self, source: Any, name: Any = None, filename: Any = None, *args: Any, **options: Any) -> Any:
        """Compile a template or its syntax tree, to which the limits of loops and of `~` are added.

        What is called at once is marked there: a name that is not called is no method.
        """
        tree = self.parse(source, name, filename) if isinstance(source, str) else source
        self._add_limits(tree)
        return super().compile(tree, name, filename, *args, **options)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "%":
            if isinstance(left, str):
                check_percent_format(left)
            within_size(right)
        elif operator == "+":
            within_size(left)
            within_size(right)
        else:
            _check_power(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja's
        check_time()
        arguments = (*args, *kwargs.values())
        for argument in arguments:
            within_size(argument)
        if isinstance(__obj, BuiltinMethodType) and __obj.__name__ in GROWING_METHODS:
            check_growth(__obj.__self__, arguments)
        return super().call(__context, __obj, *args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping) and not attribute.endswith(_CALLED):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        name = attribute.removesuffix(_CALLED)
        if isinstance(obj, str) and name in _FORMATTING:
            check_format(obj)
        value = super().getattr(obj, name)
        if name == attribute and isinstance(obj, _DATA) and callable(value):
            return self.undefined(obj=obj, name=name)
        return value

    def getitem(self, obj: Any, argument: Any) -> Any:
        # Jinja falls back from a missing key to an attribute; a payload has no attributes.
        if isinstance(obj, Mapping) and isinstance(argument, str):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        if isinstance(obj, _DATA) and isinstance(argument, str):
            return self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def _add_limits(self, tree: nodes.Template) -> None:
        for node in list(tree.find_all((nodes.For, nodes.Concat, nodes.Call))):
            if isinstance(node, nodes.For):
                node.iter = _call("timed", node.iter)
            elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
                node.node.attr += _CALLED
            elif isinstance(node, nodes.Concat):
                node.nodes = [_call("within_size", operand) for operand in node.nodes]
        tree.set_environment(self)


def finalize(escape: Escape) -> Callable[[Any, Any], Any]:
    """Return the function that Jinja passes each printed value through: None and missing fields are empty."""

    # With a context as argument Jinja leaves literals to us too, instead of escaping them for HTML first.
    @jinja2.pass_eval_context
    def printed(_: Any, value: Any) -> Any:
        within_size(value)
        if escape is as_json:
            return Markup(escape(value))  # noqa: S704 - escaped for where it goes
        if value is None or isinstance(value, jinja2.Undefined):
            return ""
        # Markup is what a template's owner marked as finished text (`| safe`, `| e`), or built of such.
        return value if isinstance(value, Markup) else Markup(escape(value))  # noqa: S704

    return printed


def _call(name: str, argument: Any) -> Any:
    """Return the syntax of a call of one of the environment's own functions."""
    function = nodes.EnvironmentAttribute(name, lineno=argument.lineno)
    return nodes.Call(function, [argument], [], None, None, lineno=argument.lineno)


def _check_power(operator: str, left: Any, right: Any) -> None:
    """Raise OverflowError where `*` or `**` makes something huge."""
    sizes = [len(side) if hasattr(side, "__len__") else abs(side) for side in (left, right)]
    if operator == "**" and (sizes[0] > 2**16 or sizes[1] > 2**8):
        raise OverflowError("the result of ** is too large")
    if isinstance(left, int) and isinstance(right, int):
        check_product(left, right)
    if any(hasattr(side, "__len__") for side in (left, right)) and sizes[0] * sizes[1] > MESSAGE_LIMIT_BYTES:
        raise OverflowError("the result of * is too long")


def _limited_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter that asks first for what it may cost."""

    @wraps(function)
    def limited(*args: Any, **kwargs: Any) -> Any:
        check_time()
        passed = isinstance(args[0], _PASSED)
        before, (value, *others) = args[:passed], args[passed:]
        arguments = (*others, *kwargs.values())
        if name in GROWING_FILTERS:
            value = list(value) if isinstance(value, Iterator) else value
            # A width to wrap at makes nothing longer, what is put in at the ends of lines does.
            check_growth(
                value, (argument for argument in arguments if name != "wordwrap" or isinstance(argument, str))
            )
        elif name == "format":
            check_percent_format(str(within_size(value)))
        for argument in (value, *arguments):
            within_size(argument)
        return function(*before, value, *others, **kwargs)

    return limited


AVAILABLE_FILTERS: Mapping[str, Callable[..., Any]] = {
    # The hub's own cost next to nothing, save `tojson`, which takes the place of Jinja's.
    **FILTERS,
    **{
        name: _limited_filter(name, FILTERS.get(name, function))
        for name, function in jinja2.Environment(autoescape=True).filters.items()
    },
}
"""Every filter that templates and conditions have, by name."""

FILTERS_IN_HTML: Mapping[str, Callable[..., Any]] = {
    **AVAILABLE_FILTERS,
    "tojson": _limited_filter("tojson", to_json_in_html),
}


def filters_for(escape: Escape) -> dict[str, Callable[..., Any]]:
    """Return the filters of templates with an escape: `e` and its like are that, and not HTML's anywhere."""
    if escape is html:
        return dict(FILTERS_IN_HTML)
    if escape is as_json:
        return dict(AVAILABLE_FILTERS)

    def escaped(value: Any) -> Markup:
        empty = value is None or isinstance(value, jinja2.Undefined)
        return value if isinstance(value, Markup) else Markup("" if empty else escape(value))  # noqa: S704

    own = dict.fromkeys(("e", "escape", "forceescape"), _limited_filter("escape", escaped))
    return {**AVAILABLE_FILTERS, **own}
