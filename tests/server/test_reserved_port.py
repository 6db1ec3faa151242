"""A port that is reserved for workers is nobody else's."""

import asyncio
import socket

import pytest
from grpc import aio

from authz_service.server.reserved_port import ReservedPort

HOSTS = ["127.0.0.1", "::1", "localhost", "0.0.0.0", "::"]


def listens(address, *, shared):
    server = aio.server(options=[("grpc.so_reuseport", int(shared))])
    return server, server.add_insecure_port(address)


@pytest.mark.parametrize("host", HOSTS)
def test_it_is_for_those_who_share_it(host):
    async def main():
        with ReservedPort(host, 0) as reserved:
            address = f"[{host}]:{reserved.port}" if ":" in host else f"{host}:{reserved.port}"
            workers = [listens(address, shared=True) for _ in range(2)]
            assert [port for _, port in workers] == [reserved.port] * 2
            with pytest.raises(RuntimeError, match="Failed to bind"):
                listens(address, shared=False)
            with pytest.raises(OSError, match="in use"):
                ReservedPort(host, reserved.port)
            for server, _ in workers:
                await server.stop(0)

    asyncio.run(main())


@pytest.mark.parametrize("host", HOSTS)
def test_it_is_nobody_elses_until_it_is_closed(host):
    with ReservedPort(host, 0) as reserved, pytest.raises(OSError, match="in use"):
        ReservedPort(host, reserved.port)
    ReservedPort(host, reserved.port).close()


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_listener_of_others_is_noticed(is_shared):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, is_shared)
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            ReservedPort("127.0.0.1", other.getsockname()[1])


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(OSError, match="assign"):
        ReservedPort("192.0.2.1", 0)
