"""The user's files -> Config and every problem of their shape, each with its line and column.

What an unset `${NAME}` means depends on where it stands. It is a warning, so that a first deploy and a check
in CI need no secret; one whose value is no good means the same, and is an error that only `hub check` fails
on:

    signing_secret              the source waits: `missing` names the variable
    a destination's keys        the destination waits: `missing` names the variable
    defaults                    the default holds
    texts of a send block       what the block owes waits: `unset` names the variable
    when                        the route is not decided: `unset` names the variable
    names and types             it must have a default, which holds (also path, events, source, to, template)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Field

from hub import yamldoc
from hub.config.destinations import read_defaults, read_destinations
from hub.config.files import Files
from hub.config.names import OWN_PREFIX
from hub.config.plausibility import check_plausibility
from hub.config.report import Report
from hub.config.routes import ProblemsBlock, UnmatchedBlock, read_routes, read_send_section
from hub.config.shape import key_meant, key_names
from hub.config.sources import read_sources
from hub.config.template_files import decode_templates
from hub.config.template_syntax import check_templates
from hub.destinations.base import Block
from hub.humanize import kind_of, listed
from hub.model.config import Config
from hub.model.problem import Code, Problem
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Document

OWN_SECRETS = ("HUB_PASSWORD", "DATABASE_URL")
"""Variables that are secrets although routes.yaml need not name them."""


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
class ParsedFiles:
    """The user's files, parsed. `config` holds all that is right in them, whatever else is wrong.

    `config` and `document`, which has the positions, are None where the YAML does not parse. `tolerated` are
    the problems of values of the environment: a hub starts all the same.
    """

    config: Config | None
    document: Document | None
    problems: tuple[Problem, ...]
    tolerated: tuple[Problem, ...] = ()


def parse_files(files: Files, environment: Mapping[str, str]) -> ParsedFiles:
    """Parse the user's files and check their shape, with `${NAME}` replaced from the environment."""
    texts, undecodable = decode_templates(files.templates, files.templates_folder)
    problems = [*files.problems, *undecodable, *check_templates(texts, files.templates_folder)]
    document, syntax_problems = yamldoc.parse(files.content, files.path.as_posix())
    problems += syntax_problems
    if document is None:
        return ParsedFiles(config=None, document=None, problems=tuple(problems))
    report = Report(document, environment)
    config = _read_sections(report, files.version, texts)
    config = replace(
        config,
        environment=environment,
        secrets=(*report.secrets, *OWN_SECRETS),
        certificate_files=tuple(report.files),
    )
    return ParsedFiles(
        config=config,
        document=document,
        problems=(*problems, *report.problems),
        tolerated=tuple(report.tolerated),
    )


def _read_sections(report: Report, version: str, templates: Mapping[str, str]) -> Config:
    """Read the file section by section: a problem of one hides none of another."""
    sections = _read_top(report)
    sources = read_sources(report, sections)
    defaults = read_defaults(report, sections)
    destinations, targets = read_destinations(report, sections, defaults)
    sandbox = Sandbox(templates)
    config = Config(
        version=version,
        sources=sources,
        destinations=destinations,
        routes=read_routes(report, sections, targets, sandbox),
        unmatched=read_send_section(report, sections, "unmatched", UnmatchedBlock, targets, sandbox),
        problems=read_send_section(report, sections, "problems", ProblemsBlock, targets, sandbox),
        timezone=defaults.timezone,
        templates=templates,
    )
    check_plausibility(report, targets)
    return config


def _read_top(report: Report) -> dict[str, Any]:
    """Return the sections, after a check of their names and of the version."""
    value = report.value
    if value is None:
        report.error((), Code.MISSING_KEY, "the file is empty; begin it with: version: 1")
        return {}
    if not isinstance(value, dict):
        message = f"the file must be a mapping of sections (version, sources, …), not {kind_of(value)}"
        report.error((), Code.WRONG_TYPE, message)
        return {}
    _check_version(report, value)
    known = key_names(RoutesFile)
    for name in value:
        if name.startswith(OWN_PREFIX):
            continue
        if name not in known:
            meant = key_meant(name, known, value)
            close = f'; did you mean "{meant}"?' if meant else f"; there are {listed(known)}"
            report.error((name,), Code.UNKNOWN_KEY, f'there is no section "{name}"{close}', key=True)
            report.misnamed.add(meant)
        elif name != "version" and report.raw_at((name,)) is None:
            # The file may have been cut off here: a hub that went on would drop what stood below.
            report.error(
                (name,), Code.BAD_VALUE, f"{name} is empty; fill it, or take its line away", key=True
            )
    if "sources" not in value and "sources" not in report.misnamed:
        message = "there is no sources section, so nothing could be received; add it"
        report.error((), Code.MISSING_KEY, message)
    return value


def _check_version(report: Report, sections: Mapping[str, Any]) -> None:
    if "version" not in sections:
        report.error((), Code.MISSING_KEY, "the version is missing; begin the file with: version: 1")
    elif report.raw_at(("version",)) != 1 or isinstance(sections["version"], bool):
        message = "this hub reads version 1 of the format; write: version: 1"
        report.error(("version",), Code.BAD_VERSION, message)
