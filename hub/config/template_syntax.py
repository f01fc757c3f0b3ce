"""The syntax of templates and conditions, each checked by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

import jinja2
from jinja2 import nodes

from hub import yamldoc
from hub.config.foreign_syntax import foreign_syntax
from hub.humanize import did_you_mean
from hub.model.problem import Code, Problem, error_at
from hub.strings import shortened
from hub.templating.environment import AVAILABLE_FILTERS
from hub.templating.filters import FILTERS
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Path

STRUCTURE_SUFFIX = ".yaml"

_OPENING = re.compile(r"\{\{|\{%")
_INSTEAD = {
    "to": "recipient is one",
    "url": "path is one",
    "from": "subject and text are some",
    "headers": "json and body are some",
}
"""By a key of a destination: the templates that take its place."""


@dataclass(frozen=True, kw_only=True)
class TemplateProblem:
    """A problem of one template; `offset` counts its characters."""

    offset: int
    code: Code
    message: str


def check_templates(texts: Mapping[str, str], folder: FilePath) -> list[Problem]:
    """Return the problems of the templates' syntax, also of those that no route uses."""
    sandbox = Sandbox(texts)
    problems: list[Problem] = []
    for name, text in texts.items():
        file = f"{folder.as_posix()}/{name}"
        if name.endswith(STRUCTURE_SUFFIX):
            problems.extend(_check_structure(sandbox, text, file))
        else:
            problems.extend(_at(file, text, problem) for problem in check_text(sandbox, text))
    return problems


def check_text(sandbox: Sandbox, text: str) -> Iterator[TemplateProblem]:
    """Yield the problems of one template: of its syntax, and files it includes that are not there."""
    try:
        tree = sandbox.parse(text, "template")
    except jinja2.TemplateSyntaxError as error:
        yield _syntax_problem(error, text, "the template")
    except Exception as error:  # noqa: BLE001 - Jinja compiles users' text to Python, which has limits of its own
        message = f"the template cannot be compiled ({type(error).__name__}); make it simpler"
        yield TemplateProblem(offset=0, code=Code.TEMPLATE_SYNTAX, message=message)
    else:
        yield from _missing_includes(tree, text, sandbox.templates)


def check_condition(sandbox: Sandbox, text: str) -> TemplateProblem | None:
    """Return the problem of a condition that is no expression; None where it is one."""
    if text.lstrip().startswith(("{{", "{%")):
        return _condition_problem("a condition is an expression already; write it without {{ }}")
    try:
        sandbox.parse_condition(text)
    except jinja2.TemplateSyntaxError as error:
        is_longer = "chunk after expression" in (error.message or "")
        if is_longer and next(foreign_syntax(text, is_condition=True), None) is None:
            advice = "join two with and, or write a list of them"
            return _condition_problem(f"the condition goes on behind its end; {advice}")
        return _syntax_problem(error, text, "the condition")
    except Exception as error:  # noqa: BLE001 - as above
        return _condition_problem(
            f"the condition cannot be compiled ({type(error).__name__}); make it simpler"
        )
    return None


def no_template(path: Path, text: str) -> tuple[int, str] | None:
    """Return offset and message of template syntax in the value at a path, which is no template."""
    opening = _OPENING.search(text)
    if opening is None:
        return None
    names = [step for step in path if isinstance(step, str)]
    instead = "templates stand in the texts of a send block"
    if path[:1] == ("destinations",):
        field = next((_INSTEAD[name] for name in names[2:] if name in _INSTEAD), "")
        instead = f"in a send block {field}" if field else instead
    noun = f'"{names[-1]}"' if names else "this"
    message = f'{noun} is no template, "{opening[0]}" would stay as it is; {instead}'
    return opening.start(), message


def _condition_problem(message: str) -> TemplateProblem:
    return TemplateProblem(offset=0, code=Code.TEMPLATE_SYNTAX, message=message)


def _check_structure(sandbox: Sandbox, text: str, file: str) -> Iterator[Problem]:
    """Check a YAML file whose texts are templates."""
    tree, problems = yamldoc.parse(text.encode(), file)
    yield from problems
    for path, value in tree.texts() if tree else ():
        for problem in check_text(sandbox, value):
            position = tree.within(path, problem.offset) if tree else None
            if position:
                yield error_at(file, position.line, position.column, problem.code, problem.message)


def _at(file: str, text: str, problem: TemplateProblem) -> Problem:
    before = text[: problem.offset]
    column = problem.offset - before.rfind("\n")
    return error_at(file, before.count("\n") + 1, column, problem.code, problem.message)


def line_offset(text: str, line: int) -> int:
    """Return the offset of the first visible character of a text's line, which counts from 1."""
    lines = text.split("\n")
    line = min(line, len(lines))
    content = lines[line - 1]
    return sum(len(earlier) + 1 for earlier in lines[: line - 1]) + len(content) - len(content.lstrip())


def _missing_includes(
    tree: nodes.Template, text: str, templates: Mapping[str, str]
) -> Iterator[TemplateProblem]:
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        source = getattr(node, "template", None)
        name = source.value if isinstance(source, nodes.Const) else None
        if isinstance(name, str) and name not in templates and not getattr(node, "ignore_missing", False):
            message = f'there is no template "{name}"{did_you_mean(name, templates, "; add it")}'
            offset = line_offset(text, node.lineno)
            yield TemplateProblem(offset=offset, code=Code.MISSING_TEMPLATE, message=message)


def _syntax_problem(error: jinja2.TemplateSyntaxError, text: str, noun: str) -> TemplateProblem:
    """Return the problem that Jinja met, at the very word where that is known, and else at its line."""
    offset = line_offset(text, error.lineno or 1)
    message = " ".join((error.message or "").split()).rstrip(".")
    unknown_filter = re.fullmatch(r"No filter named '([^']*)'", message)
    foreign = _foreign_near(text, offset, is_condition=noun == "the condition")
    if unknown_filter:
        name = unknown_filter[1]
        written = re.compile(r"\|\s*" + re.escape(name)).search(text, offset)
        offset = written.end() - len(name) if written else offset
        ours = f"; there are Jinja's own and {', '.join(sorted(FILTERS))}"
        message = f'there is no filter "{name}"{did_you_mean(name, AVAILABLE_FILTERS, ours)}'
    elif foreign:
        offset, message = foreign
    else:
        message = f"{noun} does not parse: {message[:1].lower()}{shortened(message[1:], 200)}"
    return TemplateProblem(offset=offset, code=Code.TEMPLATE_SYNTAX, message=message)


def _foreign_near(text: str, offset: int, *, is_condition: bool) -> tuple[int, str] | None:
    """Return the first word of another language from an error on, or the last before it."""
    foreign = list(foreign_syntax(text, is_condition=is_condition))
    behind = [entry for entry in foreign if entry[0] >= offset]
    return next(iter(behind or foreign[-1:]), None)
