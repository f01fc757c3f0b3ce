"""The user's files below the templates folder: read, and checked for syntax, each by itself."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2
from jinja2 import nodes

from hub import yamldoc
from hub.humanize import did_you_mean
from hub.model.problem import Code, Problem, Severity
from hub.templating.environment import AVAILABLE_FILTERS
from hub.templating.filters import FILTERS
from hub.templating.sandbox import Sandbox

SUFFIXES = (".j2", ".yaml")
STRUCTURE_SUFFIX = ".yaml"
FILE_LIMIT_BYTES = 256 * 1024
TOTAL_LIMIT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class TemplateProblem:
    """A problem of one template; `line` counts from 1 inside it."""

    line: int
    code: Code
    message: str


def read_templates(folder: Path) -> tuple[dict[str, bytes], list[Problem]]:
    """Return the bytes of every template by its path below the folder, and the files that were refused.

    Only `.j2` and `.yaml` files count, none that is hidden. A folder that is not there holds none.
    """
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    total = 0
    for path in template_paths(folder):
        content = _read(folder, path)
        if isinstance(content, str):
            problems.append(_problem(path.as_posix(), 1, 1, Code.UNREADABLE_FILE, content))
            continue
        total += len(content)
        if total > TOTAL_LIMIT_BYTES:
            message = f"the templates have more than {TOTAL_LIMIT_BYTES // 1024**2} MiB together; remove some"
            problems.append(_problem(folder.as_posix(), 1, 1, Code.UNREADABLE_FILE, message))
            break
        contents[path.relative_to(folder).as_posix()] = content
    return contents, problems


def decode_templates(contents: Mapping[str, bytes], folder: Path) -> tuple[dict[str, str], list[Problem]]:
    """Return the templates as text, and those that are not UTF-8."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for name, content in contents.items():
        try:
            texts[name] = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            message = yamldoc.not_utf8(content, error)
            problems.append(_problem(f"{folder.as_posix()}/{name}", line, 1, Code.UNREADABLE_FILE, message))
    return texts, problems


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
                _problem(file, problem.line, 1, problem.code, problem.message)
                for problem in check_text(sandbox, text)
            )
    return problems


def check_text(sandbox: Sandbox, text: str) -> Iterator[TemplateProblem]:
    """Return the problems of one template: of its syntax, and files it includes that are not there."""
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


def template_paths(folder: Path) -> Iterator[Path]:
    """Return the files that count as templates, in the order of their names."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                yield Path(here) / name


def _read(folder: Path, path: Path) -> bytes | str:
    """Return a template's bytes, or a message why it is refused."""
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return "this link leads out of the templates folder; put the file itself here"
        if not path.is_file():
            return "this is no plain file; remove it"
        size = path.stat().st_size
        if size > FILE_LIMIT_BYTES:
            return f"the template has {size // 1024} KiB; at most {FILE_LIMIT_BYTES // 1024} KiB are read"
        return path.read_bytes()
    except OSError as error:
        return f"the template cannot be read: {(error.strerror or 'unknown error').lower()}"


def _check_structure(sandbox: Sandbox, text: str, file: str) -> Iterator[Problem]:
    """Check a YAML file whose texts are templates."""
    tree, problems = yamldoc.parse(text.encode(), file)
    yield from problems
    for path, value in tree.texts() if tree else ():
        for problem in check_text(sandbox, value):
            place = tree.within(path, line_offset(value, problem.line)) if tree else None
            if place:
                yield _problem(file, place.line, place.column, problem.code, problem.message)


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


def _problem(file: str, line: int, column: int, code: Code, message: str) -> Problem:
    return Problem(file=file, line=line, column=column, severity=Severity.ERROR, code=code, message=message)
