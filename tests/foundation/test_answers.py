"""Answers of others' servers: whole or not, however they are framed, and never more than the limits."""

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.foundation.outbound import answers
from chalicelib.foundation.outbound.answers import AnswerBroken

LONGEST = 100
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read(said: bytes) -> tuple[int, bytes]:
    """The code and the body of what a server sends until it hangs up."""
    stream = io.BytesIO(said)
    head = answers.read_head(stream)
    return head.code, answers.read_body(stream, head, longest=LONGEST)


def headed(*fields: bytes, body: bytes = b"{}") -> bytes:
    """An answer with these fields."""
    return b"\r\n".join((b"HTTP/1.1 200 OK", *fields, b"", body))


@pytest.mark.parametrize(
    "said",
    [
        LENGTH,
        b"HTTP/1.0 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200\r\n\r\n{}",
        b"HTTP/1.1 200 OK\n\n{}",
        LENGTH + b" and more that nobody asked for",
        headed(b"content-length:2"),
        headed(b"Content-Length : 2"),
        headed(b"Content-Length: 2", b"Content-Length: 2"),
        headed(b"Content-Length: 2, 2"),
        headed(b"No colon here", b" folded", b"Content-Length: 2"),
        CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"1\r\n{\r\n1;a=b\r\n}\r\n00\r\nA-Trailer: b\r\n\r\n",
        CHUNKED + b"0002 \r\n{}\r\n0\r\n\r\n",
        headed(b"Content-Length: 9", b"Transfer-Encoding: Chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
    ],
)
def test_a_whole_answer_is_read_by_its_own_framing(said: bytes) -> None:
    assert read(said) == (200, b"{}")


@pytest.mark.parametrize(
    "before",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
        b"HTTP/1.1 199 ?\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" * 5,
    ],
)
def test_an_informational_answer_is_not_the_last_one(before: bytes) -> None:
    assert read(before + LENGTH) == (200, b"{}")


def test_informational_answers_without_an_end_are_none() -> None:
    with pytest.raises(AnswerBroken):
        read(b"HTTP/1.1 102 Processing\r\n\r\n" * 11 + LENGTH)


@pytest.mark.parametrize("code", [101, 204, 304])
def test_some_answers_have_no_body_whatever_they_say(code: int) -> None:
    assert read(f"HTTP/1.1 {code} X\r\nContent-Length: 2\r\n\r\n{{}}".encode()) == (code, b"")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\0" * 200,
        b"HTTP/1.1 2x0 OK\r\n\r\n{}",
        b"HTTP/2 200\r\n\r\n{}",
        b"HTTP/1.1 20 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nContent-Type: text",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        headed(b"A: " + b"b" * answers.HEAD_BYTES),
        headed(*[b"A: b"] * answers.HEAD_BYTES),
    ],
)
def test_what_has_no_whole_head_is_no_answer(said: bytes) -> None:
    with pytest.raises(AnswerBroken):
        read(said)


@pytest.mark.parametrize(
    "said",
    [
        headed(b"Content-Length: 3"),
        headed(b"Content-Length: 999999"),
        headed(b"Content-Length: -1"),
        headed(b"Content-Length: +2"),
        headed(b"Content-Length: two"),
        headed(b"Content-Length: \xb2"),
        headed(b"Content-Length:"),
        headed(b"Content-Length: " + b"9" * 5000),
        headed(b"Content-Length: 1", b"Content-Length: 2"),
        headed(b"Content-Length: 1, 2"),
        headed(b"Transfer-Encoding: gzip, chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
        headed(b"Transfer-Encoding: identity", b"Content-Length: 2"),
        CHUNKED,
        CHUNKED + b"2\r\n{}\r\n",
        CHUNKED + b"2\r\n{}\r\n0\r\n",
        CHUNKED + b"2\r\n{}\r\n\r\n",
        CHUNKED + b"3\r\n{}",
        CHUNKED + b"2\r\n{}0\r\n\r\n",
        CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"1_0\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"2;" + b"x" * 5000 + b"\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"0\r\n" + b"A: b\r\n" * answers.HEAD_BYTES + b"\r\n",
    ],
)
def test_what_is_cut_or_framed_wrongly_is_not_whole(said: bytes) -> None:
    with pytest.raises(AnswerBroken):
        read(said)


def test_an_empty_chunk_is_an_empty_answer() -> None:
    assert read(CHUNKED + b"0\r\n\r\n") == (200, b"")


@pytest.mark.parametrize(
    "said",
    [
        headed(b"Content-Length: 5000", body=b"x" * 5000),
        headed(body=b"x" * 5000),
        CHUNKED + b"1388\r\n" + b"x" * 5000 + b"\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n" * 5000,
        CHUNKED + b"FFFFFFFF\r\n" + b"x" * 5000,
    ],
)
def test_of_a_long_answer_no_more_is_read_than_shows_that_it_is_too_long(said: bytes) -> None:
    assert read(said) == (200, b"x" * (LONGEST + 1))


@given(st.binary(max_size=300))
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n" + b"x" * 200)
def test_no_bytes_do_anything_but_answer_or_break(said: bytes) -> None:
    for prefix in (b"", b"HTTP/1.1 200 OK\r\n", CHUNKED):
        try:
            code, body = read(prefix + said)
        except AnswerBroken:
            continue
        assert 100 < code < 1000
        assert len(body) <= LONGEST + 1
