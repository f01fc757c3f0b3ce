"""The URL of a hub as errors name it."""

from __future__ import annotations

from urllib.parse import urlsplit

from hub.strings import is_loopback


def origin(url: str) -> str:
    """Return scheme, host and port of a URL; `that --url` where it has none."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "that --url"
    return f"{parts.scheme}://{host}{port}" if host else "that --url"


def is_in_clear(url: str) -> bool:
    """Return True where others on the way could read what is sent: by http, to another machine than this."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
