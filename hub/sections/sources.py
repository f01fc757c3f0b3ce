"""`sources:` -> SourceConfig: who sends events, where they arrive and what proves them genuine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from hub.codes import Code
from hub.destinations.base import Block
from hub.document import Path
from hub.models import SourceConfig
from hub.report import Report
from hub.sections.names import is_fixed, is_known_type, named_blocks
from hub.sections.values import EventTypes, Patterns, Secrets, SourcePath
from hub.shape import check_shape, key_names
from hub.sources.base import find_source, source_types


class SourceBlock(Block):
    """A named sender."""

    type: str = Field(description="clerk, or svix for the same signatures without Clerk's typed events")
    path: SourcePath = Field(description="where its requests arrive, such as /api/webhooks")
    signing_secret: Secrets = Field(description="the secret it signs with, or a list while one is rotated")
    ignore: Patterns = Field(default=[], description="event types answered with 200 and not kept")
    extra_events: EventTypes = Field(default=[], description="event types that the catalog does not know")


def read_sources(report: Report, sections: Mapping[str, Any]) -> dict[str, SourceConfig]:
    sources: dict[str, SourceConfig] = {}
    paths: dict[str, str] = {}
    for name in named_blocks(report, sections, "sources"):
        source = _read_source(report, name)
        if source is None:
            continue
        sources[name] = source
        if source.path in paths:
            said = f'the source "{paths[source.path]}" has this path already; give each its own'
            report.error(("sources", name, "path"), Code.DUPLICATE_PATH, said)
        paths.setdefault(source.path, name)
    return sources


def _read_source(report: Report, name: str) -> SourceConfig | None:
    path: Path = ("sources", name)
    if name == "hub":
        said = 'the name "hub" is kept for what the hub itself has to say; take another'
        report.error(path, Code.BAD_NAME, said, key=True)
    fixed = is_fixed(report, path, "type", "path")
    block = check_shape(report, path, SourceBlock, report.value_at(path), noun=f'the source "{name}"')
    is_known_type(report, path, source_types(), "source")
    missing = report.warn_unset(path, f'the source "{name}" answers 503 until it is') if fixed else ()
    if missing:
        return _source_that_waits(report, path, missing)
    if block is None or not fixed:
        return None
    _check_secrets(report, path, block)
    return SourceConfig(
        name=name,
        type=block.type,
        path=block.path,
        secrets=tuple(block.signing_secret),
        ignore=tuple(block.ignore),
        extra_events=tuple(block.extra_events),
    )


def _source_that_waits(report: Report, path: Path, missing: tuple[str, ...]) -> SourceConfig | None:
    """A source whose variables are not set: checked again without them, it serves 503 under its path."""
    known = {
        key: value
        for key, value in report.value_at(path).items()
        if not report.unset_below((*path, key)) and key in key_names(SourceBlock)
    }
    known.setdefault("signing_secret", "waits")
    try:
        block = SourceBlock.model_validate(known)
    except ValueError:
        return None
    return SourceConfig(
        name=str(path[-1]),
        type=block.type,
        path=block.path,
        secrets=(),
        missing=missing,
        ignore=tuple(block.ignore),
        extra_events=tuple(block.extra_events),
    )


def _check_secrets(report: Report, path: Path, block: SourceBlock) -> None:
    """Ask the source's type whether it can sign with its secrets."""
    judge = getattr(find_source(block.type), "check_secret", None)
    where: Path = (*path, "signing_secret")
    is_list = isinstance(report.value_at(where), list)
    for index, secret in enumerate(block.signing_secret if judge else ()):
        said = judge(secret) if judge else None
        if said:
            place = (*where, index) if is_list else where
            report.error(place, Code.BAD_VALUE, f'"signing_secret" {said}')
