"""routes.yaml and templates -> Config, or every problem at once, each with its line and column.

What an unset `${NAME}` means depends on where it stands; it is a warning wherever something can wait or a gap
can be borne, so that a first deploy and a check in CI need no secret:

    signing_secret, ignore      the source waits: `missing` names the variable
    a destination's keys        the destination waits: `missing` names the variable
    defaults                    the built-in default holds
    texts of a send block       that part of the message stays empty
    when                        the route takes nothing
    names and types             an error (also path, events, source, to): nothing can be checked without them
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any, Literal

from pydantic import Field

from hub import yamldoc
from hub.config.destinations import read_defaults, read_destinations
from hub.config.report import Report, presentable, unreadable
from hub.config.routes import ProblemsBlock, UnmatchedBlock, read_routes, read_send_section
from hub.config.shape import key_names
from hub.config.sources import read_sources
from hub.config.template_files import check_templates, decode_templates, read_templates, template_paths
from hub.destinations.base import Block
from hub.errors import ConfigError
from hub.humanize import did_you_mean, kind_of, listed
from hub.lint import check
from hub.model.config import Config
from hub.model.problem import Code, Problem, Severity
from hub.templating.sandbox import Sandbox

Stamp = tuple[tuple[str, int, int, int], ...]


class RoutesFile(Block):
    """The whole of routes.yaml, section by section."""

    version: Literal[1] = Field(description="the version of this format: 1")
    sources: dict[str, Any] = Field(description="who sends events")
    defaults: Any = Field(default=None, description="what holds for every destination")
    destinations: Any = Field(default=None, description="where messages go")
    routes: Any = Field(default=None, description="which events send what where")
    unmatched: Any = Field(default=None, description="what to do with events that no route matched")
    problems: Any = Field(default=None, description="where to tell what the hub itself has to say")


@dataclass(frozen=True, kw_only=True)
class Files:
    """What is on the disk, as it is; `problems` are files that were refused."""

    path: FilePath
    templates_folder: FilePath
    content: bytes
    templates: Mapping[str, bytes]
    problems: tuple[Problem, ...] = ()

    @property
    def version(self) -> str:
        """Changes with any byte of any of them."""
        digest = hashlib.sha256(hashlib.sha256(self.content).digest())
        for name, content in sorted(self.templates.items()):
            digest.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
            digest.update(hashlib.sha256(content).digest())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """All that was found: `problems` in the files themselves, `findings` from the catalog.

    `config` holds what was right, whatever else was wrong; None where the YAML does not parse.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    findings: tuple[Problem, ...] = ()

    @property
    def is_usable(self) -> bool:
        return self.config is not None and not any(p.severity is Severity.ERROR for p in self.problems)


def load_config(path: FilePath, templates: FilePath, environment: Mapping[str, str]) -> Config:
    """The configuration to run by, with its warnings; raises ConfigError with every problem there is.

    What only the catalog can tell is a warning here: Clerk adds events and fields without asking.
    """
    return usable_config(find_files(path, templates), environment)


def usable_config(files: Files, environment: Mapping[str, str]) -> Config:
    """As `load_config`, of files that were read before."""
    reading = read_files(files, environment)
    warnings = [_softened(problem) for problem in reading.findings]
    everything = tuple(sorted({*reading.problems, *warnings}))
    if reading.config is None or not reading.is_usable:
        raise ConfigError(everything)
    return _with_warnings(reading.config, everything)


def read_config(
    path: FilePath, templates: FilePath, environment: Mapping[str, str]
) -> tuple[Config | None, tuple[Problem, ...]]:
    """The configuration where nothing is wrong, and all errors and warnings by file and line.

    What only the catalog can tell counts in full.
    """
    try:
        reading = read_files(find_files(path, templates), environment)
    except ConfigError as error:
        return None, error.problems
    everything = tuple(sorted({*reading.problems, *reading.findings}))
    is_good = reading.is_usable and not any(p.severity is Severity.ERROR for p in everything)
    return (_with_warnings(reading.config, everything) if reading.config and is_good else None), everything


