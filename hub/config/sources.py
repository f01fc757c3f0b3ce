"""`sources:` -> SourceConfig: who sends events, where they arrive and what proves them genuine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from hub.config.names import is_fixed, is_known_type, named_blocks
from hub.config.report import Report
from hub.config.shape import check_shape
from hub.config.values import EventTypes, Patterns, Secrets, SourcePath, is_pattern
from hub.destinations.base import Block
from hub.model.config import SourceConfig
from hub.model.problem import Code
from hub.sources.base import find_source, source_types
from hub.yamldoc import Path


class SourceBlock(Block):
    """A named sender."""

    type: str = Field(description="clerk, or svix for the same signatures without Clerk's typed events")
    path: SourcePath = Field(description="where its requests arrive, such as /api/webhooks")
    signing_secret: Secrets = Field(description="the secret it signs with, or a list while one is rotated")
    ignore: Patterns = Field(default=[], description="event types answered with 200 and not kept")
    extra_events: EventTypes = Field(default=[], description="event types that the catalog does not know")


def read_sources(report: Report, sections: Mapping[str, Any]) -> dict[str, SourceConfig]:
    """Return the sources by their names, each as far as it is right."""
    sources: dict[str, SourceConfig] = {}
    paths: dict[str, str] = {}
    for name in named_blocks(report, sections, "sources"):
        source = _read_source(report, name)
        if source is None:
            continue
        sources[name] = source
        if source.path in paths:
            message = f'the source "{paths[source.path]}" has this path already; give each its own'
            report.error(("sources", name, "path"), Code.DUPLICATE_PATH, message)
        paths.setdefault(source.path, name)
    return sources


def _read_source(report: Report, name: str) -> SourceConfig | None:
    """Return a source as far as it is right; its problems are reported."""
    path: Path = ("sources", name)
    if name == "hub":
        message = 'the name "hub" is kept for what the hub itself has to say; take another'
        report.error(path, Code.BAD_NAME, message, key=True)
    check_shape(report, path, SourceBlock, report.value_at(path), noun=f'the source "{name}"')
    value = report.value_at(path)
    if not isinstance(value, dict):
        return None
    is_fixed(report, path, "type", "path")
    is_known_type(report, path, source_types(), "source")
    secrets, missing = _read_secrets(report, path)
    return SourceConfig(
        name=name,
        type=str(value.get("type")),
        path=str(value.get("path")),
        secrets=secrets,
        missing=missing,
        ignore=_read_event_types(report, (*path, "ignore")),
        extra_events=_read_event_types(report, (*path, "extra_events")),
    )


def _read_secrets(report: Report, path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the secrets that are set, and where none is, the variables that are not.

    Of a list some may be unset: a rotation ends by removing the old secret's variable.
    """
    where: Path = (*path, "signing_secret")
    texts = report.texts_of(where)
    secrets = [(path, text) for path, text in texts if text and not report.unset_below(path)]
    if not secrets:
        return (), report.warn_unset(where, f'the source "{path[-1]}" answers 503 until it is')
    report.warn_unset(where, "that secret is left out")
    kind = find_source(str(report.value_at(path).get("type")))
    for secret_path, secret in secrets if kind else ():
        message = kind.check_secret(secret) if kind and not any(map(str.isspace, secret)) else None
        if message:
            report.error(secret_path, Code.BAD_VALUE, f'"signing_secret" {message}')
    return tuple(secret for _, secret in secrets), ()


def _read_event_types(report: Report, path: Path) -> tuple[str, ...]:
    """Return the event types of a key that may name none; an unset variable names none."""
    report.warn_unset(path, f"{path[-1]} goes without it")
    value = report.value_at(path[:-1]).get(path[-1])
    if isinstance(value, dict):
        return tuple(value)
    return tuple(text for _, text in report.texts_of(path) if is_pattern(text))
