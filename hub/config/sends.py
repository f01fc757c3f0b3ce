"""Send blocks -> Send: the destination is there, it takes these keys, and the templates in them parse."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from hub.config.conditions import read_conditions
from hub.config.mirroring import SendTarget, mirroring
from hub.config.names import is_fixed, is_right
from hub.config.report import Report
from hub.config.shape import check_shape, key_names
from hub.config.template_syntax import check_text, no_template
from hub.config.values import Duration, Texts
from hub.destinations.base import Block, Destination
from hub.humanize import did_you_mean, kind_of, there_are
from hub.model.problem import Code
from hub.model.routing import Send, positioned
from hub.templating.flaws import Flaw
from hub.templating.marks import Inline, Structure, TemplateName
from hub.templating.placeholders import inside_at
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Path

INSIDE = "a variable is text and cannot stand inside {{ }} or {% %}: put ${NAME} outside of them"

_READ_BY_PEOPLE = ("text", "html", "subject", "recipient", "cc", "bcc", "from", "reply_to")
"""Keys in which a variable is no secret: what it holds is for the readers of the message."""


class SendBlock(Block):
    """The keys of every send block, beside those of its destination's type."""

    to: str = Field(description="the name of a destination")
    when: Texts | None = Field(default=None, description="a Jinja expression, or a list that must all hold")
    max_age: Duration | None = Field(default=None, description="nothing of an older event is sent")


SEND_KEYS = key_names(SendBlock)


def read_sends(
    report: Report, path: Path, targets: Mapping[str, SendTarget], sandbox: Sandbox
) -> tuple[Send, ...]:
    """Return the sends at a path: a destination's name, one block, or a list of either.

    `${NAME}` stays in a block's templates: what it owes waits for those that are not set, with a warning.
    Where it is no template, as in `to`, it must have a default.
    """
    value = report.value_at(path)
    blocks = [(*path, index) for index in range(len(value))] if isinstance(value, list) else [path]
    sends = [
        mirroring(report, block, send, targets[send.to])
        for block in blocks
        if (send := _read_send(report, block, targets, sandbox))
    ]
    return positioned(sends)


def marks_of(field: FieldInfo) -> tuple[object, ...]:
    """Return the marks of a send block's field that say which templates it holds, also inside `… | None`."""
    return (*field.metadata, *_marks(field.annotation))


def _read_send(
    report: Report, path: Path, targets: Mapping[str, SendTarget], sandbox: Sandbox
) -> Send | None:
    value = report.value_at(path)
    if isinstance(value, str):
        return _named(report, path, targets)
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
    send = _named(report, (*path, "to"), targets)
    return _with_fields(report, path, send, targets[send.to], sandbox) if send else None


def _named(report: Report, path: Path, targets: Mapping[str, SendTarget]) -> Send | None:
    def check(name: str) -> tuple[Code, str] | None:
        if name in targets:
            return None
        message = f'there is no destination "{name}"{_destination_meant(name, targets)}'
        return Code.UNKNOWN_DESTINATION, message

    if "destinations" in report.misnamed or not is_fixed(report, path):
        return None
    if not is_right(report, path, check, "it names no destination"):
        return None
    to = report.value_at(path)
    return Send(to=to, max_age_seconds=targets[to].max_age_seconds, line=report.document.at(path).line)


def _destination_meant(name: str, targets: Collection[str]) -> str:
    if "@" in name:
        return '; "to" names a destination, an address of a mail goes under "recipient"'
    if "://" in name or name.startswith("#"):
        return '; "to" names one: put the address or channel into a block under destinations'
    return did_you_mean(name, targets, there_are(targets, "; add it under destinations"))


def shortest(*seconds: float | None) -> float | None:
    """Return the shortest of the spans that are there; None where none is."""
    return min((span for span in seconds if span is not None), default=None)


def _with_fields(report: Report, path: Path, send: Send, target: SendTarget, sandbox: Sandbox) -> Send:
    """Return the send with all its keys, checked as far as the type of its destination is known."""
    own_keys = key_names(target.type.Send) if target.type else ()
    noun = f'a send to "{send.to}"' + (f" (type {target.type.type})" if target.type else "")
    is_fixed(report, (*path, "max_age"))
    conditions, undecided = read_conditions(
        report, path, sandbox, "this send block is not decided until it is"
    )
    common = check_shape(
        report, path, SendBlock, keys=SEND_KEYS, noun=noun, other_keys=own_keys, lenient=True
    )
    fields, unset = _read_fields(report, path, noun, target, sandbox)
    return Send(
        to=send.to,
        fields=fields,
        when=conditions,
        undecided=undecided,
        max_age_seconds=shortest(send.max_age_seconds, common.max_age if common else None),
        unset=unset,
        line=report.document.at(path).line,
    )


