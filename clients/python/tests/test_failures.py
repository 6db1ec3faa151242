"""What callers see while the service is slow, down, or coming up."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from authz import AsyncClient, Client, DeadlineExceeded, NotFound, ServiceError, Unavailable
from routes import both_routes
from scripted_service import PERMIT, UNAVAILABLE, fail, hang, oblige, serving, unused_port


def ask(client):
    return client.authorize("User:alice", "read", "Doc:1")


def write(client):
    return client.write_facts(insert=["f(1)"])


def publish(client):
    return client.publish_policy({})


@both_routes
def test_reads_are_tried_again(route):
    with serving(UNAVAILABLE, UNAVAILABLE, PERMIT) as service:
        assert route(service.target, ask)

    assert len(service.requests) == 3


@both_routes
def test_writes_are_tried_again_with_the_same_key(route):
    with serving(UNAVAILABLE, UNAVAILABLE, oblige) as service:
        route(service.target, write)
        route(service.target, write)

    first, second, third, other = (request.idempotency_key for request in service.requests)
    assert first == second == third != other
    assert first
    assert other


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.write_facts(insert=["f(1)"], idempotency_key=""),
        lambda client: client.publish_policy({}),
        lambda client: client.create_store("x"),
        lambda client: client.delete_store("x"),
    ],
)
@both_routes
def test_what_has_another_effect_the_second_time_is_sent_once(route, call):
    with serving(UNAVAILABLE, oblige) as service, pytest.raises(Unavailable):
        route(service.target, call)

    assert len(service.requests) == 1


@both_routes
def test_the_last_refusal_is_raised_when_the_time_is_up(route):
    began = time.monotonic()
    with serving(UNAVAILABLE) as service, pytest.raises(Unavailable, match="told to fail"):
        route(service.target, ask, timeout=0.3)

    assert 0.25 < time.monotonic() - began < 1
    assert len(service.requests) > 3


@both_routes
def test_a_service_that_hangs_is_given_up(route):
    with serving(hang) as service, pytest.raises(DeadlineExceeded) as caught:
        route(service.target, ask, timeout=0.2)

    assert caught.value.message.startswith(
        f"the service at {service.target} did not answer in 0.2 s"
    )
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


@both_routes
def test_a_call_may_have_its_own_timeout(route):
    with serving(hang) as service, pytest.raises(DeadlineExceeded, match=r"in 0\.1 s"):
        route(service.target, lambda c: c.authorize("U:a", "r", "D:1", timeout=0.1))


@both_routes
def test_reads_without_a_service_are_unavailable(route):
    target = f"127.0.0.1:{unused_port()}"

    with pytest.raises(Unavailable, match=f"the service at {target} is unavailable"):
        route(target, ask, timeout=0.2)


@both_routes
def test_publications_without_a_service_name_the_target(route):
    target = f"127.0.0.1:{unused_port()}"

    with pytest.raises(DeadlineExceeded, match=rf"at {target} did not answer in 0\.2 s"):
        route(target, publish, timeout=0.2)


@pytest.mark.parametrize("call", [ask, write])
@both_routes
def test_a_service_that_starts_late_is_waited_for(route, call):
    with serving(oblige, port=unused_port(), after=0.5) as service:
        assert route(service.target, call, timeout=5)

    assert len(service.requests) == 1


@both_routes
def test_very_long_timeouts_are_not_past_ones(route):
    with serving(PERMIT) as service:
        assert route(service.target, ask, timeout=1e300)


def test_a_closed_client_refuses():
    client = Client()
    client.close()

    with pytest.raises(RuntimeError, match="closed"):
        ask(client)


def test_a_closed_async_client_refuses():
    async def main():
        client = AsyncClient()
        await client.close()
        with pytest.raises(RuntimeError, match="closed"):
            await ask(client)

    asyncio.run(main())


def test_closing_ends_calls_under_way():
    with serving(hang) as service, ThreadPoolExecutor() as pool:
        client = Client(service.target, timeout=5)
        asked = pool.submit(ask, client)
        wait_for_a_request(service)
        client.close()

        assert isinstance(asked.exception(), ServiceError)
        assert asked.exception().code is grpc.StatusCode.CANCELLED


def test_closing_ends_awaited_calls_under_way():
    async def main():
        client = AsyncClient(service.target, timeout=5)
        asked = asyncio.create_task(ask(client))
        await asyncio.to_thread(wait_for_a_request, service)
        await client.close()
        with pytest.raises(ServiceError, match="closed during the call"):
            await asked

    with serving(hang) as service:
        asyncio.run(main())


def test_a_cancelled_call_stays_cancelled_when_the_client_closes():
    async def main():
        client = AsyncClient(service.target, timeout=5)
        asked = asyncio.create_task(ask(client))
        await asyncio.to_thread(wait_for_a_request, service)
        asked.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await asked

    with serving(hang) as service:
        asyncio.run(main())


def wait_for_a_request(service):
    while not service.requests:
        time.sleep(0.001)


def test_a_client_can_be_shared_by_threads():
    with (
        serving(PERMIT) as service,
        Client(service.target) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        assert all(pool.map(lambda _: ask(client), range(50)))


def test_an_encrypted_channel_does_not_fall_back():
    credentials = grpc.ssl_channel_credentials()

    with serving(PERMIT) as service, Client(service.target, credentials=credentials) as client:
        with pytest.raises(Unavailable):
            client.authorize("User:alice", "read", "Doc:1", timeout=0.2)
        assert not service.requests


def test_not_found_is_not_tried_again():
    with serving(fail(grpc.StatusCode.NOT_FOUND)) as service, Client(service.target) as client:
        with pytest.raises(NotFound):
            client.get_policy(9)
        assert len(service.requests) == 1
