"""A forgotten `await` is an error, and everything else is as with any coroutine."""

import asyncio
import gc

import pytest
from authz import AsyncClient, Decision
from scripted_service import DENY, PERMIT, hang, serving


def ask(client):
    return client.authorize("User:alice", "read", "Doc:1")


@pytest.mark.parametrize(
    "call",
    [
        ask,
        lambda client: client.authorize_batch([]),
        lambda client: client.write_facts(),
        lambda client: client.publish_policy({}),
        lambda client: client.get_policy(),
    ],
)
def test_an_answer_that_is_not_awaited_has_no_truth(call):
    pending = call(AsyncClient())

    with pytest.raises(TypeError, match="write `await`"):
        bool(pending)

    pending.close()


def test_it_can_be_awaited_in_every_way():
    async def main():
        async with AsyncClient(service.target) as client:
            answers = [
                await ask(client),
                await asyncio.create_task(ask(client)),
                await asyncio.wait_for(ask(client), 5),
                *await asyncio.gather(ask(client), ask(client)),
            ]
            async with asyncio.TaskGroup() as tasks:
                last = tasks.create_task(ask(client))
            return [*answers, last.result()]

    with serving(PERMIT) as service:
        answers = asyncio.run(main())

    gc.collect()  # A coroutine that nobody awaited would warn now, and warnings are errors.
    assert len(answers) == 6
    assert all(isinstance(answer, Decision) for answer in answers)


def test_asyncio_run_takes_it():
    with serving(DENY) as service:
        assert not asyncio.run(ask(AsyncClient(service.target)))


def test_cancelling_cancels():
    async def main():
        async with AsyncClient(service.target) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(client), 0.05)
            asked = asyncio.create_task(ask(client))
            await asyncio.sleep(0)
            asked.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asked

    with serving(hang) as service:
        asyncio.run(main())
