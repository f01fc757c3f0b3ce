"""Send blocks -> Send: the destination is there, it takes these keys, and the templates in them parse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hub.config.report import Report
from hub.config.shape import check_shape
from hub.config.template_files import check_text, line_offset
from hub.destinations.base import Block, Destination, Inline, Structure, TemplateName
from hub.humanize import did_you_mean, kind_of, there_are
from hub.model.problem import Code
from hub.model.routing import Send
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Path


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a send block may refer to: a destination that is named, its type where that is known,
    and its options where they are right and complete."""

    type: type[Destination] | None = None
    options: Block | None = None


def read_sends(report: Report, path: Path, places: Mapping[str, Place], sandbox: Sandbox) -> tuple[Send, ...]:
    """The sends at a path: a destination's name, one block, or a list of either.

    A variable that is unset leaves nothing in a block's texts, with a warning; in `to` it is an error.
    """
    value = report.value_at(path)
    blocks = [(*path, index) for index in range(len(value))] if isinstance(value, list) else [path]
    sends = (_read_send(report, each, places, sandbox) for each in blocks)
    return tuple(send for send in sends if send is not None)


def marks_of(field: FieldInfo) -> tuple[object, ...]:
    """The marks of a send block's field that say which templates it holds, also inside `… | None`."""
    return (*field.metadata, *_marks(field.annotation))


def _read_send(report: Report, path: Path, places: Mapping[str, Place], sandbox: Sandbox) -> Send | None:
    value = report.value_at(path)
    if isinstance(value, str):
        return _named(report, path, value, places)
    if not isinstance(value, dict):
        said = f"a send must be a destination's name or a block with to, not {kind_of(value)}"
        report.error(path, Code.WRONG_TYPE, said)
        return None
    if "to" not in value:
        meant = next((f', meant by "{key}"' for key in value if key in ("too", "dest", "destination")), "")
        said = f'a send block needs "to", the name of a destination{meant}; add it'
        report.error(path, Code.MISSING_KEY, said)
        return None
    if not isinstance(value["to"], str):
        said = f'"to" must be the name of one destination, not {kind_of(value["to"])}'
        report.error((*path, "to"), Code.WRONG_TYPE, said)
        return None
    send = _named(report, (*path, "to"), value["to"], places)
    return _with_fields(report, path, send, value, places, sandbox) if send else None


def _named(report: Report, path: Path, name: str, places: Mapping[str, Place]) -> Send | None:
    if unset := report.unset_below(path):
        variable = next(name for each in unset.values() for name in each)
        said = f"{variable} is not set, so no destination is named; give it a default: ${{{variable}:-…}}"
        report.error(path, Code.UNSET_VARIABLE, said)
        return None
    if name not in places:
        close = did_you_mean(name, places, there_are(places, "; add it under destinations"))
        said = report.nothing_called(path, "destination", name)
        report.error(path, Code.UNKNOWN_DESTINATION, f"{said}{close}")
        return None
    return Send(to=name, line=report.document.at(path).line)


def _with_fields(
    report: Report,
    path: Path,
    send: Send,
    block: Mapping[str, Any],
    places: Mapping[str, Place],
    sandbox: Sandbox,
) -> Send:
    """The send with its fields, checked as far as the type of its destination is known."""
    place = places[send.to]
    fields = {key: value for key, value in block.items() if key != "to"}
    if place.type is not None:
        for key in fields:
            report.warn_unset((*path, key), "that part of the message stays empty")
        noun = f'a send to "{send.to}" (type {place.type.type})'
        shape = place.type.Send
        free = [key for key, field in shape.model_fields.items() if field.annotation is Any]
        model = check_shape(report, path, shape, fields, noun=noun, other_keys=("to",), nullable=free)
        _check_fields(report, path, shape, fields, sandbox)
        if model is not None:
            for sentence in place.type.check(place.options, model):
                _report_sentence(report, path, fields, sentence)
    return Send(to=send.to, fields=fields, line=report.document.at(path).line)


def _report_sentence(report: Report, path: Path, fields: Mapping[str, Any], sentence: str) -> None:
    """A destination's own sentence, at the key that it begins with where there is one."""
    first = sentence.partition(" ")[0].strip('"`:,')
    where = (*path, first) if first in fields else path
    report.error(where, Code.BAD_SEND, sentence, key=first in fields)


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
    """Every text at or below a path is a template."""
    for where, _ in report.document.texts(path):
        text = report.value_at(where)
        for fault in check_text(sandbox, text):
            said, offset = fault.message, line_offset(text, fault.line)
            if report.is_replaced(where):
                said = (
                    said.partition(":")[0]
                    if fault.code is Code.TEMPLATE_SYNTAX
                    else "an included template is missing"
                )
                offset = 0
            report.error(where, fault.code, said, offset=offset)


def _check_template_name(report: Report, path: Path, name: Any, mark: TemplateName, sandbox: Sandbox) -> None:
    if not isinstance(name, str) or report.unset_below(path):
        return
    wanted = [name + suffix for suffix in mark.suffixes]
    if any(file in sandbox.templates for file in wanted):
        return
    if report.is_replaced(path):
        said = f"the variable here names no template ({' or '.join(mark.suffixes)})"
        report.error(path, Code.MISSING_TEMPLATE, said)
        return
    known = _template_names(mark, sandbox)
    ending = next((suffix for suffix in mark.suffixes if name.endswith(suffix)), None)
    if ending and name in sandbox.templates:
        close = f'; write "{name.removesuffix(ending)}", without the ending'
    else:
        close = did_you_mean(name, known, there_are(known, "; add it"))
    said = f"there is no {' and no '.join(wanted)} in the templates folder{close}"
    report.error(path, Code.MISSING_TEMPLATE, said)


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
