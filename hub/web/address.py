"""The address of a client, as the server or a trusted proxy gives it: one form for audit and limits."""

from __future__ import annotations

import ipaddress
import re

UNKNOWN = "unknown"
"""Stands for an address that is none, as proxies write `unknown` or `_hidden` (RFC 7239, section 6)."""

_NETWORK_BITS = 64
"""One customer has so large a network of IPv6, and any address of it."""

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>[\d.]+):\d+")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def address_of(text: str | None) -> str:
    """Return the address alone: without a port, IPv4 that is mapped into IPv6 as itself, else `unknown`."""
    address = _parsed(text)
    return UNKNOWN if address is None else str(address)


def network_of(text: str | None) -> str:
    """Return what counts as one client: an address of IPv4, or the /64 that one has of IPv6."""
    address = _parsed(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((int(address), _NETWORK_BITS), strict=False))
    return UNKNOWN if address is None else str(address)


def _parsed(text: str | None) -> Address | None:
    stripped = (text or "").strip().strip('"')
    with_port = _WITH_PORT.fullmatch(stripped)
    if with_port is not None:
        stripped = with_port["v6"] or with_port["v4"] or ""
    try:
        address = ipaddress.ip_address(stripped.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
