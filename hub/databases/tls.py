"""The TLS of a connection to a database: what its URL and the certificates beside it ask for together."""

from __future__ import annotations

from enum import StrEnum


class Tls(StrEnum):
    """The TLS that a connection needs: the first three do without, the last two verify the server.

    By libpq's names: https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
    """

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"

    @property
    def verifies(self) -> bool:
        return self in (Tls.VERIFY_CA, Tls.VERIFY_FULL)

    def with_certificates(self, *, authority: bool, identity: bool) -> Tls:
        """Return the TLS of a connection that has an authority to verify by, or an identity to show.

        Who names an authority wants the server verified, its name, too: a mode that asks for less stands in
        every provider's URL. `verify-ca`, which leaves out the name, was written on purpose. An identity is
        shown within TLS alone.
        """
        if authority and self is not Tls.VERIFY_CA:
            return Tls.VERIFY_FULL
        if identity and self in (Tls.DISABLE, Tls.ALLOW, Tls.PREFER):
            return Tls.REQUIRE
        return self
