import itertools
import math
import time

import grpc
import pytest
from authz import Client, DeadlineExceeded, NotFound, ServiceError, Unavailable
from authz._retry import LONGEST_PAUSE, Attempts, pauses, require_timeout


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_pauses_double_up_to_a_second():
    longest = pauses(jitter=lambda _low, high: high)

    assert list(itertools.islice(longest, 8)) == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]


def test_pauses_are_jittered_by_half():
    for pause, bound in zip(itertools.islice(pauses(), 6), [0.02, 0.04, 0.08], strict=False):
        assert bound / 2 <= pause <= bound <= LONGEST_PAUSE


def test_attempts_fill_the_time_and_end_with_the_last_failure():
    clock = FakeClock()
    attempts = Attempts(2.0, repeatable=True, clock=clock)
    last = Unavailable("still down")

    def keep_trying():
        while True:
            clock.now += attempts.pause_after(last)

    with pytest.raises(Unavailable) as caught:
        keep_trying()

    assert caught.value is last
    assert 1.9 < clock.now < 2.0


def test_who_wakes_up_after_the_time_is_told_why_the_attempt_before_failed():
    clock = FakeClock()
    attempts = Attempts(2.0, repeatable=True, clock=clock)
    last = Unavailable("still down")
    clock.now += 1.9
    clock.now += attempts.pause_after(last) + 1
    with pytest.raises(Unavailable) as caught:
        attempts.time_left()
    assert caught.value is last
    late = Attempts(1e-12, repeatable=True, clock=clock)
    clock.now += 1
    assert late.time_left() > 0


CALLS = {
    "list": lambda client: list(client.list_resources("User:a", "read", "Doc", timeout=0.2)),
    "page": lambda client: client.list_resources_page(
        "User:a", "read", "Doc", page_size=1, timeout=0.2
    ),
    "query": lambda client: list(client.query("has_role(?who, ?role, Doc:?doc)", timeout=0.2)),
    "question": lambda client: client.authorize("User:a", "read", "Doc:d", timeout=0.2),
    "export": lambda client: list(client.export_facts(timeout=0.2)),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_wakes_up_late_is_unavailable(call, monkeypatch):
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(seconds + 0.15))
    with Client("127.0.0.1:1") as client, pytest.raises(Unavailable):
        CALLS[call](client)


def test_what_comes_to_a_stopping_server_is_tried_again():
    """Before the server sees it, gRPC gives it back as cancelled."""
    given_back = ServiceError("CANCELLED", code=grpc.StatusCode.CANCELLED)

    assert 0 < Attempts(2.0, repeatable=True).pause_after(given_back) < 0.1
    with pytest.raises(ServiceError):
        Attempts(2.0, repeatable=False).pause_after(given_back)


@pytest.mark.parametrize(
    ("failure", "repeatable"), [(Unavailable("down"), False), (NotFound("no store"), True)]
)
def test_nothing_else_is_tried_again(failure, repeatable):
    with pytest.raises(type(failure)):
        Attempts(2.0, repeatable=repeatable).pause_after(failure)


@pytest.mark.parametrize("seconds", [0, -1, math.inf, -math.inf, math.nan])
def test_timeouts_are_positive_and_finite(seconds):
    with pytest.raises(ValueError, match="positive and finite"):
        require_timeout(seconds)
    with pytest.raises(ValueError, match="positive and finite"):
        Client(timeout=seconds)


def test_an_attempt_that_was_cut_short_does_not_hide_the_reason():
    clock = FakeClock()
    attempts = Attempts(2.0, repeatable=True, clock=clock)
    told, cut_short = Unavailable("the database is away"), DeadlineExceeded("no answer in 2 s")
    clock.now += attempts.pause_after(told)
    clock.now = 2.0
    with pytest.raises(Unavailable) as caught:
        attempts.pause_after(cut_short)
    assert caught.value is told
    with pytest.raises(DeadlineExceeded):
        Attempts(2.0, repeatable=True, clock=clock).pause_after(cut_short)
