"""Send blocks -> Send: the destination is there, it takes these keys, and the templates in them parse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hub.config.report import Report
from hub.config.shape import check_shape
from hub.config.template_syntax import check_text, line_offset
from hub.destinations.base import Block, Destination, Inline, Structure, TemplateName
from hub.humanize import did_you_mean, kind_of, there_are
from hub.model.problem import Code
from hub.model.routing import Send
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Path


@dataclass(frozen=True, kw_only=True)
class SendTarget:
    """A destination as a send block refers to it.

    `type` is None where it is not known, `options` where they are not right or not complete.
    """

    type: type[Destination] | None = None
    options: Block | None = None


def read_sends(
    report: Report, path: Path, targets: Mapping[str, SendTarget], sandbox: Sandbox
) -> tuple[Send, ...]:
    """Return the sends at a path: a destination's name, one block, or a list of either.

    A variable that is unset leaves nothing in a block's texts, with a warning; in `to` it is an error.
    """
    value = report.value_at(path)
    blocks = [(*path, index) for index in range(len(value))] if isinstance(value, list) else [path]
    sends = (_read_send(report, block, targets, sandbox) for block in blocks)
    return tuple(send for send in sends if send is not None)


def marks_of(field: FieldInfo) -> tuple[object, ...]:
    """Return the marks of a send block's field that say which templates it holds, also inside `… | None`."""
    return (*field.metadata, *_marks(field.annotation))


def _read_send(
    report: Report, path: Path, targets: Mapping[str, SendTarget], sandbox: Sandbox
) -> Send | None:
    value = report.value_at(path)
    if isinstance(value, str):
        return _named(report, path, value, targets)
    if not isinstance(value, dict):
        message = f"a send must be a destination's name or a block with to, not {kind_of(value)}"
        report.error(path, Code.WRONG_TYPE, message)
        return None
    if "to" not in value:
        meant = next((f', meant by "{key}"' for key in value if key in ("too", "dest", "destination")), "")
        message = f'a send block needs "to", the name of a destination{meant}; add it'
        report.error(path, Code.MISSING_KEY, message)
        return None
    if not isinstance(value["to"], str):
        message = f'"to" must be the name of one destination, not {kind_of(value["to"])}'
        report.error((*path, "to"), Code.WRONG_TYPE, message)
        return None
    send = _named(report, (*path, "to"), value["to"], targets)
    return _with_fields(report, path, send, value, targets, sandbox) if send else None


def _named(report: Report, path: Path, name: str, targets: Mapping[str, SendTarget]) -> Send | None:
    if unset := report.unset_below(path):
        variable = next(name for names in unset.values() for name in names)
        message = f"{variable} is not set, so no destination is named; give it a default: ${{{variable}:-…}}"
        report.error(path, Code.UNSET_VARIABLE, message)
        return None
    if name not in targets:
        close = did_you_mean(name, targets, there_are(targets, "; add it under destinations"))
        message = report.nothing_called(path, "destination", name)
        report.error(path, Code.UNKNOWN_DESTINATION, f"{message}{close}")
        return None
    return Send(to=name, line=report.document.at(path).line)


def _with_fields(
    report: Report,
    path: Path,
    send: Send,
    block: Mapping[str, Any],
    targets: Mapping[str, SendTarget],
    sandbox: Sandbox,
) -> Send:
    """Return the send with its fields, checked as far as the type of its destination is known."""
    target = targets[send.to]
    fields = {key: value for key, value in block.items() if key != "to"}
    if target.type is not None:
        for key in fields:
            report.warn_unset((*path, key), "that part of the message stays empty")
        noun = f'a send to "{send.to}" (type {target.type.type})'
        shape = target.type.Send
        free = [key for key, field in shape.model_fields.items() if field.annotation is Any]
        model = check_shape(report, path, shape, fields, noun=noun, other_keys=("to",), nullable=free)
        _check_fields(report, path, shape, fields, sandbox)
        if model is not None:
            for message in target.type.check(target.options, model):
                _report_own(report, path, fields, message)
    return Send(to=send.to, fields=fields, line=report.document.at(path).line)


def _report_own(report: Report, path: Path, fields: Mapping[str, Any], message: str) -> None:
    """Report a destination's own message, at the key that it begins with where there is one."""
    first = message.partition(" ")[0].strip('"`:,')
    where = (*path, first) if first in fields else path
    report.error(where, Code.BAD_SEND, message, key=first in fields)


def _check_fields(
    report: Report, path: Path, model: type[BaseModel], fields: Mapping[str, Any], sandbox: Sandbox
) -> None:
    for name, field in model.model_fields.items():
        key = field.alias or name
        for mark in marks_of(field) if key in fields else ():
            if isinstance(mark, TemplateName):
                _check_template_name(report, (*path, key), fields[key], mark, sandbox)
            elif isinstance(mark, Structure | Inline):
                _check_texts(report, (*path, key), sandbox)


def _check_texts(report: Report, path: Path, sandbox: Sandbox) -> None:
    """Check every text at or below a path as a template."""
    for where, _ in report.document.texts(path):
        text = report.value_at(where)
        for problem in check_text(sandbox, text):
            message, offset = problem.message, line_offset(text, problem.line)
            if report.is_replaced(where):
                message = (
                    message.partition(":")[0]
                    if problem.code is Code.TEMPLATE_SYNTAX
                    else "an included template is missing"
                )
                offset = 0
            report.error(where, problem.code, message, offset=offset)


def _check_template_name(report: Report, path: Path, name: Any, mark: TemplateName, sandbox: Sandbox) -> None:
    if not isinstance(name, str) or report.unset_below(path):
        return
    wanted = [name + suffix for suffix in mark.suffixes]
    if any(file in sandbox.templates for file in wanted):
        return
    if report.is_replaced(path):
        message = f"the variable here names no template ({' or '.join(mark.suffixes)})"
        report.error(path, Code.MISSING_TEMPLATE, message)
        return
    known = _template_names(mark, sandbox)
    ending = next((suffix for suffix in mark.suffixes if name.endswith(suffix)), None)
    if ending and name in sandbox.templates:
        close = f'; write "{name.removesuffix(ending)}", without the ending'
    else:
        close = did_you_mean(name, known, there_are(known, "; add it"))
    message = f"there is no {' and no '.join(wanted)} in the templates folder{close}"
    report.error(path, Code.MISSING_TEMPLATE, message)


def _template_names(mark: TemplateName, sandbox: Sandbox) -> set[str]:
    return {
        file.removesuffix(suffix)
        for file in sandbox.templates
        for suffix in mark.suffixes
        if file.endswith(suffix)
    }


def _marks(annotation: Any) -> Iterator[object]:
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
    for argument in get_args(annotation):
        if get_origin(argument) is not None or isinstance(argument, type):
            yield from _marks(argument)
