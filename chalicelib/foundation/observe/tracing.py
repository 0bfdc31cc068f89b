"""X-Ray tracing of invocations and of the messages and records that they send.

Lambda says in the environment whether the invocation of the moment is sampled, and makes its segment.
Only then is the SDK loaded, whose import costs as much as everything else; it notes the calls of AWS
by service, operation and table. No key, value or text of an exception leaves with it.

Records of the stream and messages carry the trace that they come from where it is sampled, packed in
`TRACE_BYTES` or as X-Ray's header. Who handles them tells of it in that trace: `followed`.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

TRACE_BYTES = 24  # the trace's id in 16, the segment's that it goes on from in 8
MOST_FOLLOWED = 50  # of a window; each is a datagram to the daemon beside the function


def packed(header: str | None) -> bytes:
    """The trace of a header, `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`.

    Nothing where it is not sampled, or is none.
    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    if not header:
        return b""
    parts = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    version, _, root = parts.get("Root", "").partition("-")
    if parts.get("Sampled") != "1" or version != "1":
        return b""
    try:
        trace = bytes.fromhex(root.replace("-", "") + parts.get("Parent", ""))
    except ValueError:
        return b""
    return trace if len(trace) == TRACE_BYTES else b""


def header(trace: bytes) -> str:
    """The header of a packed trace."""
    return f"Root={_root(trace)};Parent={_parent(trace)};Sampled=1"


def _root(trace: bytes) -> str:
    return f"1-{trace[:4].hex()}-{trace[4:16].hex()}"


def _parent(trace: bytes) -> str:
    return trace[16:].hex()


def current() -> bytes:
    """The trace of this invocation, packed; empty where it is not sampled, or not on Lambda."""
    return packed(os.environ.get("_X_AMZN_TRACE_ID"))


def begin() -> None:
    """Records the calls of AWS from now on, where this invocation is sampled."""
    if current():
        _recorder()


@contextmanager
def followed(traces: Collection[bytes], name: str) -> Iterator[None]:
    """Records a segment of this name, for what is done within the block, in each of these packed traces.

    The first `MOST_FOLLOWED` of them; a failure is told as one. The segment's annotation
    `handled_in` is the trace of the invocation, where that is sampled too.
    """
    sampled = list(dict.fromkeys(trace for trace in traces if trace))[:MOST_FOLLOWED]
    if not sampled:
        yield
        return
    recorder = _recorder()
    from aws_xray_sdk.core.models.segment import Segment  # noqa: PLC0415  # only for who is sampled

    segments = [Segment(name, traceid=_root(one), parent_id=_parent(one)) for one in sampled]
    try:
        yield
    except BaseException:
        for segment in segments:
            segment.add_fault_flag()
        raise
    finally:
        handled_in = current()
        for segment in segments:
            if handled_in:
                segment.put_annotation("handled_in", _root(handled_in))
            segment.close()
            recorder.emitter.send_entity(segment)


@cache
def _recorder() -> Any:  # noqa: ANN401  # the SDK has no types
    from aws_xray_sdk.core import patch, xray_recorder  # noqa: PLC0415  # only for who is sampled
    from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter  # noqa: PLC0415

    class Discreet(UDPEmitter):  # type: ignore[misc]  # the SDK has no types
        """An emitter that leaves out the texts of exceptions, which quote what was sent."""

        def send_entity(self, entity: Any) -> None:  # noqa: ANN401
            """Sends a segment or subsegment to the daemon."""
            _quiet(entity)
            super().send_entity(entity)

    xray_recorder.emitter = Discreet(os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000"))
    # Not all that it knows: it would load each library to patch it.
    patch(("botocore",))
    return xray_recorder


def _quiet(entity: Any) -> None:  # noqa: ANN401
    if isinstance(entity.cause, dict):  # where it is a text, it refers to another entity's
        for exception in entity.cause.get("exceptions", ()):
            exception.message = None
    for part in entity.subsegments:
        _quiet(part)
