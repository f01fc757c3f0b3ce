"""The TLS of a database's connection, by URL and certificates, and libpq's words where it is not made."""

from __future__ import annotations

import pytest

from hub.databases.libpq import Refusal, refusal
from hub.databases.tls import Tls


@pytest.mark.parametrize(
    ("asked", "alone", "with_identity", "with_authority"),
    [
        ("disable", "disable", "require", "verify-full"),
        ("allow", "allow", "require", "verify-full"),
        ("prefer", "prefer", "require", "verify-full"),
        ("require", "require", "require", "verify-full"),
        ("verify-ca", "verify-ca", "verify-ca", "verify-ca"),
        ("verify-full", "verify-full", "verify-full", "verify-full"),
    ],
)
def test_certificates_only_ever_ask_for_more(
    asked: str, alone: str, with_identity: str, with_authority: str
) -> None:
    tls = Tls(asked)
    given = [(False, False), (False, True), (True, False), (True, True)]
    modes = [tls.with_certificates(authority=authority, identity=identity) for authority, identity in given]

    assert modes == [alone, with_identity, with_authority, with_authority]


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        ("SSL error: certificate verify failed", Refusal.TLS, "certificate verify failed"),
        ("SSL error: tlsv1 alert unknown ca", Refusal.TLS, "tlsv1 alert unknown ca"),
        (
            "server does not support SSL, but SSL was required",
            Refusal.TLS,
            "server does not support SSL",
        ),
        ('certificate for "a" does not match host name "b"', Refusal.TLS, 'name "b"'),
        ("host name must be specified for a verified SSL connection", Refusal.TLS, "host name must be"),
        (
            "FATAL:  connection requires a valid client certificate",
            Refusal.LOGIN,
            "connection requires a valid",
        ),
        ("Connection refused", Refusal.UNREACHABLE, "Connection refused"),
    ],
)
def test_a_tls_that_failed_is_told_from_a_login(words: str, kind: Refusal, reason: str) -> None:
    message = f'connection failed: connection to server at "127.0.0.1", port 5432 failed: {words}\nAdvice.'
    shown_kind, shown = refusal(message)

    assert shown_kind is kind
    assert reason in shown
    assert shown.startswith("TLS failed: ") == (kind is Refusal.TLS)
    assert "Advice" not in shown
