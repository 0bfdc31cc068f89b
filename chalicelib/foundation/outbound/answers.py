"""Reader of a server's HTTP/1.1 answer, within limits and by its own framing (RFC 9112).

Python's reader takes an answer that is cut short of its `Content-Length` for whole, an informational
answer other than 100 for the last one, and a chunk of negative length for all that comes.
"""

import re
from typing import BinaryIO

from msgspec import Struct

HEAD_BYTES = 32_768  # of one answer's status line and fields; servers send some hundreds
INFORMATIONAL = 10  # answers 1xx before the last one
_LINE_BYTES = 256  # of a chunk's size

_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9]{2})(?: .*)?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_SWITCHING = 101  # the last one of its connection, though never asked for
_BODILESS = frozenset({_SWITCHING, 204, 304})


class AnswerBroken(Exception):
    """It is not HTTP/1.1, or it ends before it is whole."""


class Head(Struct, frozen=True):
    """The status of an answer, and how long its body is: None bytes until the connection ends."""

    code: int
    length: int | None
    is_chunked: bool


def read_head(stream: BinaryIO) -> Head:
    """The head of the answer that counts: informational ones before it are skipped (RFC 9110, 15.2).

    Raises AnswerBroken, and what the stream raises.
    """
    for _ in range(INFORMATIONAL + 1):
        left = HEAD_BYTES
        line = _line(stream, left)
        found = _STATUS.fullmatch(line)
        if found is None:
            raise AnswerBroken
        fields = _fields(stream, left - len(line))
        code = int(found[1])
        if not 100 <= code < 200 or code == _SWITCHING:
            return _framed(code, fields)
    raise AnswerBroken


def _line(stream: BinaryIO, longest: int) -> bytes:
    """The next line, without its end. Raises AnswerBroken where it has none within so many bytes."""
    line = stream.readline(max(0, longest))
    if not line.endswith(b"\n"):
        raise AnswerBroken
    return line.rstrip(b"\r\n")


def _fields(stream: BinaryIO, longest: int) -> dict[bytes, list[bytes]]:
    """The values of each field, by its name in lower case, up to the empty line."""
    found: dict[bytes, list[bytes]] = {}
    while line := _line(stream, longest):
        longest -= len(line) + 2  # and its end
        name, _, value = line.partition(b":")
        found.setdefault(name.strip().lower(), []).append(value.strip())
    return found


def _framed(code: int, fields: dict[bytes, list[bytes]]) -> Head:
    """The head with its body's length (RFC 9112, 6.3): chunks count before a `Content-Length`."""
    if code in _BODILESS:
        return Head(code, 0, is_chunked=False)
    codings = fields.get(b"transfer-encoding")
    if codings is not None:
        if [coding.lower() for coding in codings] != [b"chunked"]:
            raise AnswerBroken
        return Head(code, None, is_chunked=True)
    lengths = {
        each.strip() for value in fields.get(b"content-length", ()) for each in value.split(b",")
    }
    if not lengths:
        return Head(code, None, is_chunked=False)
    if len(lengths) > 1 or not _LENGTH.fullmatch(length := lengths.pop()):
        raise AnswerBroken
    return Head(code, int(length), is_chunked=False)


def read_body(stream: BinaryIO, head: Head, *, longest: int) -> bytes:
    """The whole body, or the first `longest` + 1 bytes of a longer one.

    Raises AnswerBroken where the connection ends before that, and what the stream raises.
    """
    if head.is_chunked:
        return _chunks(stream, longest + 1)
    if head.length is None:
        return stream.read(longest + 1)
    return _exactly(stream, min(head.length, longest + 1))


def _exactly(stream: BinaryIO, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise AnswerBroken
    return found


def _chunks(stream: BinaryIO, most: int) -> bytes:
    body = bytearray()
    while len(body) < most:
        found = _CHUNK.fullmatch(_line(stream, _LINE_BYTES))
        if found is None:
            raise AnswerBroken
        size = int(found[1], 16)
        if not size:
            _fields(stream, HEAD_BYTES)  # trailers
            return bytes(body)
        body += _exactly(stream, min(size, most - len(body)))
        if len(body) < most and _line(stream, _LINE_BYTES):
            raise AnswerBroken
    return bytes(body)
