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
from hub.destinations.base import ApiUrl, Block
from hub.durations import parse_duration
from hub.model.config import SHORTEST_KEY_BYTES, BackendAccess, SigningSecrets, SourceConfig
from hub.model.problem import Code
from hub.sources.base import find_source, source_types
from hub.yamldoc import Path

API_URL = "https://api.clerk.com/v1"


class SourceBlock(Block):
    """A named sender."""

    type: str = Field(description="clerk, or svix for the same signatures without Clerk's typed events")
    path: SourcePath = Field(description="where its requests arrive, such as /api/webhooks")
    signing_secret: Secrets = Field(description="the secret it signs with, or a list while one is rotated")
    secret_key: str | None = Field(
        default=None, description="Clerk's, for hub sync and hub gaps, which only read: ${CLERK_SECRET_KEY}"
    )
    api_url: ApiUrl = Field(default=API_URL, description="the base of Clerk's Backend API, for tests")
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
        backend=_read_backend(report, path, value),
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


def _read_backend(report: Report, path: Path, value: Mapping[str, Any]) -> BackendAccess | None:
    """Return the way to the sender's API; None where no key is written, or its type has no such API."""
    where: Path = (*path, "secret_key")
    kind = find_source(str(value.get("type")))
    for key in ("secret_key", "api_url") if kind and not kind.typed else ():
        if key in value:
            message = f'"{key}" is for a source of type clerk: no other has objects to be read'
            report.error((*path, key), Code.UNKNOWN_KEY, message, key=True)
    if kind is None or not kind.typed or "secret_key" not in value:
        return None
    report.keep_secret(where)
    report.warn_unset(where, "hub sync and hub gaps cannot read from Clerk")
    report.warn_unset((*path, "api_url"), "Clerk's own address holds")
    key = value["secret_key"] if isinstance(value["secret_key"], str) else ""
    fault = None if report.lacking(where) else _key_fault(key)
    if fault is not None and report.has_values(where):
        report.unusable(where, f"it {fault}")
    elif fault is not None:
        report.error(where, Code.BAD_VALUE, f'"secret_key" {fault}')
    url = value.get("api_url")
    is_own = isinstance(url, str) and not report.lacking((*path, "api_url"))
    return BackendAccess(
        secret_key="" if fault is not None or report.lacking(where) else key,
        api_url=str(url).rstrip("/") if is_own else API_URL,
        missing=report.lacking(where),
        fault=report.fault_below(where) or fault or "",
    )


def _key_fault(key: str) -> str | None:
    """Return what is wrong with a secret key, without showing it; None where it can be used."""
    if not key.isascii() or not key.isprintable() or " " in key:
        return "has characters in it that no key has; copy it again"
    if key.startswith(("pk_", "whsec_")):
        other = "the publishable key" if key.startswith("pk_") else "the signing secret"
        return f"is {other}; take the secret key, which begins with sk_"
    is_key = key.startswith("sk_") and len(key) >= SHORTEST_KEY_BYTES
    return None if is_key else "is no secret key: one begins with sk_live_ or sk_test_"


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
