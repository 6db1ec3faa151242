"""What a process answers that cannot hear from its database, or was stopped itself: nothing old is passed off as new.

Real processes, and a real PostgreSQL behind a connection that can go dead.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import authz
import pytest
from hung import stopped_processes
from patient import Patient
from postgresql import Server
from proxy import Proxy

from authz_service.facts.change import Delete, Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.store.fact_store import FactStore

BANNED = Fact("is_suspended", (Value("Employee", "alice"),))
FULLY = authz.FullyConsistent()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.remove()


@pytest.fixture
def database(server: Server) -> Iterator[Proxy]:
    server.empty_database()
    proxy = Proxy(server.folder)
    yield proxy
    proxy.close()


@pytest.fixture
def admit(tmp_path: Path) -> Iterator:
    patients: list[Patient] = []

    def begin(ailment: str = "healthy", **settings: object) -> Patient:
        patients.append(Patient(tmp_path, ailment, **settings))
        patients[-1].learn()
        return patients[-1]

    yield begin
    for patient in patients:
        patient.end()


def suspend(url: str, write: type = Insert) -> authz.AtLeastAsFresh:
    """Write behind the back of the process that is tested; return what a question must demand to see it."""
    store = FactStore.open(url)
    token = store.write("default", WriteRequest([write(BANNED)])).token
    store.close()
    return authz.AtLeastAsFresh(str(token))


def until(holds, seconds: float) -> float:
    """Wait until it holds, and return how long that took."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < seconds
        time.sleep(0.02)
    return time.monotonic() - start


def took(call, *arguments) -> tuple[float, object]:
    start = time.monotonic()
    result = call(*arguments)
    return time.monotonic() - start, result


def test_a_database_that_is_gone(admit, server, database):
    """F1 and F2: default questions go on up to the bound, all else is refused at once; it comes back by itself."""
    bound = 6.0
    patient = admit(database_url=database.url, max_staleness_seconds=bound)
    seen = suspend(server.url("postgres"), Delete)
    assert patient.permits(seen)
    server.stop()
    gone_at = time.monotonic()
    try:
        until(lambda: patient.refusal(FULLY) == "STORE_UNAVAILABLE", 3)
        seconds, reason = took(patient.refusal, FULLY)
        assert (reason, seconds < 0.5) == ("STORE_UNAVAILABLE", True)
        ages = []
        while time.monotonic() - gone_at < bound - 1:
            response = patient.ask()
            assert response.decision == 1
            ages.append(response.age.ToTimedelta().total_seconds())
            # What was seen before needs no database.
            assert patient.permits(seen)
            time.sleep(0.1)
        assert ages == sorted(ages)
        assert ages[-1] > bound - 3
        assert patient.metric("authz_replica_age_seconds") > bound - 3
        assert patient.is_serving
        with pytest.raises(authz.Unavailable):
            patient.client.write_facts(insert=["is_suspended(Employee:bob)"], timeout=1)
        until(lambda: patient.refusal() == "REPLICA_STALE", 5)
        assert abs(time.monotonic() - gone_at - bound) < 1.5
        assert patient.refusal(seen) == "REPLICA_STALE"
        until(lambda: not patient.is_serving, 2)
    finally:
        server.start()
    assert until(lambda: patient.refusal() == "", 5) < 3
    assert patient.permits(FULLY)
    until(lambda: patient.is_serving, 2)


def test_without_the_bound_it_would_go_on(admit, server, database):
    """The test above can fail."""
    patient = admit("no_bound", database_url=database.url, max_staleness_seconds=1)
    server.stop()
    try:
        time.sleep(2.5)
        assert patient.permits()
        assert patient.is_serving
    finally:
        server.start()


def test_a_connection_that_goes_dead(admit, server, database):
    """Nothing fails, nothing is closed: the silence itself is noticed, and heals."""
    patient = admit(database_url=database.url)
    database.swallow()
    seen = suspend(server.url("postgres"))
    seconds, reason = took(patient.refusal, seen, 20)
    assert (reason, seconds < 9) == ("STORE_UNAVAILABLE", True)
    for demand in (seen, FULLY):
        seconds, reason = took(patient.refusal, demand, 20)
        assert (reason, seconds < 0.5) == ("STORE_UNAVAILABLE", True)
    # It has not heard of the suspension, says how old that is, and is no reason to leave service.
    response = patient.ask()
    assert response.decision == 1
    assert response.age.ToTimedelta().total_seconds() > 4
    # Since before the first question nothing was heard; that is longer than a hung follower is given.
    time.sleep(2)
    assert patient.is_serving
    database.heal()
    until(lambda: patient.refusal(seen) == "", 5)
    assert not patient.permits(seen)
    assert not patient.permits()


def test_waiters_of_a_slow_database_end_by_their_deadlines(admit, server, database):
    patient = admit(database_url=database.url)
    database.swallow()
    seen = suspend(server.url("postgres"))
    with ThreadPoolExecutor(10) as threads:
        asked = [threads.submit(took, patient.refusal, seen, 3) for _ in range(10)]
        for one in asked:
            seconds, reason = one.result()
            # The reason comes before the deadline does.
            assert reason in ("REPLICA_BEHIND", "STORE_UNAVAILABLE")
            assert seconds < 3
    database.heal()
    until(lambda: patient.refusal(seen) == "", 5)
    assert not patient.permits(seen)


def quietly(_: int) -> None:
    pass


def test_a_process_that_was_stopped(tmp_path):
    """F8: stopped for longer than a hung follower is given. What it answers first is as fresh as demanded."""
    numbers = stopped_processes(tmp_path, 8, quietly, max_staleness=3)
    assert all(number.holds for number in numbers)
