"""The certificates of a destination's connections, as PEM texts: an authority's, and the client's own."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache

from hub.transport.deadline import new_tls_context, tls_context


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """PEM texts; empty where there is none.

    Certificates in `ca` are authorities beside the usual ones. With `client_cert`, which may hold its key
    itself, the hub shows who it is.
    """

    ca: str = ""
    client_cert: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)

    def context(self, *protocols: str) -> ssl.SSLContext:
        """Return a context whose connections verify and keep to the deadline, as that of `tls_context`.

        Raises ValueError where they are no good.
        """
        if self == NO_CERTIFICATES:
            return tls_context(*protocols)
        return _context(self, protocols)

    def new_context(self, *protocols: str, usual: bool = True) -> ssl.SSLContext:
        """Return such a context of one's own, to be changed; with `usual` False it trusts `ca` alone."""
        context = new_tls_context(*protocols, usual=usual)
        if self.ca:
            _trust(context, self.ca)
        if self.client_cert:
            _identify(context, self.client_cert, self.client_key)
        return context


NO_CERTIFICATES = Certificates()


def authority_fault(ca: str) -> str | None:
    """Return the fault of an authority's certificates, as a part of a sentence; None where it has none."""
    try:
        _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca)
    except ValueError as error:
        return str(error)
    return None


def client_fault(cert: str, key: str) -> str | None:
    """Return the fault of a client's key and certificate, as a part of a sentence; None where it has none."""
    try:
        _identify(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cert, key)
    except ValueError as error:
        return str(error)
    return None


@lru_cache(maxsize=64)
def _context(certificates: Certificates, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """Return the one context for all connections of a destination: it is costly to make."""
    return certificates.new_context(*protocols)


def _trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError):
        raise ValueError("holds no certificate that can be read") from None


def _identify(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Let a context show a certificate. OpenSSL reads it from a file alone: a private one, for a moment."""

    def refuse() -> str:
        raise ValueError("is encrypted, and the hub has no password for it; write the key without one")

    with tempfile.NamedTemporaryFile() as file:
        file.write(f"{key}\n{cert}\n".encode())
        file.flush()
        try:
            context.load_cert_chain(file.name, password=refuse)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ValueError("is not the key of this client_cert") from None
            raise ValueError("is no private key that can be read, or its client_cert is none") from None
