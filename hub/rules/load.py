"""The user's files -> Config, or every problem at once: parsed by `config`, then checked by `lint`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path as FilePath

from hub.config.files import Files, read_files
from hub.config.report import presentable
from hub.config.routes_file import parse_files
from hub.errors import ConfigError
from hub.lint import check_routes
from hub.model.config import Config
from hub.model.problem import Code, Problem, Severity
from hub.rules.apart import apart
from hub.rules.mirrors import check_mirrors
from hub.rules.structures import check_config_structures
from hub.rules.texts import check_config_texts
from hub.rules.trial import CHECK_SECONDS, try_samples
from hub.yamldoc import Document


@dataclass(frozen=True, kw_only=True)
class CheckedFiles:
    """The user's files, parsed and checked. `tolerated` are problems with which a hub starts.

    Those are what only the catalog tells, values of the environment that are no good, what is known here of a
    place's limits, and what has the right shape and is surely not meant.
    `config` holds all that is right in them, whatever else is wrong; None where the YAML does not parse.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    tolerated: tuple[Problem, ...] = ()
    document: Document | None = None

    @property
    def is_usable(self) -> bool:
        return self.config is not None and not _has_error(self.problems)


def load_config(path: FilePath, templates: FilePath, environment: Mapping[str, str]) -> Config:
    """Return the configuration to run by, with its warnings; raises ConfigError with every problem.

    A problem that only the catalog tells is a warning here: Clerk adds events and fields without asking.
    """
    return usable_config(read_files(path, templates), environment)


def usable_config(files: Files, environment: Mapping[str, str], *, trial_seconds: float = 0.0) -> Config:
    """Do as `load_config`, with files that were read before; samples are tried for so long, in a child."""
    checked = tried(check_files(files, environment), files, trial_seconds, in_child=True)
    softened = (replace(problem, severity=Severity.WARNING) for problem in checked.tolerated)
    problems = tuple(sorted({*checked.problems, *softened}))
    if checked.config is None or not checked.is_usable:
        raise ConfigError(problems)
    return replace(checked.config, warnings=problems)


def read_config(
    path: FilePath, templates: FilePath, environment: Mapping[str, str]
) -> tuple[Config | None, tuple[Problem, ...]]:
    """Return the configuration, None where it has an error, and all its problems by file and line.

    A problem that only the catalog tells counts in full.
    """
    try:
        files = read_files(path, templates)
    except ConfigError as error:
        return None, error.problems
    checked = tried(check_files(files, environment), files, CHECK_SECONDS)
    problems = tuple(sorted({*checked.problems, *checked.tolerated}))
    if checked.config is None or _has_error(problems):
        return None, problems
    return replace(checked.config, warnings=problems), problems


def check_files(files: Files, environment: Mapping[str, str]) -> CheckedFiles:
    """Parse and lint the user's files, as far as they can be read."""
    parsed = parse_files(files, environment)
    if parsed.config is None or parsed.document is None:
        return CheckedFiles(config=None, problems=presentable(parsed.problems))
    is_whole = not _has_error(parsed.problems)
    templates_folder = files.templates_folder.as_posix()
    tolerated = [
        *parsed.tolerated,
        *check_routes(parsed.config, parsed.document, is_whole=is_whole),
        *check_mirrors(parsed.config, parsed.document, is_whole=is_whole),
        *check_config_texts(parsed.config, parsed.document, templates_folder),
        *check_config_structures(parsed.config, parsed.document, templates_folder),
    ]
    return CheckedFiles(
        config=parsed.config,
        problems=presentable(parsed.problems),
        tolerated=presentable(tolerated),
        document=parsed.document,
    )


def tried(checked: CheckedFiles, files: Files, seconds: float, *, in_child: bool = False) -> CheckedFiles:
    """Return the files with the problems that samples meet in so many seconds; as they are for none.

    A mistake is told once: no failure where an error stands already, and no doubt where a failure does.
    """
    if not seconds or checked.config is None or checked.document is None:
        return checked
    try_all = partial(
        try_samples, checked.config, checked.document, files.templates_folder.as_posix(), seconds
    )
    failures = presentable(_problems_of_child(try_all) if in_child else try_all())
    failing = {_line(failure) for failure in failures if failure.severity is Severity.ERROR}
    known = (*checked.problems, *checked.tolerated, *failures)
    failures = tuple(failure for failure in failures if not _is_told(failure, known))
    rest = tuple(
        problem
        for problem in checked.tolerated
        if problem.code != Code.EMPTY_VALUE or _line(problem) not in failing
    )
    return replace(checked, tolerated=(*rest, *failures))


def _problems_of_child(work: Callable[[], list[Problem]]) -> list[Problem]:
    items = apart(lambda: [vars(problem) for problem in work()]) or []
    return [Problem(**{**item, "severity": Severity(item["severity"])}) for item in items]


def _is_told(failure: Problem, known: Iterable[Problem]) -> bool:
    """Return whether a problem of the same line tells the mistake: an error, or a warning of a variant."""
    return any(
        problem is not failure
        and _line(problem) == _line(failure)
        and (problem.severity is Severity.ERROR or problem.code != Code.TEMPLATE_FAILS)
        and (problem.severity is Severity.ERROR or failure.severity is Severity.WARNING)
        for problem in known
    )


def _line(problem: Problem) -> tuple[str, int]:
    return problem.file, problem.line


def _has_error(problems: tuple[Problem, ...]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)
