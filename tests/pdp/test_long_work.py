"""Long work lets the event loop and other works go on, and ends when nobody waits for it."""

import asyncio
import sys
import threading
import time

import pytest

from authz_service.errors import EvaluationLimitReached
from authz_service.pdp.long_work import Caller, LongBudget, LongWork

SECONDS = 0.5


def busy(caller: Caller) -> int:
    """Compute for a while, and return how often the loop could have come round."""
    end = time.monotonic() + SECONDS
    count = 0
    while time.monotonic() < end:
        count += 1
        caller.give_way()
    return count


def run(main):
    return asyncio.run(asyncio.wait_for(main, 30))


@pytest.fixture
def greedy():
    """Nobody is made to give the interpreter's lock away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60.0)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("greedy")
def test_the_loop_goes_on():
    async def main():
        work = LongWork()
        running = asyncio.create_task(work.run(busy))
        turns = 0
        while not running.done():
            await asyncio.sleep(0)
            turns += 1
        work.close()
        return turns

    assert run(main()) > 50


def test_works_take_turns():
    """Neither waits for the other to end; that only one computes at a time shows in `inside`."""
    inside = []
    both = []

    def counting(name):
        def work(caller):
            for _ in range(200):
                inside.append(name)
                both.append(len(inside))
                time.sleep(0.001)
                inside.pop()
                caller.give_way()
            return time.monotonic()

        return work

    async def main():
        work = LongWork()
        began = time.monotonic()
        ends = await asyncio.gather(*(work.run(counting(name)) for name in "ab"))
        work.close()
        return [end - began for end in ends]

    first, second = sorted(run(main()))
    assert set(both) == {1}
    assert first > second / 2 * 1.2


def test_a_loop_that_does_not_come_round_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr("authz_service.pdp.long_work._LONGEST_TURN", 0.01)
    loop = asyncio.new_event_loop()
    turn = threading.Lock()
    caller = Caller(loop, turn)
    with turn:
        time.sleep(0.01)
        caller.give_way()
        assert turn.locked()
    loop.close()


def test_work_that_nobody_waits_for_ends():
    ended = threading.Event()

    def endless(caller):
        for _ in LongBudget(10**12, caller, "").each:
            pass
        ended.set()

    async def main():
        work = LongWork()
        running = asyncio.create_task(work.run(endless))
        await asyncio.sleep(0.2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert await asyncio.to_thread(ended.wait, 20)
        work.close()

    run(main())


def test_a_shared_budget_is_spent_together():
    caller = Caller(None, threading.Lock())
    caller._began = float("inf")
    shared = LongBudget(100, caller, "raise `list_steps`").shared()
    assert len(list(zip(shared.each, range(60), strict=False))) == 60
    assert len(list(shared.each)) < 60
    assert "list_steps" in str(shared.reached())
    assert isinstance(shared.reached(), EvaluationLimitReached)
