"""A request is whole where gunicorn's parser says that it ends, however its bytes come."""

from __future__ import annotations

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from hypothesis import given
from hypothesis import strategies as st

from hub.ingest.receive import BODY_LIMIT_BYTES
from hub.web.server.framing import DRAIN_LIMIT_BYTES, HEAD_LIMIT_BYTES, Arrival, Framing

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def framed(*pieces: bytes) -> tuple[Arrival, int]:
    """How far a request has arrived after these pieces, and its bytes so far; it looks at each."""
    framing, buffer, arrival = Framing(), bytearray(), Arrival.PARTIAL
    for piece in pieces:
        buffer += piece
        arrival = framing.advance(buffer)
        if arrival is not Arrival.PARTIAL:
            break
    return arrival, framing.size


@pytest.mark.parametrize(
    "request_",
    [
        GET,
        b"\r\n" + GET,
        POST + b"Content-Length: 0\r\n\r\n",
        POST + b"Content-Length: 3\r\n\r\nabc",
        POST + b"content-length:3 \r\n\r\nabc",
        CHUNKED + b"0\r\n\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b'3 ;a="b"\r\nabc\r\n00\r\nTrailer: x\r\n\r\n',
        POST + b"TRANSFER-ENCODING: gzip, Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\n\r\n",
    ],
)
def test_a_request_is_whole_with_its_last_byte(request_: bytes) -> None:
    single = [bytes([byte]) for byte in request_]

    assert framed(request_ + GET) == (Arrival.WHOLE, len(request_))
    assert framed(*single) == (Arrival.WHOLE, len(request_))
    assert framed(*single[:-1])[0] is Arrival.PARTIAL


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\nHost: x\n\n",
        POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        POST + b"Content-Length: 3, 3\r\n\r\nabc",
        POST + b"Content-Length: +3\r\n\r\nabc",
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        POST + b"Transfer-Encoding: gzip\r\n\r\n",
        POST + b"Expect: the worst\r\nContent-Length: 3\r\n\r\n",
        CHUNKED + b"x\r\n",
        CHUNKED + b"3\r\nabcd\r\n",
        CHUNKED + b"1" * 9000,
    ],
)
def test_what_is_unclear_is_left_to_the_parser_at_once(request_: bytes) -> None:
    assert framed(request_)[0] is Arrival.UNCLEAR


def test_a_head_has_a_limit() -> None:
    assert framed(b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_LIMIT_BYTES)[0] is Arrival.LONG_HEAD
    assert framed(b"GET / HTTP/1.1\r\nX: " + b"a" * HEAD_LIMIT_BYTES + b"\r\n\r\n")[0] is Arrival.LONG_HEAD


def test_a_large_body_is_read_to_its_end_and_not_kept() -> None:
    framing, piece = Framing(), b"x" * 65536
    head = POST + b"Content-Length: %d\r\n\r\n" % (2 * BODY_LIMIT_BYTES)
    buffer = bytearray(head)
    for _ in range(2 * BODY_LIMIT_BYTES // len(piece)):
        assert (framing.advance(buffer), buffer) == (Arrival.PARTIAL, head)
        buffer += piece

    assert framing.advance(buffer) is Arrival.LARGE_BODY


@pytest.mark.parametrize(
    "head",
    [
        POST + b"Content-Length: 999999999999999999\r\n\r\n",
        CHUNKED + b"fffffffff\r\n",
        CHUNKED + b"1;" + b"x" * 5000 + b"\r\nx\r\n",
    ],
)
def test_a_body_without_end_is_read_so_far(head: bytes) -> None:
    framing, buffer, sent = Framing(), bytearray(head), 0
    while framing.advance(buffer) is Arrival.PARTIAL:
        piece = (b"1;" + b"x" * 5000 + b"\r\nx\r\n") * 10 if head.endswith(b"x\r\n") else b"x" * 65536
        buffer += piece
        sent += len(piece)

    assert len(buffer) < 2 * BODY_LIMIT_BYTES
    assert abs(sent - DRAIN_LIMIT_BYTES) <= 2 * 65536


@pytest.mark.parametrize("line", [b"1\r\nx\r\n", b"0\r\n" + b"x\r\n" * 10])
def test_a_body_in_too_many_pieces_is_too_large(line: bytes) -> None:
    arrival, _ = framed(CHUNKED + line, line[3:] * 40_000 if line.startswith(b"0") else line * 40_000)

    assert arrival is Arrival.LARGE_BODY


@pytest.mark.parametrize("head", [POST + b"Content-Length: 99999999\r\n\r\n", CHUNKED + b"fffffff\r\n"])
def test_the_app_is_shown_that_a_body_is_too_large(head: bytes) -> None:
    framing, buffer = Framing(), bytearray(head)
    while framing.advance(buffer) is Arrival.PARTIAL:
        buffer += b"x" * DRAIN_LIMIT_BYTES
    request = Request(Config(), IterUnreader([bytes(buffer)]), ("127.0.0.1", 1))

    assert len(request.body.read(BODY_LIMIT_BYTES + 1)) == BODY_LIMIT_BYTES + 1


def test_who_waits_to_be_asked_for_a_large_body_is_answered() -> None:
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"

    assert framed(head % (BODY_LIMIT_BYTES + 1))[0] is Arrival.LARGE_BODY
    assert framed(head % BODY_LIMIT_BYTES)[0] is Arrival.PARTIAL


# -- beside gunicorn's parser ---------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /a HTTP/1.1\r\n",
        b"POST / HTTP/1.0\r\n",
        b"Host: x\r\n",
        b"Content-Length: 3\r\n",
        b"Content-Length: 12\r\n",
        b"content-length : 3\r\n",
        b"Content-Length: \xb23\r\n",
        b"X: 1\r\n Content-Length: 5\r\n",
        b"Content_Length: 4\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: identity, chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b"3\r\n",
        b"abc",
        b"abc\r\n",
        b"3;x=y\r\nabc\r\n",
        b"0\r\n",
        b"0\r\n\r\n",
        b"Trailer: t\r\n",
    ]
)
STREAMS = st.lists(PIECES, min_size=1, max_size=14).map(b"".join)


def parsed_bytes(stream: bytes) -> int | None:
    """The bytes of the first request, as gunicorn's parser reads it; None where it reads none to its end."""
    unreader = IterUnreader([stream])
    try:
        request = Request(Config(), unreader, ("127.0.0.1", 1))
        while request.body.read(65536):
            pass
    except (ParseException, StopIteration, OSError):
        return None
    return len(stream) - len(unreader.buf.getvalue())


@given(stream=STREAMS, cut=st.integers(0, 200))
def test_a_request_ends_where_gunicorns_parser_ends_it(stream: bytes, cut: int) -> None:
    arrival, size = framed(stream[:cut], stream[cut:])
    parsed = parsed_bytes(stream)

    if parsed is not None and arrival is Arrival.WHOLE:
        assert size == parsed
    if arrival is Arrival.WHOLE:
        # With nothing behind it the parser comes to the same.
        assert parsed_bytes(stream[:size]) == parsed
