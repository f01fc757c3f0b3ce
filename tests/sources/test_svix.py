"""A request is believed only when its signature says so; nothing that anybody sends is worse than refused."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import given
import pytest
import signing
from hypothesis import given as for_any
from hypothesis import strategies as st
from svix.webhooks import Webhook
from werkzeug.datastructures import EnvironHeaders

from hub.errors import NotConfigured, NotVerified
from hub.sources.base import VerifiedMessage, find_source, source_types
from hub.sources.svix import SvixSource

BODY = b'{"type":"user.created","data":{"id":"user_1"}}'
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret, 24 bytes").decode()
COLLECTED_AT = time.time()
"""The time at which the cases of tables were signed: the tests run minutes later."""
CODES = ("missing_headers", "invalid_timestamp", "invalid_signature", "invalid_payload")


def as_received(headers: dict[str, str]) -> EnvironHeaders:
    """Return headers as a server hands them over: names in one case, and values that nobody checked."""
    return EnvironHeaders(
        {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    )


def verify(
    body: bytes = BODY, headers: dict[str, str] | None = None, *secrets: str, now: float | None = None
) -> VerifiedMessage:
    config = given.source(secrets=secrets or (given.SECRET,))
    return SvixSource(config).verify(
        body,
        as_received(signing.headers(body) if headers is None else headers),
        time.time() if now is None else now,
    )


def refusal(
    body: bytes = BODY, headers: dict[str, str] | None = None, *secrets: str, now: float | None = None
) -> str:
    with pytest.raises(NotVerified) as refused:
        verify(body, headers, *secrets, now=now)
    assert given.SECRET not in str(refused.value)
    return refused.value.code


def test_the_known_answer_of_the_documentation() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    message_id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    assert Webhook(given.SECRET).sign(message_id, at, body) == expected
    assert signing.signature(body.encode(), message_id, "1614265330") == expected


def test_a_genuine_request_is_vouched_for() -> None:
    assert verify() == VerifiedMessage(message_id="msg_1", type="user.created", body=json.loads(BODY))


@pytest.mark.parametrize("prefix", ["svix", "webhook", "Svix", "WEBHOOK"])
def test_headers_are_found_under_both_names_in_any_case(prefix: str) -> None:
    assert verify(headers=signing.headers(BODY, prefix=prefix)).message_id == "msg_1"


def changed(name: str, value: str | None, **signed: Any) -> dict[str, str]:
    headers = signing.headers(BODY, **signed)
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    return headers


def listed(*signatures: str) -> dict[str, str]:
    """Signing headers with the genuine signature in the place of `*`."""
    headers = signing.headers(BODY)
    genuine = headers["svix-signature"]
    return {**headers, "svix-signature": " ".join(genuine if s == "*" else s for s in signatures)}


OLD = "v1," + "A" * 43 + "="


@pytest.mark.parametrize(
    "signatures",
    [
        (OLD, "*"),
        ("*", OLD),
        ("v1a,xyz==", "*"),
        ("v2,abc", "*"),
        ("v1,not base64 at all", "*"),
        ("v1,é", "*"),
        ("garbage", "*"),
        ("", "*"),
        ("v1", "*"),
        (",", "*"),
        ("v1,a,b", "*"),
        (*["v1,x"] * 500, "*"),
        (*[OLD] * 19, "*"),
    ],
)
def test_any_listed_signature_may_match(signatures: tuple[str, ...]) -> None:
    assert verify(headers=listed(*signatures)).message_id == "msg_1"


def test_no_more_signatures_are_tried_than_a_rotation_needs() -> None:
    assert refusal(headers=listed(*[OLD] * 20, "*")) == "invalid_signature"


@pytest.mark.parametrize("secrets", [(given.SECRET, OTHER_SECRET), (OTHER_SECRET, given.SECRET)])
def test_any_configured_secret_may_match(secrets: tuple[str, ...]) -> None:
    assert verify(BODY, None, *secrets).message_id == "msg_1"


def test_without_a_secret_nothing_is_accepted() -> None:
    with pytest.raises(NotConfigured):
        SvixSource(given.source(secrets=())).verify(BODY, as_received(signing.headers(BODY)), time.time())


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "missing_headers"),
        (changed("svix-id", None), "missing_headers"),
        (changed("svix-timestamp", None), "missing_headers"),
        (changed("svix-signature", None), "missing_headers"),
        (changed("svix-id", ""), "missing_headers"),
        (changed("svix-id", "x" * 201), "missing_headers"),
        (changed("svix-id", "msg_é"), "missing_headers"),
        (changed("svix-id", "msg\n1"), "missing_headers"),
        (changed("svix-id", "msg_2"), "invalid_signature"),
        (changed("svix-timestamp", "yesterday"), "invalid_timestamp"),
        (changed("svix-timestamp", "-1"), "invalid_timestamp"),
        (changed("svix-timestamp", "1e9"), "invalid_timestamp"),
        (changed("svix-timestamp", "nan"), "invalid_timestamp"),
        (changed("svix-timestamp", "٤٢"), "invalid_timestamp"),
        (changed("svix-timestamp", "9" * 999), "invalid_timestamp"),
        (changed("svix-timestamp", "0"), "invalid_timestamp"),
        (changed("svix-timestamp", str(int(time.time()) + 7)), "invalid_signature"),
        (changed("svix-signature", "v1,"), "invalid_signature"),
        (changed("svix-signature", OLD), "invalid_signature"),
        (changed("svix-signature", "x" * 1_000_000), "invalid_signature"),
        (signing.headers(BODY, secret=OTHER_SECRET), "invalid_signature"),
        (signing.headers(BODY + b" "), "invalid_signature"),
    ],
)
def test_what_is_not_genuine_is_refused_with_its_code(headers: dict[str, str], code: str) -> None:
    assert refusal(headers=headers, now=COLLECTED_AT) == code


@pytest.mark.parametrize(
    ("off", "genuine"),
    [(-300, True), (-301, False), (300, True), (301, False), (0, True), (-300.5, False), (300.5, False)],
)
def test_the_time_window_at_its_edges(off: float, genuine: bool) -> None:
    # The library looks at the real clock, so that one has to be inside the window.
    sent_at = int(time.time())
    headers = signing.headers(BODY, timestamp=sent_at)
    if genuine:
        assert verify(headers=headers, now=sent_at - off).message_id == "msg_1"
        return
    with pytest.raises(NotVerified, match="ahead of" if off > 0 else "behind") as refused:
        verify(headers=headers, now=sent_at - off)

    assert (refused.value.code, refused.value.clock_ahead_seconds) == ("invalid_timestamp", -off)


def test_a_time_that_nobody_signed_says_nothing_of_the_clock() -> None:
    headers = {**signing.headers(BODY), "svix-timestamp": "1"}
    with pytest.raises(NotVerified) as refused:
        verify(headers=headers)

    assert (refused.value.code, refused.value.clock_ahead_seconds) == ("invalid_timestamp", None)


@pytest.mark.parametrize(
    ("headers", "complete"),
    [
        (signing.headers(BODY), True),
        (signing.headers(BODY, prefix="webhook", secret=OTHER_SECRET), True),
        ({}, False),
        ({"svix-id": "msg_1", "svix-timestamp": "1"}, False),
        ({**signing.headers(BODY), "svix-id": "x" * 201}, False),
    ],
)
def test_a_request_is_complete_where_nothing_lacks_that_a_signature_needs(
    headers: dict[str, str], complete: bool
) -> None:
    assert SvixSource(given.source()).is_complete(as_received(headers)) is complete


@pytest.mark.parametrize("off", [-240, 240])
def test_a_request_inside_the_window_is_accepted(off: int) -> None:
    headers = signing.headers(BODY, timestamp=time.time() + off)

    assert verify(headers=headers).message_id == "msg_1"


@pytest.mark.parametrize("off", [-360, 360])
def test_a_request_outside_the_window_is_refused(off: int) -> None:
    assert refusal(headers=signing.headers(BODY, timestamp=time.time() + off)) == "invalid_timestamp"


@pytest.mark.parametrize("depth", [98, 300, 3_000, 100_000])
def test_a_body_is_an_event_however_deep_a_stranger_nested_it(depth: int) -> None:
    body = b'{"type":"x","data":' + b"[" * depth + b"]" * depth + b"}"

    assert verify(body).type == "x"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{}",
        b'{"type":null}',
        b'{"type":7}',
        b'{"type":""}',
        b'{"type":"%s"}' % (b"x" * 201),
        b'{"type":"a\\nb"}',
        b'{"type":"a\\u0000b"}',
        b'{"type":"\\ud800"}',
        b'{"type":"x","data":NaN}',
        b'{"type":"x","data":Infinity}',
        b'{"type":"x","data":-Infinity}',
        b'{"type":"x","data":%s}' % (b"9" * 5000),
        b'{"type":"x"',
        b'\xef\xbb\xbf{"type":"x"}',
    ],
)
def test_a_genuine_body_that_is_no_event_is_an_invalid_payload(body: bytes) -> None:
    assert refusal(body) == "invalid_payload"


@pytest.mark.usefixtures("nothing_left_over")
def test_a_genuine_body_that_nests_without_end_is_an_invalid_payload() -> None:
    assert refusal(b'{"a":' * 100_000) == "invalid_payload"


JSON = '{"type":"user.created","data":"é"}'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b" \r\n", "the body is empty"),
        (gzip.compress(BODY, mtime=0), "the body is compressed (gzip)"),
        (b"\x28\xb5\x2f\xfd...", "the body is compressed (zstd)"),
        (JSON.encode("latin-1"), "the body is not UTF-8 from byte 32 on; send it as UTF-8, not as Latin-1"),
        (JSON.encode("utf-16"), "the body is in UTF-16 or UTF-32"),
        (JSON.encode("utf-16-le"), "the body is in UTF-16 or UTF-32"),
        (JSON.encode("utf-16-be"), "the body is in UTF-16 or UTF-32"),
        (JSON.encode("utf-32"), "the body is in UTF-16 or UTF-32"),
        (JSON.encode("utf-8-sig"), "the body begins with a byte order mark"),
        (b"payload=%7B%7D", "the body is not JSON: Expecting value in line 1, column 1"),
        (b'{"type":\n"x",}', "the body is not JSON: "),
        (b"<html>", "the body is not JSON: Expecting value in line 1, column 1"),
        (b"null", "the body must be a JSON object, not nothing"),
        (b"[]", "the body must be a JSON object, not a list"),
        (b'"x"', "the body must be a JSON object, not text"),
        (b"7", "the body must be a JSON object, not a number"),
        (b"{}", 'the body must have a "type"'),
        (b'{"type":"x","data":1e999}', "the body has a number that JSON does not have"),
        (b'{"type":"x","data":[-1E+400]}', "the body has a number that JSON does not have"),
        (b'{"type":"x","data":NaN}', "the body has a number that JSON does not have"),
        (b'{"type":"x","data":-Infinity}', "the body has a number that JSON does not have"),
        (b'{"type":"x","data":%s}' % (b"9" * 5000), "the body has a number that JSON does not have"),
    ],
)
def test_what_is_wrong_with_a_rightly_signed_body_is_said(body: bytes, words: str) -> None:
    with pytest.raises(NotVerified) as refused:
        verify(body)

    assert refused.value.code == "invalid_payload"
    assert str(refused.value).startswith(words)


@pytest.mark.parametrize("body", [gzip.compress(BODY, mtime=0), JSON.encode("latin-1"), b"\xff\xfe", b"\x80"])
def test_bytes_that_are_not_rightly_signed_are_compared_by_their_secret_whatever_they_are(
    body: bytes,
) -> None:
    headers = {**signing.headers(body, secret=OTHER_SECRET), "content-encoding": "gzip"}
    with pytest.raises(NotVerified) as refused:
        verify(body, headers)

    assert refused.value.code == "invalid_signature"
    assert "the body came compressed" in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"user.created"}',
        b' {"type" : "user.created" , "data" : null } ',
        b'{"type":"a","type":"user.created"}',
        b'{"type":"user.created","data":"\\ud800 \\u0000"}',
        b'{"type":"user.created","data":[1e308, 1e-999, -0.0, 123456789012345678901234567890]}',
        b'{"type":"user.created","data":"\\ud83d \\ude00\\ud83d"}',
        '{"type":"user.created","data":"é 😀"}'.encode(),
        b'{"type":"user.created","data":' + b"[" * 190 + b"]" * 190 + b"}",
    ],
)
def test_unusual_events_are_accepted(body: bytes) -> None:
    assert verify(body).type == "user.created"


HEADER_NAMES = st.sampled_from(
    [
        f"{prefix}-{name}"
        for prefix in ("svix", "webhook", "Svix")
        for name in ("id", "timestamp", "signature")
    ]
)
HOSTILE_TEXT = (
    st.text(max_size=300)
    | st.sampled_from(["v1,", "v1,=", "v1,====", "v1 v1", ",,,", "\x00", "v1,\ud800", "9" * 400, "é" * 5000])
    | st.from_regex(r"(v1,[A-Za-z0-9+/=]{0,60} ?){1,5}", fullmatch=True)
)


@for_any(
    st.dictionaries(HEADER_NAMES | st.text(max_size=20), HOSTILE_TEXT, max_size=6), st.binary(max_size=200)
)
def test_no_header_and_no_body_do_worse_than_being_refused(hostile: dict[str, str], body: bytes) -> None:
    for headers in (hostile, {**signing.headers(body), **hostile}):
        with contextlib.suppress(NotVerified):
            verify(body, headers)


@for_any(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_no_signed_bytes_do_worse_than_being_refused(body: bytes) -> None:
    assert refusal(body) in CODES


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@for_any(JSON_VALUES, JSON_VALUES)
def test_a_type_is_vouched_for_only_as_printable_text(type_: Any, data: Any) -> None:
    body = json.dumps({"type": type_, "data": data}).encode()
    if isinstance(type_, str) and 1 <= len(type_) <= 200 and type_.isprintable():
        assert verify(body).type == type_
    else:
        assert refusal(body) == "invalid_payload"


@for_any(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_no_byte_of_a_signed_body_can_be_changed(position: int, difference: int) -> None:
    tampered = bytearray(BODY)
    tampered[position] ^= difference

    assert refusal(bytes(tampered), signing.headers(BODY)) == "invalid_signature"


@pytest.mark.parametrize("secret", [given.SECRET, OTHER_SECRET, given.SECRET.removeprefix("whsec_")])
def test_a_signing_secret_can_be_used(secret: str) -> None:
    assert SvixSource.check_secret(secret) is None


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "x",
        "=",
        "whsec_A",
        "whsec_!!!!",
        "whsec_MfKQ9r8GKYqr TwjUPD8ILPZIo2LaLaSw",
        "sk_test_ab/cd_",
        "é",
    ],
)
def test_what_is_no_signing_secret_is_said_without_showing_it(secret: str) -> None:
    problem = SvixSource.check_secret(secret)

    assert problem is not None
    assert "whsec_ followed by base64" in problem
    assert not secret.removeprefix("whsec_") or secret not in problem.replace("x", "")


@pytest.mark.parametrize(("size", "is_fine"), [(1, False), (3, False), (15, False), (16, True), (64, True)])
def test_a_key_under_16_bytes_can_be_guessed(size: int, is_fine: bool) -> None:
    secret = "whsec_" + base64.b64encode(b"k" * size).decode()
    problem = SvixSource.check_secret(secret)

    assert (problem is None) is is_fine
    assert is_fine or f"its key has {size} byte" in str(problem)
    assert SvixSource.check_secret(secret.rstrip("=")) == problem


def test_types_are_the_files_of_the_folder() -> None:
    assert source_types() == ("clerk", "svix")
    assert find_source("svix") is SvixSource
    clerk = find_source("clerk")
    assert clerk is not None
    assert (issubclass(clerk, SvixSource), clerk.typed, SvixSource.typed) == (True, True, False)
    assert find_source("base") is None
    assert find_source("stripe") is None


def test_checking_a_secret_does_not_import_svix() -> None:
    program = (
        "import sys; from hub.sources.svix import SvixSource; "
        f"assert SvixSource.check_secret('{given.SECRET}') is None; sys.exit('svix' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
