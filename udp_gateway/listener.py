"""UDP socket of the gateway."""

import logging
import socket
import struct

BUFFER_BYTES = 8 * 1_048_576  # asked for; the kernel gives `net.core.rmem_max` at most
_SO_MEMINFO = 55  # Linux: nine numbers on a socket's memory; Python has no name for it
_MEMINFO = struct.Struct("9I")
_DROPS = 8  # the place of the datagrams that found no room (linux/sock_diag.h)

log = logging.getLogger("maraude.udp")


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address, with as large a buffer as the kernel allows. Raises OSError."""
    listener = socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
    )
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def buffer_bytes(listener: socket.socket) -> int:
    """The buffer that the kernel gave."""
    return listener.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def lost(listener: socket.socket) -> int:
    """The datagrams that the kernel has dropped for want of room; 0 where it does not tell."""
    try:
        numbers = listener.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    except OSError:
        return 0
    return int(_MEMINFO.unpack(numbers)[_DROPS]) if len(numbers) == _MEMINFO.size else 0
