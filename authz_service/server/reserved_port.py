"""ReservedPort: a port for the workers of this process, from before the first one listens.

Rule 1: whoever has the port already, or wants it later, is noticed: it is bound as if for this process
    alone, and opened to others only afterwards. A second supervisor fails like a second server.
Rule 2: nothing is accepted here. Without a worker that listens, connections are refused.

Only processes of the same user that ask to share it (SO_REUSEPORT) can have it, too. Linux spreads
connections, not requests, over those that listen.
"""

import errno
import socket
from types import TracebackType
from typing import Final, Self

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - to know them, not to use them


class ReservedPort:
    """Holds `port` on all addresses of `host` until it is closed. Raises OSError if it cannot have it."""

    def __init__(self, host: str, port: int) -> None:
        self.port = port
        self._sockets: list[socket.socket] = []
        try:
            self._reserve(host)
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        for one in self._sockets:
            one.close()

    def _reserve(self, host: str) -> None:
        missing: OSError | None = None
        for family, address in _addresses(host):
            try:
                self._bind(family, address)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise
                # An address that this machine does not have; one of several is enough, as for gRPC.
                missing = error
        if missing and not self._sockets:
            raise missing

    def _bind(self, family: socket.AddressFamily, address: str) -> None:
        one = socket.socket(family)
        self._sockets.append(one)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        # Connections of a server before that are not quite over are no hindrance; its listener would be.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((address, self.port))
        except OSError:
            self._sockets.remove(one)
            one.close()
            raise
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.port = one.getsockname()[1]


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    """Return what gRPC would listen on for `host`: either wildcard means all addresses of both families."""
    if host in _WILDCARDS and socket.has_dualstack_ipv6():
        return [(socket.AF_INET6, "::")]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [(family, str(address[0])) for family, _, _, _, address in found]
