"""Copies of the replica that a server writes beside the requests, and what the next one starts from."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from examples import cases, fact_lines, policy_text

from authz_service.errors import StoreUnavailable
from authz_service.replica.replica import Replica
from authz_service.replica.saved import FORM
from authz_service.server import snapshots
from authz_service.server.snapshots import keep_checkpoint
from authz_service.store import checkpoints
from authz_service.store.fact_store import FactStore


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_FEWEST_FACTS", 1)
    monkeypatch.setattr(checkpoints, "_USED_UP_TO", 100)
    monkeypatch.setattr(snapshots, "_FIRST_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(snapshots, "_LOOK_SECONDS", 0.05)


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.usefixtures("_at_once")
def test_a_server_starts_from_the_checkpoint_of_another(start, tmp_path, monkeypatch) -> None:
    first = start()
    first.client.publish_policy({"policy.polar": policy_text("security_company")})
    first.client.write_facts(insert=fact_lines("security_company"))
    store = FactStore.open(f"sqlite:///{tmp_path / 'authz.db'}")
    until(lambda: store.checkpoint(FORM))
    store.close()
    first.stop()

    def load(_: Replica) -> None:
        raise AssertionError("it was not started from the checkpoint")

    monkeypatch.setattr(Replica, "load", load)
    second = start()
    for permitted, *question in cases("security_company"):
        assert bool(second.client.authorize(*question)) is permitted


class Keeping:
    """What `keep_checkpoint` sees of a replica: looks and saves that fail, or find that there is nothing to do."""

    def __init__(self, *outcomes: bool | Exception) -> None:
        self.outcomes = list(outcomes)
        self.stopped = asyncio.Event()
        self.looked_in: set[str] = set()

    def due_checkpoint(self) -> Callable[[Callable[[], bool]], bool] | None:
        self.looked_in.add(threading.current_thread().name)
        return self._write if self._next() else None

    def _write(self, rest: Callable[[], bool]) -> bool:
        assert rest()
        if len(self.outcomes) == 1:
            self.stopped.set()
            assert not rest()
        return self._next()

    def _next(self) -> bool:
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.mark.usefixtures("_at_once")
def test_what_keeps_checkpoints_goes_on_until_it_is_stopped() -> None:
    away, defect = StoreUnavailable("away"), ValueError("a defect")
    # Two looks that fail, one that finds nothing to do; and three saves, of which the last is the end.
    keeping = Keeping(away, defect, False, *(True, away), *(True, defect), *(True, True))
    with ThreadPoolExecutor(1, "looking") as looking:
        asyncio.run(asyncio.wait_for(keep_checkpoint(keeping, looking, keeping.stopped), 10))
    assert keeping.outcomes == []
    assert keeping.looked_in == {"looking_0"}
