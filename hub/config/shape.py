"""A block of a document against its model, with problems in plain words.

pydantic finds the problems; its own messages never reach a user, and no input is ever repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hub.config.report import Report
from hub.config.synonyms import advice_on, synonym
from hub.config.template_syntax import no_template
from hub.humanize import closest, kind_of, listed
from hub.model.problem import Code
from hub.yamldoc import Path
from hub.yamldoc.nodes import plain_value

M = TypeVar("M", bound=BaseModel)

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_OWN_CODES = frozenset(code.value for code in Code)
_SURE = ("missing", "extra_forbidden")
"""Types of errors that no value of an unset variable would mend."""


def check_shape(
    report: Report,
    path: Path,
    model: type[M],
    *,
    noun: str,
    keys: Iterable[str] | None = None,
    other_keys: Iterable[str] = (),
    nullable: Iterable[str] = (),
    lenient: bool = False,
) -> M | None:
    """Return the block at a path as its model, or None where it has problems, which are reported.

    `noun` names the block in messages (`the route "x"`); `keys` are those to look at, None means all;
    `other_keys` are checked elsewhere, for did-you-mean; `nullable` those for which null is a value. A number
    or boolean may come from a variable.

    What the file says is judged whether its variables are set or not, and what they hold by itself: None
    where one is not set or no good. `lenient` lets a default hold there, the one in the text or the model's.
    """
    block = report.written_at(path)
    if not isinstance(block, dict):
        takes = listed((*other_keys, *key_names(model)))
        message = "is empty" if block is None else f"must have keys of its own, not be {kind_of(block)}"
        report.error(path, Code.WRONG_TYPE, f"{noun} {message}; it takes {takes}", key=block is None)
        return None
    chosen = set(block if keys is None else keys)
    block = {key: item for key, item in block.items() if key in chosen}
    blank = _report_blanks(report, path, set(key_names(model)) - set(nullable), block)
    block = {key: item for key, item in block.items() if key not in blank}
    checked, errors = _validated(report, path, model, block)
    known_keys = (*other_keys, *key_names(model))
    misnamed = _misnamed(errors, known_keys, block)
    there = {*blank, *misnamed}
    errors = [error for error in errors if error["type"] != "missing" or error["loc"][-1] not in there]
    is_wrong = bool(blank)
    for where, path_errors in _by_path(block, errors).items():
        is_sure = any(error["type"] in _SURE for error in path_errors)
        if is_sure or not (report.is_undecided(path + where) or (blank and not where)):
            _explain(report, path, where, block, path_errors, noun, known_keys)
            is_wrong = True
    for message in _key_problems(model, {*block, *blank}) if not misnamed else ():
        report.error(path, Code.BAD_VALUE, _full_message(noun, message), key=True)
        is_wrong = True
    if any(report.has_variables((*path, key)) for key in block):
        checked = _with_values(report, path, model, block, noun, lenient=lenient)
    return None if is_wrong else checked


def _key_problems(model: type[BaseModel], keys: Iterable[str]) -> Iterable[str]:
    """Return what is wrong with the keys that are there, whatever they hold; the model says."""
    check = getattr(model, "check_keys", None)
    return check(frozenset(keys)) if check else ()


def _with_values(
    report: Report, path: Path, model: type[M], block: Mapping[str, Any], noun: str, *, lenient: bool
) -> M | None:
    """Return a block with the values of its variables; what is no good of them is reported."""
    for key in block:
        report.check_values((*path, key))
    values = {key: report.value_at((*path, key)) for key in block if not report.lacking((*path, key))}
    checked, errors = _validated(report, path, model, values)
    for where, path_errors in _by_path(values, errors).items():
        if path_errors[0]["type"] not in _SURE and report.has_values(path + where):
            _, message = _message(_subject(where) or noun, _value_at(values, where), path_errors)
            report.unusable(path + where, message)
    lacking = [key for key in block if report.lacking((*path, key))]
    if not lacking:
        return checked
    for key in lacking if lenient else ():
        values.pop(key, None)
        if not report.is_undecided((*path, key)):
            report.fall_back((*path, key))
            values[key] = block[key]
    return _validated(report, path, model, values)[0] if lenient else None


def _validated(
    report: Report, path: Path, model: type[M], value: dict[str, Any]
) -> tuple[M | None, list[ErrorDetails]]:
    """Return a block as its model, and the errors of one that is none."""
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    typed = _typed(report, path, value, errors)
    if typed is None:
        return None, errors
    try:
        return model.model_validate(typed), []
    except ValidationError as error:
        return None, error.errors(include_url=False, include_input=False)


def key_meant(name: str, keys: Iterable[str], block: Iterable[str]) -> str | None:
    """Return the key that was meant by one that there is none of: a word of another tool, or misspelled."""
    free = set(keys) - set(block)
    return synonym(name, free) or closest(name, free)


def _misnamed(errors: list[ErrorDetails], keys: Iterable[str], block: Mapping[str, Any]) -> set[str | None]:
    """Return the keys that are there under another name: that they are missing is no problem of its own."""
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    return {key_meant(str(loc[0]), keys, block) for loc in unknown if len(loc) == 1} - {None}


def key_names(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys that users write for a model's fields."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def _report_blanks(report: Report, path: Path, keys: Iterable[str], value: dict[str, Any]) -> list[str]:
    """Report the keys that have no value, and return them."""
    blank = [key for key, item in value.items() if item is None and key in keys]
    for key in blank:
        message = f'"{key}" has no value; give it one, or remove the key'
        if report.has_comment_behind((*path, key)):
            message = f'"{key}" has no value, because "#" begins a comment; put the value into quotes'
        report.error((*path, key), Code.WRONG_TYPE, message, key=True)
    return blank


def _typed(
    report: Report, path: Path, value: dict[str, Any], errors: list[ErrorDetails]
) -> dict[str, Any] | None:
    """Return the block with numbers and booleans for texts of variables where they are asked for.

    None where there are none.
    """
    changed = dict(value)
    for error in errors:
        where = _path_of(value, error["loc"])
        wants_other = error["type"] in ("int_type", "float_type", "bool_type")
        if wants_other and len(where) == 1 and report.is_replaced(path + where):
            changed[str(where[0])] = plain_value(value[str(where[0])])
    return None if changed == value else changed


def _path_of(value: Any, loc: tuple[int | str, ...]) -> Path:
    """Return a pydantic location as a path: without its steps that are no keys, such as union members."""
    path: list[str | int] = []
    for step in loc:
        inside = isinstance(value, dict) and step in value
        inside = inside or (isinstance(value, list) and isinstance(step, int) and step < len(value))
        if inside:
            path.append(step)
            value = value[step]
    return tuple(path)


def _by_path(value: Any, errors: list[ErrorDetails]) -> dict[Path, list[ErrorDetails]]:
    """Group errors by their path, missing keys each on their own; a union has one for each member."""
    by_path: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        where = _path_of(value, error["loc"])
        if error["type"] == "missing":
            where = (*where, error["loc"][-1])
        by_path.setdefault(where, []).append(error)
    return by_path


def _explain(
    report: Report,
    path: Path,
    where: Path,
    block: Mapping[str, Any],
    errors: list[ErrorDetails],
    noun: str,
    keys: Iterable[str],
) -> None:
    first = errors[0]
    if first["type"] == "missing":
        _explain_missing(report, path, where, block, noun)
    elif first["type"] == "extra_forbidden":
        close = "; remove it"
        if len(where) == 1:
            meant = key_meant(str(where[-1]), keys, block)
            close = f'; did you mean "{meant}"?' if meant else f"; it takes {listed(keys)}"
            close = advice_on(str(where[-1])) or close
        message = f'{noun} has no key "{where[-1]}"{close}'
        report.error(path + where, Code.UNKNOWN_KEY, message, key=True)
    else:
        value = _value_at(block, where)
        opening = no_template(path + where, value) if isinstance(value, str) else None
        if opening is not None:
            report.error(path + where, Code.NOT_A_TEMPLATE, opening[1], offset=opening[0])
            return
        code, message = _message(_subject(where) or noun, value, errors)
        report.error(path + where, code, message, key=not where)


def _explain_missing(report: Report, path: Path, where: Path, block: Mapping[str, Any], noun: str) -> None:
    report.error((path + where)[:-1], Code.MISSING_KEY, f'{noun} has no "{where[-1]}"; add it', key=True)


def _value_at(value: Any, where: Path) -> Any:
    for step in where:
        value = value[step]
    return value


def _message(subject: str, value: Any, errors: list[ErrorDetails]) -> tuple[Code, str]:
    """Return the code and the message for the errors of one path."""
    own = next((error for error in errors if error["type"] in _OWN_CODES), None)
    if own is not None:
        return Code(own["type"]), _full_message(subject, own["msg"])
    raised = next((error for error in errors if error["type"] in ("value_error", "assertion_error")), None)
    if raised is not None:
        return Code.BAD_VALUE, _full_message(
            subject, str(raised.get("ctx", {}).get("error") or "is not right")
        )
    expected = [_EXPECTED[error["type"]] for error in errors if error["type"] in _EXPECTED]
    if len(expected) == len(errors):
        wanted = " or ".join(dict.fromkeys(expected))
        actual = f"{kind_of(value)}{_advice(expected, value)}"
        return Code.WRONG_TYPE, f"{subject} must be {wanted}, not {actual}"
    return Code.BAD_VALUE, f"{subject} {_limit_message(errors)}"


def _advice(expected: list[str], value: Any) -> str:
    """Return the end of a message with the value to write instead, where that is sure."""
    if "text" in expected and isinstance(value, bool | int | float):
        return "; put it into quotes"
    if "true or false" in expected and isinstance(value, str):
        meant = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower())
        return f"; write {meant}" if meant else ""
    return ""


def _subject(where: Path) -> str:
    names = [step for step in where if isinstance(step, str)]
    if not names:
        return ""
    name = f'"{".".join(names)}"'
    return f"an item of {name}" if isinstance(where[-1], int) else name


def _full_message(subject: str, message: str) -> str:
    """Return a model's own message, with the subject that it may leave out (`must be a URL …`)."""
    return f"{subject} {message}" if re.match(r"(must|is|has|needs|does|cannot|may)\b", message) else message


def _limit_message(errors: list[ErrorDetails]) -> str:
    error = next((error for error in errors if error["type"] not in _EXPECTED), errors[0])
    ctx, name = error.get("ctx", {}), error["type"]
    if name in ("literal_error", "enum"):
        return "must be " + str(ctx.get("expected", "")).replace("'", '"')
    if name in _BOUNDS:
        key, words = _BOUNDS[name]
        return f"must be {words} {ctx[key]}"
    if name in ("string_too_short", "too_short"):
        return (
            "must not be empty" if ctx["min_length"] == 1 else f"must have at least {ctx['min_length']} items"
        )
    if name in ("string_too_long", "too_long"):
        return f"must have at most {ctx['max_length']} {'characters' if name[0] == 's' else 'items'}"
    return "has a value that is not allowed here"
