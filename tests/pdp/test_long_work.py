"""Long work lets the event loop and other works go on, and ends when nobody waits for it."""

import asyncio
import sys
import threading
import time

import pytest

from authz_service.errors import EvaluationLimitReached
from authz_service.pdp.long_work import Caller, LongBudget, LongWork, Turns

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
    turns = Turns(loop)
    caller, other = Caller(turns), Caller(turns)
    caller.begin()
    time.sleep(0.01)
    caller.give_way()
    caller.end()
    # Whatever it had asked for and did not wait for is over when the loop comes round.
    assert not loop.run_until_complete(asyncio.wait_for(asyncio.to_thread(other.begin), 20))
    assert other.may_go.is_set()
    loop.close()


class TurningLoop:
    """A loop whose turns take as long as one says."""

    def __init__(self):
        self.now = 0.0
        self.ready = []

    def call_soon(self, call, *args):
        self.ready.append((call, args))

    def turn(self, seconds):
        self.now += seconds
        ready, self.ready = self.ready, []
        for call, args in ready:
            call(*args)


@pytest.fixture
def loop():
    """A loop that has had a turn with nothing to do."""
    loop = TurningLoop()
    loop.turns = Turns(loop, clock=lambda: loop.now)
    first = Caller(loop.turns)
    loop.turns.ask(first)
    loop.turn(10e-6)
    loop.turns.end(first)
    return loop


def working(loop):
    """Return a caller whose work has computed already."""
    caller = Caller(loop.turns)
    caller.patience = 0.01
    return caller


def test_work_goes_on_when_the_loop_has_nothing_to_do(loop):
    caller = working(loop)
    loop.turns.ask(caller)
    for busy in (200e-6, 80e-6, 2e-3):
        loop.turn(busy)
        assert not caller.may_go.is_set()
    loop.turn(12e-6)
    assert caller.may_go.is_set()
    assert not loop.ready


def test_a_loop_that_always_has_something_to_do_is_not_waited_for_for_ever(loop):
    caller = working(loop)
    loop.turns.ask(caller)
    turns = 0
    while not caller.may_go.is_set():
        loop.turn(1e-3)
        turns += 1
    assert turns == pytest.approx(10, abs=1)


def test_what_may_be_short_is_not_put_off(loop):
    caller = Caller(loop.turns)
    loop.turns.ask(caller)
    loop.turn(1e-3)
    assert caller.may_go.is_set()


def test_each_has_its_turn_and_the_loop_between_two(loop):
    callers = [working(loop) for _ in range(3)]
    for caller in callers:
        loop.turns.ask(caller)
    went = []
    for _ in range(9):
        loop.turn(1e-3)
        assert not any(caller.may_go.is_set() for caller in callers)
        loop.turn(10e-6)
        [at_work] = [caller for caller in callers if caller.may_go.is_set()]
        loop.turn(10e-6)
        went.append(callers.index(at_work))
        at_work.may_go.clear()
        loop.turns.ask(at_work)
    assert went == [0, 1, 2] * 3


def test_the_turn_is_not_lost_to_work_that_ended_while_it_was_asking(loop):
    """As it does when it has waited for too long."""
    at_work, ended, third = (working(loop) for _ in range(3))
    for caller in (at_work, ended, third):
        loop.turns.ask(caller)
    loop.turn(10e-6)
    assert at_work.may_go.is_set()
    loop.turns.end(ended)
    loop.turns.end(at_work)
    loop.turn(10e-6)
    assert third.may_go.is_set()


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
    caller = Caller(None)
    caller._began = float("inf")
    shared = LongBudget(100, caller, "raise `list_steps`").shared()
    assert len(list(zip(shared.each, range(60), strict=False))) == 60
    assert len(list(shared.each)) < 60
    assert "list_steps" in str(shared.reached())
    assert isinstance(shared.reached(), EvaluationLimitReached)


def test_work_that_takes_no_steps_gives_way_when_it_rests(loop):
    asked = []

    class Noted(Caller):
        def give_way(self):
            asked.append(self)

    caller = Noted(loop.turns)
    budget = LongBudget(100, caller, "")
    budget.rest()
    budget.shared().rest()
    assert asked == [caller, caller]
