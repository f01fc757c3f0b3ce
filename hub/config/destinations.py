"""`defaults:` and `destinations:` -> DestinationConfig: where messages go; each type checks its own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from hub.config.certificates import read_certificates
from hub.config.mirroring import SendTarget
from hub.config.names import check_allowed, is_fixed, is_known_type, named_blocks
from hub.config.report import Report
from hub.config.shape import check_shape, key_names
from hub.config.values import AttemptDuration, Duration, RateLimitText, Retry, TextList, TimeZone
from hub.destinations.base import (
    Block,
    Destination,
    NetworkBlock,
    Proxy,
    destination_types,
    find_destination,
)
from hub.humanize import listed
from hub.model.destination import DestinationConfig, OnUnknown, RateLimit
from hub.model.problem import Code
from hub.yamldoc import Path

_FIXED = ("type", "enabled")
"""Keys whose default holds where a variable in them is no good: nothing can be read without them."""


Concurrency = Annotated[int, Field(ge=1, le=100)]

_CONCURRENCY = "how many messages may be on their way at once"
_ON_UNKNOWN = "what to do when a message may or may not have arrived"


class DefaultsBlock(Block):
    """The defaults of every destination that does not overrule them."""

    retry: Retry = Field(
        default=[5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0],
        description="the waits before each further attempt; after the last the delivery is dead",
    )
    timeout: AttemptDuration = Field(default=10.0, description="wall clock for one attempt")
    give_up_after: Duration = Field(default=3 * 86400.0, description="what waited so long is dead")
    concurrency: Concurrency | None = Field(default=None, description=_CONCURRENCY)
    rate_limit: RateLimitText | None = Field(
        default=None, description="at most so many messages to each destination: 50/s, /m, /h"
    )
    on_unknown: Literal["resend", "hold"] = Field(default=OnUnknown.RESEND.value, description=_ON_UNKNOWN)
    timezone: TimeZone = Field(default="UTC", description="of times in messages, such as Europe/Berlin")
    ca_cert: str | None = Field(default=None, description="an authority that all destinations trust, too")
    proxy: Proxy | None = Field(default=None, description="the proxy of all that send by HTTP")


class DestinationBlock(Block):
    """The keys that every destination takes, beside those of its type."""

    type: str = Field(description="what kind of place it is")
    enabled: bool = Field(default=True, description="false: nothing is owed to it")
    retry: Retry | None = Field(default=None, description="overrules defaults.retry")
    timeout: AttemptDuration | None = Field(default=None, description="overrules defaults.timeout")
    give_up_after: Duration | None = Field(default=None, description="overrules defaults.give_up_after")
    concurrency: Concurrency | None = Field(default=None, description=_CONCURRENCY)
    rate_limit: RateLimitText | None = Field(
        default=None, description="at most so many messages: 50/s, /m, /h"
    )
    on_unknown: Literal["resend", "hold"] | None = Field(default=None, description=_ON_UNKNOWN)
    timezone: TimeZone | None = Field(default=None, description="overrules defaults.timezone")
    max_age: Duration | None = Field(default=None, description="nothing of an older event is sent")
    allow: TextList = Field(default=[], description="codes of problems that are fine here")


def read_defaults(report: Report, sections: Mapping[str, Any]) -> DefaultsBlock:
    """Return the section `defaults`, with the built-in ones for all that it leaves out or has wrong."""
    if sections.get("defaults") is None:
        return DefaultsBlock()
    report.warn_unset(("defaults",), "the built-in default holds")
    report.keep_secret(("defaults", "proxy"))
    read_certificates(report, ("defaults",))
    block = check_shape(report, ("defaults",), DefaultsBlock, noun="the section defaults", lenient=True)
    return block or DefaultsBlock()


def read_destinations(
    report: Report, sections: Mapping[str, Any], defaults: DefaultsBlock
) -> tuple[dict[str, DestinationConfig], dict[str, SendTarget]]:
    """Return the destinations that are right, and all that send blocks may name, by their names."""
    destinations: dict[str, DestinationConfig] = {}
    targets: dict[str, SendTarget] = {}
    for name in named_blocks(report, sections, "destinations"):
        targets[name], config = _read_destination(report, name, defaults)
        if config is not None:
            destinations[name] = config
    return destinations, targets


def _read_destination(
    report: Report, name: str, defaults: DefaultsBlock
) -> tuple[SendTarget, DestinationConfig | None]:
    path: Path = ("destinations", name)
    value = report.value_at(path)
    noun = f'the destination "{name}"'
    if not isinstance(value, dict):
        check_shape(report, path, DestinationBlock, noun=noun)
        return SendTarget(), None
    if "type" not in value:
        message = f'{noun} has no "type"; add it: {listed(destination_types())}'
        report.error(path, Code.MISSING_KEY, message, key=True)
        return SendTarget(), None
    if not is_fixed(report, *((*path, key) for key in _FIXED)) or not is_known_type(
        report, path, destination_types(), "destination"
    ):
        return SendTarget(), None
    destination = find_destination(report.value_at((*path, "type")))
    assert destination is not None
    return _read_known_destination(report, path, destination, defaults, noun)


def _read_known_destination(
    report: Report, path: Path, destination: type[Destination], defaults: DefaultsBlock, noun: str
) -> tuple[SendTarget, DestinationConfig | None]:
    """Read a destination of a known type: the common keys are checked here, all others by its type."""
    check_allowed(report, path)
    common_keys, own_keys = key_names(DestinationBlock), key_names(destination.Options)
    written = {key: item for key, item in report.raw_at(path).items() if key not in common_keys}
    common = check_shape(
        report, path, DestinationBlock, keys=common_keys, noun=noun, other_keys=own_keys, lenient=True
    )
    if issubclass(destination.Options, NetworkBlock):
        read_certificates(report, path)
    options = check_shape(
        report,
        path,
        destination.Options,
        keys=written,
        noun=f"{noun} (type {destination.type})",
        other_keys=common_keys,
    )
    for key in _secret_keys(destination.Options):
        report.keep_secret((*path, key))
    report.warn_unset(path, f"{noun} waits until it is")
    options = _usable(report, path, destination, options)
    missing = tuple(
        dict.fromkeys(
            name for key in report.raw_at(path) if key not in _FIXED for name in report.lacking((*path, key))
        )
    )
    options = None if missing else _with_defaults(options, defaults)
    target = SendTarget(
        type=destination,
        options=options,
        own={key: report.value_at((*path, key)) for key in written},
        is_fixed=not report.has_values(path),
    )
    if common is not None and common.on_unknown == OnUnknown.HOLD.value and not destination.may_be_held:
        message = f"nothing is ever held here: a {destination.type} takes the same message twice as once"
        report.error((*path, "on_unknown"), Code.BAD_VALUE, f"{message}; remove it")
    if common is None or (options is None and not missing):
        return target, None
    config = _destination_config(str(path[-1]), destination, common, defaults)
    target = replace(target, max_age_seconds=config.max_age_seconds)
    fault = report.fault_below(path) if missing else ""
    return target, replace(config, options=options, missing=missing, fault=fault, written=written)


def _usable(
    report: Report, path: Path, destination: type[Destination], options: Block | None
) -> Block | None:
    """Return the options where they can be used in this environment; None, and report it, where not."""
    unusable = destination.unusable_key(options, report.environment) if options else None
    if unusable is None:
        return options
    key, message = unusable
    if report.has_values((*path, key)):
        report.unusable((*path, key), message)
    else:
        report.error((*path, key), Code.BAD_VALUE, message)
    return None


def _secret_keys(options: type[Block]) -> list[str]:
    """Return the keys whose values are secrets."""
    fields = options.model_fields.items()
    return [field.alias or name for name, field in fields if "SecretStr" in str(field.annotation)]


def _with_defaults(options: Block | None, defaults: DefaultsBlock) -> Block | None:
    """Return options with the certificates and the proxy of all where they have none and can take them."""
    if not isinstance(options, NetworkBlock):
        return options
    return options.with_defaults(defaults.ca_cert, defaults.proxy)


def _slower(*limits: RateLimit | None) -> RateLimit | None:
    """Return the limit that lets the fewest through: a place's own holds, however many others may take."""
    given = [limit for limit in limits if limit is not None]
    return min(given, key=lambda limit: limit.count / limit.seconds, default=None)


def _destination_config(
    name: str, destination: type[Destination], common: DestinationBlock, defaults: DefaultsBlock
) -> DestinationConfig:
    on_unknown = OnUnknown(common.on_unknown or defaults.on_unknown)
    return DestinationConfig(
        name=name,
        type=destination.type,
        options=None,
        enabled=common.enabled,
        retry_seconds=tuple(defaults.retry if common.retry is None else common.retry),
        timeout_seconds=common.timeout or defaults.timeout,
        give_up_after_seconds=common.give_up_after or defaults.give_up_after,
        concurrency=common.concurrency or defaults.concurrency or destination.concurrency,
        rate_limit=common.rate_limit or _slower(defaults.rate_limit, destination.rate_limit),
        on_unknown=on_unknown if destination.may_be_held else OnUnknown.RESEND,
        timezone=common.timezone or defaults.timezone,
        max_age_seconds=common.max_age,
    )
