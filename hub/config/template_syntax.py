"""The syntax of templates and conditions, each checked by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
from jinja2 import nodes

from hub import yamldoc
from hub.humanize import did_you_mean
from hub.model.problem import Code, Problem, error_at
from hub.templating.environment import AVAILABLE_FILTERS
from hub.templating.filters import FILTERS
from hub.templating.sandbox import Sandbox

STRUCTURE_SUFFIX = ".yaml"


@dataclass(frozen=True, kw_only=True)
class TemplateProblem:
    """A problem of one template; `line` counts from 1 inside it."""

    line: int
    code: Code
    message: str


def check_templates(texts: Mapping[str, str], folder: Path) -> list[Problem]:
    """Return the problems of the templates' syntax, also of those that no route uses."""
    sandbox = Sandbox(texts)
    problems: list[Problem] = []
    for name, text in texts.items():
        file = f"{folder.as_posix()}/{name}"
        if name.endswith(STRUCTURE_SUFFIX):
            problems.extend(_check_structure(sandbox, text, file))
        else:
            problems.extend(
                error_at(file, problem.line, 1, problem.code, problem.message)
                for problem in check_text(sandbox, text)
            )
    return problems


def check_text(sandbox: Sandbox, text: str) -> Iterator[TemplateProblem]:
    """Yield the problems of one template: of its syntax, and files it includes that are not there."""
    try:
        tree = sandbox.parse(text, "template")
    except jinja2.TemplateSyntaxError as error:
        yield TemplateProblem(line=error.lineno or 1, code=Code.TEMPLATE_SYNTAX, message=_message(error))
    except Exception as error:  # noqa: BLE001 - Jinja compiles users' text to Python, which has limits of its own
        message = f"the template cannot be compiled ({type(error).__name__}); make it simpler"
        yield TemplateProblem(line=1, code=Code.TEMPLATE_SYNTAX, message=message)
    else:
        yield from _missing_includes(tree, sandbox.templates)


def check_condition(sandbox: Sandbox, text: str) -> str | None:
    """Return the message about a condition that is no expression; None where it is one."""
    if text.lstrip().startswith(("{{", "{%")):
        return "a condition is an expression already; write it without {{ }}"
    try:
        sandbox.parse_condition(text)
    except jinja2.TemplateSyntaxError as error:
        if "chunk after expression" in (error.message or ""):
            if re.search(r"[^=!<>]=(?!=)", text):
                return 'a condition compares with "==", not with "="'
            return "the condition goes on behind its end; join two with and, or write a list of them"
        return _message(error).replace("the template", "the condition")
    except Exception as error:  # noqa: BLE001 - as above
        return f"the condition cannot be compiled ({type(error).__name__}); make it simpler"
    return None


def _check_structure(sandbox: Sandbox, text: str, file: str) -> Iterator[Problem]:
    """Check a YAML file whose texts are templates."""
    tree, problems = yamldoc.parse(text.encode(), file)
    yield from problems
    for path, value in tree.texts() if tree else ():
        for problem in check_text(sandbox, value):
            position = tree.within(path, line_offset(value, problem.line)) if tree else None
            if position:
                yield error_at(file, position.line, position.column, problem.code, problem.message)


def line_offset(text: str, line: int) -> int:
    """Return the offset of the first visible character of a text's line, which counts from 1."""
    lines = text.split("\n")
    line = min(line, len(lines))
    content = lines[line - 1]
    return sum(len(earlier) + 1 for earlier in lines[: line - 1]) + len(content) - len(content.lstrip())


def _missing_includes(tree: nodes.Template, templates: Mapping[str, str]) -> Iterator[TemplateProblem]:
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        source = getattr(node, "template", None)
        name = source.value if isinstance(source, nodes.Const) else None
        if isinstance(name, str) and name not in templates and not getattr(node, "ignore_missing", False):
            message = f'there is no template "{name}"{did_you_mean(name, templates, "; add it")}'
            yield TemplateProblem(line=node.lineno, code=Code.MISSING_TEMPLATE, message=message)


def _message(error: jinja2.TemplateSyntaxError) -> str:
    message = " ".join((error.message or "").split()).rstrip(".")
    unknown_filter = re.fullmatch(r"No filter named '([^']*)'", message)
    if unknown_filter:
        name = unknown_filter[1]
        ours = f"; there are Jinja's own and {', '.join(sorted(FILTERS))}"
        return f'there is no filter "{name}"{did_you_mean(name, AVAILABLE_FILTERS, ours)}'
    message = message if len(message) <= 200 else message[:200] + "…"
    return f"the template does not parse: {message[:1].lower()}{message[1:]}"
