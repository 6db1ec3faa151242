"""F1, F2 and F3: the database is away, or slow. Questions do not notice, until what they are answered by is too old."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path

import authz
import grpc
import psycopg
from authz.v1 import authorization_service_pb2 as pb
from authz.v1.fact_service_pb2 import WriteFactsRequest
from authz.v1.fact_service_pb2_grpc import FactServiceStub
from patient import DENIED, QUESTION, Patient, admitted
from postgresql import Server
from proxy import Proxy
from report import Number

_ASKING = 2
_PERIOD = _ASKING / 1000
"""Each of those who ask does so this often: together, 1,000 times a second."""

_DEADLINE = 1.0
_WRITE_PAUSE = 0.2
_WAITERS = 10
_QUIET_PERIOD = 0.004

Progress = Callable[[int], None]


@contextmanager
def postgresql() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.remove()


class Steady:
    """Asks so many times a second, and compares. What was not asked in time is not made up for."""

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self._stopped = threading.Event()
        self.asked = 0
        self.failed = 0
        self.wrong = 0
        self.seconds: list[float] = []

    def stop(self) -> None:
        self._stopped.set()

    def run(self, period: float) -> None:
        due = time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + period, time.monotonic())
            if self.asked % 2:
                self.ask(QUESTION, pb.DECISION_PERMIT)
            else:
                self.ask(DENIED, pb.DECISION_DENY)

    def ask(self, question: tuple[str, str, str], expected: int) -> None:
        start = time.perf_counter()
        try:
            response = self._patient.ask(timeout=5, question=question)
        except grpc.RpcError:
            self.failed += 1
        else:
            self.wrong += response.decision != expected
        self.seconds.append(time.perf_counter() - start)
        self.asked += 1


def write(patient: Patient, name: str) -> tuple[float, grpc.StatusCode]:
    """Try to write once; return how long that took, and what came of it."""
    fact = {
        "predicate": "is_suspended",
        "args": [{"entity": {"type": "Employee", "id": name}}],
    }
    request = WriteFactsRequest(writes=[{"insert": fact}])
    start = time.monotonic()
    call = FactServiceStub(patient.channel).WriteFacts.future(request, timeout=_DEADLINE)
    code = call.code()
    return time.monotonic() - start, code


def database_away(folder: Path, seconds: int, progress: Progress) -> list[Number]:
    """F1: so many seconds without the database, with questions and writes all the time."""
    with (
        postgresql() as server,
        admitted(folder, database_url=server.empty_database()) as patient,
        ThreadPoolExecutor(_ASKING) as threads,
    ):
        asking = [Steady(patient) for _ in range(_ASKING)]
        running = [threads.submit(one.run, _PERIOD) for one in asking]
        start = time.monotonic()
        server.stop()
        try:
            longest_write = _write_in_vain(patient, seconds, progress)
            age = patient.metric("authz_replica_age_seconds")
        finally:
            server.start()
        back_at = time.monotonic()
        while not _is_whole(patient):
            assert time.monotonic() - back_at < 30, "it does not come back"
        recovery = time.monotonic() - back_at
        for one in asking:
            one.stop()
        for run in running:
            run.result()
        took = time.monotonic() - start
        assert patient.process.poll() is None
    asked = sum(one.asked for one in asking)
    assert age > seconds - 1, f"after {seconds} s it said that its age was {age}"
    return [
        Number("seconds without the database", seconds),
        Number("questions a second", asked / took),
        Number("questions that failed", sum(one.failed for one in asking), 0),
        Number("answers that were wrong", sum(one.wrong for one in asking), 0),
        Number("longest write that failed, seconds beyond its deadline", longest_write, 0.1),
        Number("seconds until all is well again", recovery, 2),
    ]


def _write_in_vain(patient: Patient, seconds: float, progress: Progress) -> float:
    end = time.monotonic() + seconds
    longest = float("-inf")
    for number in range(10**6):
        left = end - time.monotonic()
        if left <= 0:
            break
        took, code = write(patient, f"vain{number}")
        unsure = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
        assert code in unsure, f"a write without a database is {code}"
        longest = max(longest, took - _DEADLINE)
        progress(round(seconds - left))
        time.sleep(_WRITE_PAUSE)
    return longest


def _is_whole(patient: Patient) -> bool:
    with suppress(grpc.RpcError):
        return (
            patient.permits(authz.FullyConsistent(), 1)
            and write(patient, "again")[1] is grpc.StatusCode.OK
        )
    return False


def too_old(folder: Path, rounds: int, progress: Progress, bound: float = 10) -> list[Number]:
    """F2: the database is away until what is there is older than the bound."""
    off, readiness = 0.0, 0.0
    with (
        postgresql() as server,
        admitted(
            folder, database_url=server.empty_database(), max_staleness_seconds=bound
        ) as patient,
    ):
        for number in range(rounds):
            assert patient.is_serving
            gone_at = time.monotonic()
            server.stop()
            try:
                while (reason := patient.refusal()) == "":
                    assert time.monotonic() - gone_at < bound + 5, "it goes on beyond the bound"
                    time.sleep(0.01)
                assert reason == "REPLICA_STALE", reason
                turned_at = time.monotonic()
                off = max(off, abs(turned_at - gone_at - bound))
                while patient.is_serving:
                    assert time.monotonic() - turned_at < 5, "it stays ready"
                    time.sleep(0.01)
                readiness = max(readiness, time.monotonic() - turned_at)
            finally:
                server.start()
            while not (patient.refusal(authz.FullyConsistent()) == "" and patient.is_serving):
                time.sleep(0.05)
            progress(number + 1)
    return [
        Number("times that the database was away for too long", rounds),
        Number(f"REPLICA_STALE, seconds off the bound of {bound:g}", off, 1),
        Number("not ready, seconds after that", readiness, 1),
    ]


def slow_database(
    folder: Path, rounds: int, progress: Progress, delay: float = 2.0, window: float = 4.0
) -> list[Number]:
    """F3: each answer of the database takes so much longer, every other time."""
    with postgresql() as server:
        server.empty_database()
        proxy = Proxy(server.folder)
        try:
            with admitted(folder, database_url=proxy.url) as patient:
                return _slow(server, proxy, patient, rounds, progress, (delay, window))
        finally:
            proxy.delay = 0.0
            proxy.close()


def _slow(
    server: Server,
    proxy: Proxy,
    patient: Patient,
    rounds: int,
    progress: Progress,
    times: tuple[float, float],
) -> list[Number]:
    delay, window = times
    quiet, slow = Steady(patient), Steady(patient)
    late, most_connections = float("-inf"), 0
    # What is kept for the next time (connections of the pool, threads) was needed once, and is not left behind.
    proxy.delay = delay
    _ask_for(Steady(patient), window)
    with ThreadPoolExecutor(_WAITERS) as threads:
        for _ in range(_WAITERS):
            threads.submit(_wait_once, patient)
    proxy.delay = 0.0
    _until_fresh(patient)
    before = _held(patient)
    for number in range(rounds):
        proxy.delay = 0.0
        _until_fresh(patient)
        _ask_for(quiet, window)
        proxy.delay = delay
        time.sleep(min(delay, 1.0))
        _ask_for(slow, window)
        with ThreadPoolExecutor(_WAITERS) as threads:
            asked = [threads.submit(_wait_once, patient) for _ in range(_WAITERS)]
            most_connections = max(most_connections, _connections(server))
            late = max(late, *(one.result() for one in asked))
        progress(number + 1)
    proxy.delay = 0.0
    _until_fresh(patient)
    leaked = _leaked(patient, before)
    return [
        Number("questions while the database was slow", slow.asked),
        Number("questions that failed", slow.failed + quiet.failed, 0),
        Number("answers that were wrong", slow.wrong + quiet.wrong, 0),
        Number("p99 of a question, quiet, ms", 1000 * percentile(quiet.seconds, 0.99)),
        Number("p99 of a question, slow, ms", 1000 * percentile(slow.seconds, 0.99)),
        Number(
            "p99 of a question, slow beside quiet",
            percentile(slow.seconds, 0.99) / percentile(quiet.seconds, 0.99),
            1.1,
        ),
        Number("who waits for fresh facts, seconds beyond the deadline", late, 0.05),
        Number("connections to the database, at most", most_connections, 15),
        Number("threads and open files that are left behind", leaked, 0),
    ]


def _ask_for(steady: Steady, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        steady.ask(QUESTION, pb.DECISION_PERMIT)
        time.sleep(_QUIET_PERIOD)


def _wait_once(patient: Patient) -> float:
    """Demand what only a look at the database can give; return how long after the deadline the wait ended."""
    start = time.monotonic()
    with suppress(grpc.RpcError):
        patient.ask(authz.FullyConsistent(), _DEADLINE)
    return time.monotonic() - start - _DEADLINE


def _until_fresh(patient: Patient) -> None:
    start = time.monotonic()
    while patient.ask().age.ToTimedelta().total_seconds() > 0.5:
        assert time.monotonic() - start < 60, "it does not become fresh again"
        time.sleep(0.05)


def _connections(server: Server) -> int:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        query = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        row = connection.execute(query).fetchone()
        return row[0]


def _held(patient: Patient) -> int:
    process = Path("/proc", str(patient.process.pid))
    return sum(len(list((process / kind).iterdir())) for kind in ("task", "fd"))


def _leaked(patient: Patient, before: int) -> int:
    """Return how many threads and files are more than before, once it had time to end what it does not need."""
    end = time.monotonic() + 10
    while (leaked := _held(patient) - before) > 0 and time.monotonic() < end:
        time.sleep(0.2)
    return max(0, leaked)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[ceil(share * len(values)) - 1]
