"""Errors of running templates and conditions in plain words: Python speaks of its own types and functions."""

from __future__ import annotations

import re
from collections.abc import Callable

_KINDS = {
    "str": "a text",
    "Markup": "a text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "NoneType": "null",
    "dict": "an object",
    "list": "a list",
    "tuple": "a list",
    "Blank": "a missing field",
    "datetime.datetime": "a time",
    "datetime": "a time",
    "builtin_function_or_method": "a method",
}
_JOIN = 'write "~" to put texts together'

_BOTH = r"'(?P<left>[\w.]+)' and '(?P<right>[\w.]+)'"

Say = Callable[[re.Match[str]], str]


def plain_words(error: Exception) -> str:
    """Return the message of an error as somebody who writes templates would say it."""
    message = str(error)
    for pattern, say in _SAYINGS:
        match = pattern.fullmatch(message)
        if match:
            return say(match)
    return message


def _operator(match: re.Match[str]) -> str:
    operator, left, right = match["operator"], _kind(match["left"]), _kind(match["right"])
    advice = f"; {_JOIN}" if operator == "+" and "a text" in (left, right) else ""
    return f'"{operator.removesuffix("=")}" does not go with {left} and {right}{advice}'


def _missing(match: re.Match[str]) -> str:
    names = match["names"].replace("'", '"').replace(" and ", ", ")
    return f'"{_name(match["name"])}" needs more in its brackets: {names}'


def _surplus(match: re.Match[str]) -> str:
    # The value that a filter is applied to counts as one of its arguments.
    return f'"{_name(match["name"])}" takes at most {int(match["most"]) - 1} in its brackets'


def _name(function: str) -> str:
    return function.rpartition(".")[2].removeprefix("do_").removeprefix("to_").removeprefix("sync_do_")


def _kind(python: str) -> str:
    return _KINDS.get(python, python)


_SAYINGS: tuple[tuple[re.Pattern[str], Say], ...] = tuple(
    (re.compile(pattern, re.DOTALL), say)
    for pattern, say in (
        (
            r'can only concatenate str \(not "(?P<kind>[\w.]+)"\) to str',
            lambda match: f'"+" puts no {_kind(match["kind"]).removeprefix("a ")} behind a text; {_JOIN}',
        ),
        (
            r"unsupported operand type\(s\) for (?P<operator>\S+?):? " + _BOTH,
            _operator,
        ),
        (
            r"'(?P<operator>\S+)' not supported between instances of " + _BOTH,
            _operator,
        ),
        (r"(?P<name>[\w.]+)\(\) missing \d+ required positional arguments?: (?P<names>.*)", _missing),
        (
            r"(?P<name>[\w.]+)\(\) takes (?:from \d+ to )?(?P<most>\d+) positional arguments? but .*",
            _surplus,
        ),
        (
            r"(?P<name>[\w.]+)\(\) takes (?P<words>no|at most \w+|exactly \w+) arguments?.*",
            lambda match: f'"{_name(match["name"])}" takes {match["words"]} arguments',
        ),
        (
            r"(?P<name>[\w.]+)\(\) got an unexpected keyword argument '(?P<word>\w+)'.*",
            lambda match: f'"{_name(match["name"])}" takes no "{match["word"]}"',
        ),
        (
            r"(?P<name>\w+) expected (?:at least )?(?P<count>\d+) arguments?, got \d+",
            lambda match: f'"{match["name"]}" needs {match["count"]} in its brackets',
        ),
        (
            r"'(?P<kind>[\w.]+)' object is not iterable",
            lambda match: f"{_kind(match['kind'])} cannot be looped over",
        ),
        (
            r"object of type '(?P<kind>[\w.]+)' has no len\(\)",
            lambda match: f"{_kind(match['kind'])} has no length",
        ),
        (
            r"'(?P<kind>[\w.]+)' object is not callable",
            lambda match: f"{_kind(match['kind'])} cannot be called; leave the brackets out",
        ),
        (
            r"'(?P<kind>[\w.]+) object' has no attribute '(?P<name>[^']*)'",
            lambda match: f'{_kind(match["kind"])} has no "{match["name"]}"',
        ),
        (
            r"'None' has no attribute '(?P<name>[^']*)'",
            lambda match: f'null has no "{match["name"]}"',
        ),
    )
)