def _read_fields(
    report: Report, path: Path, noun: str, target: SendTarget, sandbox: Sandbox
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the keys that the type of a destination has, and the variables in them that are not set."""
    keys = [key for key in report.value_at(path) if key not in SEND_KEYS]
    templates = [*template_keys(target.type.Send)] if target.type else keys
    for key in templates:
        report.leave((*path, key))
        if key not in _READ_BY_PEOPLE:
            report.keep_secret((*path, key))
    unset: dict[str, None] = {}
    if target.type is not None:
        for key in keys:
            if key in templates:
                effect = "what this send block owes waits until it is"
                unset |= dict.fromkeys(report.warn_unset((*path, key), effect))
                report.warn_quotes((*path, key))
        is_fixed(report, *((*path, key) for key in keys if key not in templates))
        shape = target.type.Send
        _check_fields(report, path, shape, keys, sandbox)
        free = [key for key, field in shape.model_fields.items() if field.annotation is Any]
        model = check_shape(
            report, path, shape, keys=keys, noun=noun, other_keys=SEND_KEYS, nullable=free, lenient=True
        )
        _check_keys(report, path, target.type.check_send_keys(frozenset(target.own), frozenset(keys)))
        if model is not None:
            _check_block(report, path, keys, target.type, target, model)
    return {key: report.value_at((*path, key)) for key in keys}, tuple(unset)


def template_keys(shape: type[BaseModel]) -> Iterator[str]:
    """Yield the keys of a send block whose texts are templates."""
    for name, field in shape.model_fields.items():
        if any(isinstance(mark, Structure | Inline) for mark in marks_of(field)):
            yield field.alias or name


def _check_keys(report: Report, path: Path, flaws: Iterable[Flaw]) -> None:
    for flaw in flaws:
        tell = report.error if flaw.is_sure else report.warn
        tell((*path, *flaw.path), Code.BAD_SEND, flaw.message, key=flaw.is_about_key)


def _check_block(
    report: Report,
    path: Path,
    keys: Collection[str],
    destination: type[Destination],
    target: SendTarget,
    model: Block,
) -> None:
    """Report what a destination says of a whole block: of the file, and of the values of variables in it."""
    options = target.options
    with_values = list(destination.check(options, model))
    by_file = with_values
    if report.has_values(path) or not target.is_fixed:
        written = destination.Send.model_validate({key: report.written_at((*path, key)) for key in keys})
        by_file = list(destination.check(options if target.is_fixed else None, written))
    for message in by_file:
        _report_own(report, path, keys, destination.Send, message)
    for message in with_values:
        if message not in by_file and report.has_values(path):
            report.unusable(path, message)
            for key in keys:
                report.fall_back((*path, key))
        elif message not in by_file:
            report.tolerate(path, Code.BAD_SEND, message)


def _report_own(
    report: Report, path: Path, fields: Collection[str], shape: type[BaseModel], message: str
) -> None:
    """Report a destination's own message, at the key that it begins with where there is one."""
    first = message.partition(" ")[0].strip('"`:,')
    where = (*path, first) if first in fields else path
    text = report.raw_at(where) if first in fields and first not in template_keys(shape) else None
    opening = no_template(where, text) if isinstance(text, str) else None
    if opening is not None:
        report.error(where, Code.NOT_A_TEMPLATE, opening[1], offset=opening[0])
        return
    report.error(where, Code.BAD_SEND, message, key=first in fields)


def _check_fields(
    report: Report, path: Path, model: type[BaseModel], fields: Collection[str], sandbox: Sandbox
) -> None:
    for name, field in model.model_fields.items():
        key = field.alias or name
        for mark in marks_of(field) if key in fields else ():
            if isinstance(mark, TemplateName):
                _check_template_name(report, (*path, key), mark, sandbox)
            elif isinstance(mark, Structure | Inline):
                _check_texts(report, (*path, key), sandbox)


def _check_texts(report: Report, path: Path, sandbox: Sandbox) -> None:
    """Check every text at or below a path as a template."""
    for where, _ in report.document.texts(path):
        text = report.value_at(where)
        inside = inside_at(text)
        if inside is not None:
            report.error(where, Code.BAD_VARIABLE, INSIDE, offset=inside)
            continue
        for problem in check_text(sandbox, text):
            report.error(where, problem.code, problem.message, offset=problem.offset)


def _check_template_name(report: Report, path: Path, mark: TemplateName, sandbox: Sandbox) -> None:
    def check(name: str) -> tuple[Code, str] | None:
        wanted = [name + suffix for suffix in mark.suffixes]
        if any(file in sandbox.templates for file in wanted):
            return None
        known = _template_names(mark, sandbox)
        ending = next((suffix for suffix in mark.suffixes if name.endswith(suffix)), None)
        if ending and name in sandbox.templates:
            close = f'; write "{name.removesuffix(ending)}", without the ending'
        else:
            close = did_you_mean(name, known, there_are(known, "; add it"))
        return Code.MISSING_TEMPLATE, f"there is no {' and no '.join(wanted)} in the templates folder{close}"

    is_right(report, path, check, f"it names no template ({' or '.join(mark.suffixes)})")


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
