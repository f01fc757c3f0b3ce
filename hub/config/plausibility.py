"""Values that have the right shape and are surely not meant: told by `hub check`, no reason to stop a hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from hub.config.mirroring import SendTarget
from hub.config.names import OWN_PREFIX
from hub.config.report import Report
from hub.config.sends import template_keys
from hub.config.shape import key_names
from hub.config.template_syntax import no_template
from hub.model.problem import Code, Severity
from hub.strings import is_loopback
from hub.yamldoc import Path

_SECRET_KEYS = frozenset(
    (
        *("signing_secret", "secret_key", "bot_token", "token", "api_key", "auth_token", "sign_with"),
        *("routing_key", "webhook_url", "password"),
    )
)
_SECRET_HEADER = re.compile(r"authorization|cookie|.*(token|secret|api-?key|password).*", re.IGNORECASE)
_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SMTP_PORTS = {
    ("smtps", 587): "smtps:// on port 587: that port begins in plain text; write smtp://, or port 465",
    ("smtp", 465): "smtp:// on port 465: that port is TLS from the start; write smtps://, or port 587",
}
_RETIRED_HOSTS = {
    "webhook.office.com": (
        "connectors of Office 365 are no more: make a Workflow in Teams (post to a channel when a webhook "
        "request is received) and take its URL"
    ),
}


def check_plausibility(report: Report, targets: Mapping[str, SendTarget]) -> None:
    """Add the doubts about all values of a document; `targets` are the destinations by their names."""
    templates = set(_template_paths(report, targets))
    for path, text in report.document.texts():
        if path in templates:
            _check_line_breaks(report, path, text)
        elif path[:1] != ("version",) and not _is_condition(path) and not _is_own(path):
            _check_no_template(report, path, text)
        if path[:1] in (("destinations",), ("sources",)):
            _check_setting(report, path, text)
    for block, _ in _send_blocks(report):
        _check_json_text(report, (*block, "json"))


def _send_blocks(report: Report) -> Iterator[tuple[Path, str]]:
    """Yield the path of each send block, and the destination that it names."""
    value = report.value if isinstance(report.value, dict) else {}
    holders: list[tuple[Path, Any]] = [((name,), value.get(name)) for name in ("unmatched", "problems")]
    holders += _items(("routes",), value.get("routes"))
    for path, holder in holders:
        send = holder.get("send") if isinstance(holder, dict) else None
        for block_path, block in _items((*path, "send"), send) or [((*path, "send"), send)]:
            if isinstance(block, dict) and isinstance(block.get("to"), str):
                yield block_path, block["to"]


def _items(path: Path, value: Any) -> list[tuple[Path, Any]]:
    """Return the items of a list with their paths; none where it is no list."""
    return [((*path, index), item) for index, item in enumerate(value)] if isinstance(value, list) else []


def _template_paths(report: Report, targets: Mapping[str, SendTarget]) -> Iterator[Path]:
    """Yield the path of each text that is a template, or may be one where the destination is not known."""
    for path, name in _send_blocks(report):
        kind = targets[name].type if name in targets else None
        model = kind.Send if kind else None
        plain_keys = set(key_names(model)) - set(template_keys(model)) if model else set()
        for key in set(report.value_at(path)) - plain_keys - {"when"}:
            yield from (text_path for text_path, _ in report.document.texts((*path, key)))


def _is_condition(path: Path) -> bool:
    return path[:1] in (("routes",), ("unmatched",), ("problems",)) and "when" in path[1:]


def _is_own(path: Path) -> bool:
    """Return True below a name of the user's own: what it is for is known where it is referred to."""
    return str(path[0]).startswith(OWN_PREFIX) if path else False


def _check_no_template(report: Report, path: Path, text: str) -> None:
    opening = no_template(path, text)
    if opening is not None:
        offset, message = opening
        report.doubt(path, Code.NOT_A_TEMPLATE, message, Severity.ERROR, offset=offset)


def _check_line_breaks(report: Report, path: Path, text: str) -> None:
    """Doubt `\\n` where YAML leaves it as it is written: in single quotes, and without any."""
    if report.document.style(path) not in ("'", ""):
        return
    outside = _TAG.sub(lambda tag: " " * len(tag[0]), text)
    offset = outside.find("\\n")
    if offset >= 0:
        message = 'this "\\n" stays two characters; a line break needs double quotes around the text, or "|"'
        report.doubt(path, Code.NOT_MEANT, message, Severity.WARNING, offset=offset)


def _check_setting(report: Report, path: Path, text: str) -> None:
    """Doubt one value of a destination or source."""
    value = report.value_at(path)
    parts = _url(value) if isinstance(value, str) else None
    if not report.is_replaced(path) and _is_secret(path, text, parts):
        message = "this is a secret, and whoever reads the file has it; write ${NAME} and set that variable"
        report.doubt(path, Code.SECRET_IN_FILE, message, Severity.WARNING)
    doubts = [check(path, parts) for check in _OF_URLS] if parts else []
    for code, message, severity in filter(None, doubts):
        report.doubt(path, code, message, severity)


def _is_secret(path: Path, text: str, parts: SplitResult | None) -> bool:
    keys = [step for step in path[2:] if isinstance(step, str)]
    is_header = keys[:1] == ["headers"] and bool(_SECRET_HEADER.fullmatch(keys[-1]))
    is_key = "PRIVATE KEY-----" in text or bool(keys and keys[0] in _SECRET_KEYS)
    return is_header or is_key or bool(parts and parts.password)


def _url(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text.strip())
        return parts if parts.scheme and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


_Doubt = tuple[Code, str, Severity]


def _port_doubt(path: Path, parts: SplitResult) -> _Doubt | None:
    message = _SMTP_PORTS.get((parts.scheme, parts.port or 0))
    return (Code.NOT_MEANT, message, Severity.ERROR) if message else None


def _retired_doubt(path: Path, parts: SplitResult) -> _Doubt | None:
    host = parts.hostname or ""
    advice = next((advice for name, advice in _RETIRED_HOSTS.items() if f".{host}".endswith(f".{name}")), "")
    return (Code.NOT_MEANT, advice, Severity.ERROR) if advice else None


def _plain_doubt(path: Path, parts: SplitResult) -> _Doubt | None:
    if parts.scheme != "http" or path[-1] == "proxy" or is_loopback(parts.hostname or ""):
        return None
    message = "http:// sends events and secrets in clear over the network; write https://"
    return Code.PLAIN_HTTP, message, Severity.WARNING


_OF_URLS: tuple[Callable[[Path, SplitResult], _Doubt | None], ...] = (
    _port_doubt,
    _retired_doubt,
    _plain_doubt,
)


def _check_json_text(report: Report, path: Path) -> None:
    """Doubt one text under `json` that is itself JSON: it would be sent as a text with quotes around it."""
    text = report.value_at(path[:-1]).get("json")
    if not isinstance(text, str) or not text.strip().startswith(("{", "[")):
        return
    for stand_in in ("0", '"x"', "x"):
        try:
            is_json = isinstance(json.loads(_TAG.sub(stand_in, text)), dict | list)
        except (ValueError, RecursionError):
            continue
        if is_json:
            message = "this is one text, sent in quotes; write it as YAML below json, or as it is under body"
            report.doubt(path, Code.NOT_MEANT, message, Severity.ERROR)
            return
