"""Header of another's choice in requests to its server: what may be sent (RFC 9110).

One rule for whoever sets such a header and for who sends it. Fields of the connection and of the
message's form are the sender's own: another's would have every request misread.
"""

import re

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t -~]*")  # RFC 9110, 5.5: no line break, though older texts let lines fold
# Hop by hop (RFC 9110, 7.6.1; RFC 2616, 13.5.1), framing and routing, what the server may answer in.
_OURS = frozenset(
    {
        *("connection", "keep-alive", "proxy-connection", "proxy-authenticate"),
        *("proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-length", "content-encoding", "host", "expect", "accept-encoding"),
    }
)


class HeaderRefused(ValueError):
    """The header cannot be sent; the text says why."""


class NameRefused(HeaderRefused):
    """It is its name."""


class ValueRefused(HeaderRefused):
    """It is its value."""


def check_name(name: str) -> None:
    """Raises NameRefused where no header may have this name; an empty one stands for no header."""
    if name and not _TOKEN.fullmatch(name):
        raise NameRefused("This is not a valid header name.")
    if name.lower() in _OURS:
        raise NameRefused(f"The header {name} is set by the registry itself.")


def check_value(value: str) -> None:
    """Raises ValueRefused where no header may have this value."""
    if not _VALUE.fullmatch(value):
        raise ValueRefused("This is not a valid header value.")
