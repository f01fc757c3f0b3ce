"""An smtp_url names a server, the way to it and a login."""

from __future__ import annotations

import pytest

from hub.transport.smtp_url import Tls, parse_smtp_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://h.test", ("h.test", 25, Tls.OFFERED)),
        ("smtp://h.test/", ("h.test", 25, Tls.OFFERED)),
        ("smtp://h.test:2525", ("h.test", 2525, Tls.OFFERED)),
        ("smtp://h.test?starttls=never", ("h.test", 25, Tls.NEVER)),
        ("smtp://h.test?starttls=required", ("h.test", 25, Tls.REQUIRED)),
        ("smtp://u:p@h.test", ("h.test", 587, Tls.REQUIRED)),
        ("smtp://u:p@h.test?starttls=never", ("h.test", 587, Tls.NEVER)),
        ("smtp://u:p@127.0.0.1", ("127.0.0.1", 587, Tls.OFFERED)),
        ("smtps://h.test", ("h.test", 465, Tls.IMPLICIT)),
        ("smtps://u:p@h.test:2465", ("h.test", 2465, Tls.IMPLICIT)),
    ],
)
def test_a_url_says_where_and_how(url: str, expected: tuple[str, int, Tls]) -> None:
    server = parse_smtp_url(url)

    assert (server.host, server.port, server.tls) == expected


def test_a_login_is_percent_decoded_and_not_shown() -> None:
    server = parse_smtp_url("smtp://hub%40x.test:pass%2Fword@h.test")

    assert (server.user, server.password) == ("hub@x.test", "pass/word")
    assert "pass" not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h.test:25",
        "http://hunter22.test",
        "smtp://",
        "smtp://u:hunter22@h.test/path",
        "smtp://u:hunter22@h.test#part",
        "smtp://u:hunter22@h.test:port",
        "smtp://u:hünter22@h.test",
        "smtp://u:hunter22@h.test?starttls=sometimes",
        "smtp://u:hunter22@h.test?tls=never",
        "smtps://u:hunter22@h.test?starttls=required",
    ],
)
def test_an_unusable_url_is_explained_without_its_parts(url: str) -> None:
    with pytest.raises(
        ValueError, match=r"^(must look like smtp://|must have a user|may have only \?starttls)"
    ) as raised:
        parse_smtp_url(url)

    assert "hunter22" not in str(raised.value)