def stamp_files(path: FilePath, templates: FilePath) -> Stamp:
    """What tells an edit of any of the user's files without reading them."""
    return tuple(_stamp(each) for each in (path, *template_paths(templates)))


def _stamp(path: FilePath) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (str(path), 0, 0, 0)
    return (str(path), found.st_ino, found.st_mtime_ns, found.st_size)


def find_files(path: FilePath, templates: FilePath) -> Files:
    """Read the user's files; raises ConfigError where routes.yaml cannot be read."""
    contents, problems = read_templates(templates)
    return Files(
        path=path,
        templates_folder=templates,
        content=_read_routes_file(path),
        templates=contents,
        problems=tuple(problems),
    )


def read_files(files: Files, environment: Mapping[str, str]) -> Reading:
    """All that the files say and all that is wrong with them."""
    texts, undecodable = decode_templates(files.templates, files.templates_folder)
    problems = [*files.problems, *undecodable, *check_templates(texts, files.templates_folder)]
    tree, syntax_problems = yamldoc.parse(files.content, files.path.as_posix())
    problems += syntax_problems
    if tree is None:
        return Reading(config=None, problems=presentable(problems))
    report = Report(tree, environment)
    config = _read_sections(report, files.version, texts)
    problems += report.problems
    is_whole = not any(p.severity is Severity.ERROR for p in problems)
    findings = check(config, tree, files.templates_folder.as_posix(), is_whole=is_whole)
    return Reading(config=config, problems=presentable(problems), findings=presentable(findings))


def _read_routes_file(path: FilePath) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(yamldoc.FILE_LIMIT_BYTES + 1)
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        said = f"the configuration cannot be read: {reason}; set HUB_CONFIG or name the file"
        raise ConfigError([unreadable(path, said)]) from error


def _softened(problem: Problem) -> Problem:
    return replace(problem, severity=Severity.WARNING)


def _with_warnings(config: Config, warnings: tuple[Problem, ...]) -> Config:
    return replace(config, warnings=warnings)


# -- sections -------------------------------------------------------------------------------------


def _read_sections(report: Report, version: str, templates: Mapping[str, str]) -> Config:
    """The whole file, section by section: what is wrong in one hides nothing in another."""
    sections = _read_top(report)
    sources = read_sources(report, sections)
    defaults = read_defaults(report, sections)
    destinations, places = read_destinations(report, sections, defaults)
    sandbox = Sandbox(templates)
    _, unmatched = read_send_section(report, sections, "unmatched", UnmatchedBlock, places, sandbox)
    telling, problems = read_send_section(report, sections, "problems", ProblemsBlock, places, sandbox)
    return Config(
        version=version,
        sources=sources,
        destinations=destinations,
        routes=read_routes(report, sections, places, sandbox),
        unmatched=unmatched,
        problems=problems,
        quiet_after_seconds=telling.quiet_after if telling else None,
        templates=templates,
    )


def _read_top(report: Report) -> dict[str, Any]:
    """The sections there are, after a check of their names and of the version."""
    value = report.value
    if value is None:
        report.error((), Code.MISSING_KEY, "the file is empty; begin it with: version: 1")
        return {}
    if not isinstance(value, dict):
        said = f"the file must be a mapping of sections (version, sources, …), not {kind_of(value)}"
        report.error((), Code.WRONG_TYPE, said)
        return {}
    _check_version(report, value)
    known = key_names(RoutesFile)
    for name in value:
        if name not in known:
            close = did_you_mean(name, set(known) - set(value), f"; there are {listed(known)}")
            report.error((name,), Code.UNKNOWN_KEY, f'there is no section "{name}"{close}', key=True)
    if "sources" not in value:
        said = "there is no sources section, so nothing could be received; add it"
        report.error((), Code.MISSING_KEY, said)
    return value


def _check_version(report: Report, sections: Mapping[str, Any]) -> None:
    if "version" not in sections:
        report.error((), Code.MISSING_KEY, "the version is missing; begin the file with: version: 1")
    elif sections["version"] != 1 or isinstance(sections["version"], bool):
        said = "this hub reads version 1 of the format; write: version: 1"
        report.error(("version",), Code.BAD_VERSION, said)
