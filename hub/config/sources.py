"""`sources:` -> SourceConfig: who sends events, where they arrive and what proves them genuine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field

from hub.config.names import check_allowed, is_fixed, is_known_type, named_blocks
from hub.config.report import Report
from hub.config.shape import check_shape
from hub.config.values import (
    Duration,
    EventTypes,
    OptionalPatterns,
    Secrets,
    SourcePath,
    TextList,
    is_pattern,
)
from hub.destinations.base import Block
from hub.durations import parse_duration
from hub.model.config import SHORTEST_KEY_BYTES, SigningSecrets, SourceConfig
from hub.model.problem import Code
from hub.sources.base import find_source, source_types
from hub.yamldoc import Path


class SourceBlock(Block):
    """A named sender."""

    type: str = Field(description="clerk, or svix for the same signatures without Clerk's typed events")
    path: SourcePath = Field(description="where its requests arrive, such as /api/webhooks")
    signing_secret: Secrets = Field(description="the secret it signs with, or a list while one is rotated")
    ignore: OptionalPatterns = Field(default=[], description="event types answered with 200 and not kept")
    extra_events: EventTypes = Field(default=[], description="event types that the catalog does not know")
    max_silence: Duration | None = Field(
        default=None, description="tell when nothing genuine came for so long; left out: never"
    )
    allow: TextList = Field(default=[], description="codes of problems that are fine here")


def read_sources(report: Report, sections: Mapping[str, Any]) -> dict[str, SourceConfig]:
    """Return the sources by their names, each as far as it is right."""
    sources: dict[str, SourceConfig] = {}
    paths: dict[str, str] = {}
    for name in named_blocks(report, sections, "sources"):
        source = _read_source(report, name)
        if source is None:
            continue
        sources[name] = source
        where: Path = ("sources", name, "path")
        if source.path in paths and report.has_values(where):
            report.unusable(where, f'the source "{paths[source.path]}" has that path already')
            report.fall_back(where)
            source = sources[name] = replace(source, path=report.value_at(where))
        if source.path in paths:
            message = f'the source "{paths[source.path]}" has this path already; give each its own'
            report.error(where, Code.DUPLICATE_PATH, message)
        paths.setdefault(source.path, name)
    return sources


def _read_source(report: Report, name: str) -> SourceConfig | None:
    """Return a source as far as it is right; its problems are reported."""
    path: Path = ("sources", name)
    if name == "hub":
        message = 'the name "hub" is kept for what the hub itself has to say; take another'
        report.error(path, Code.BAD_NAME, message, key=True)
    check_shape(report, path, SourceBlock, noun=f'the source "{name}"', lenient=True)
    value = report.value_at(path)
    if not isinstance(value, dict):
        return None
    is_fixed(report, *((*path, key) for key in ("type", "path", "allow")))
    check_allowed(report, path)
    is_known_type(report, path, source_types(), "source")
    return SourceConfig(
        name=name,
        type=str(value.get("type")),
        path=str(value.get("path")),
        signing=_read_secrets(report, path),
        ignore=_read_event_types(report, (*path, "ignore")),
        extra_events=_read_event_types(report, (*path, "extra_events")),
        max_silence_seconds=_read_silence(report, (*path, "max_silence")),
    )


def _read_secrets(report: Report, path: Path) -> SigningSecrets:
    """Return the secrets that can be used, and what is wrong with the others, which is reported.

    Of a list some may be unset: a rotation ends by removing the old secret's variable.
    """
    where: Path = (*path, "signing_secret")
    secrets: list[str] = []
    variables: list[str] = []
    faults: list[str] = []
    for secret_path, text in report.texts_of(where):
        variables += report.names_in(secret_path)
        if len(text) >= SHORTEST_KEY_BYTES:  # what is shorter may be any word, which others write, too
            report.keep_secret(secret_path)
        fault = None if report.lacking(secret_path) else _secret_fault(report, path, text)
        if fault is not None and report.has_values(secret_path):
            report.unusable(secret_path, f"it {fault}")
        elif fault is not None:
            report.error(secret_path, Code.BAD_VALUE, f'"signing_secret" {fault}')
            faults.append(f'"signing_secret" {fault}')
        elif text and not report.lacking(secret_path):
            secrets.append(text)
    effect = "that secret is left out" if secrets else f'the source "{path[-1]}" answers 503 until it is'
    report.warn_unset(where, effect)
    if secrets:
        return SigningSecrets(secrets=tuple(secrets), variables=tuple(variables))
    return SigningSecrets(
        secrets=(),
        variables=tuple(variables),
        missing=report.lacking(where),
        fault="; ".join(filter(None, [report.fault_below(where), *faults])) or "it has no signing secret",
    )


def _secret_fault(report: Report, path: Path, secret: str) -> str | None:
    """Return what is wrong with a secret of the source at a path; None where it can be used or is empty."""
    if not secret:
        return None
    if any(map(str.isspace, secret)):
        return "has white space in it; copy it again without"
    kind = find_source(str(report.value_at(path).get("type")))
    return kind.check_secret(secret) if kind else None


def _read_silence(report: Report, path: Path) -> float | None:
    """Return the longest silence that is not told, in seconds; None where none is."""
    report.warn_unset(path, "no silence of this source is told")
    duration = next((parse_duration(text) for _, text in report.texts_of(path)), None)
    return duration.total_seconds() if duration else None


def _read_event_types(report: Report, path: Path) -> tuple[str, ...]:
    """Return the event types of a key that may name none; an unset variable names none."""
    report.warn_unset(path, f"{path[-1]} goes without it")
    value = report.value_at(path[:-1]).get(path[-1])
    if isinstance(value, dict):
        return tuple(value)
    return tuple(text for _, text in report.texts_of(path) if is_pattern(text))
