"""What the store costs beside the database alone, as ratios in one run, on SQLite and on PostgreSQL.

Group commit: the same single writes, with so many of them waiting at a time, as packs and with a commit for
each.

Import and export: many facts go in as an import brings them (packs of inserts, checked against a policy,
committed with log and revision while the next pack is checked) and come out in pages of one revision: the store
as the service uses it, without the network. Beside it, bare statements on the same tables and indexes of a
second database: the same rows of facts in the same packs, by the quickest means of the driver (`executemany`,
COPY with PostgreSQL), and one SELECT of them. What they do not do is all that the store promises. A few packs
are taken in turns, so that both meet the same machine. Making the facts is not counted; the growth of memory
is, from the first tenth on. What was made at the start is kept from the garbage collector, as in the service.

    python benchmarks/store.py [--quick | --facts N]
"""

import argparse
import gc
import resource
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from postgresql import Server
from sqlalchemy import Engine, select

from authz_service.engine import engines
from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value, string
from authz_service.polar.policy import Policy
from authz_service.store import committer, dialect, tables
from authz_service.store.fact_store import FactStore
from authz_service.store.rows import fact_columns
from authz_service.store.writes import Written
from contenders.here import load_policy
from measures.memory import resident
from measures.targets import Target, print_targets
from workloads import github

PACK = 1000
AHEAD = 2
TURN = 10 * PACK
WAITING = (1, 4, 16, 64)
AT_MOST_TIMES = 3
AT_MOST_MIB = 64
_MIB = 2**20


class Databases(NamedTuple):
    """Two empty databases of one kind: for the store, and for bare statements."""

    kind: str
    store: str
    bare: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="50,000 facts")
    arguments = parser.parse_args()
    facts = 50_000 if arguments.quick else arguments.facts
    targets: list[Target] = []
    gc.freeze()
    with ExitStack() as until_the_end:
        folder = until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="authz-bench-"))
        server = Server("fsync=on")
        until_the_end.callback(server.remove)
        print("## Group commit: writes a second\n")
        print(f"{'database':12}{'waiting':>9}{'packed':>10}{'one each':>10}{'times':>8}")
        for databases in (_sqlite(Path(folder), "waiting"), _postgresql(server, "waiting")):
            targets += print_group_commit(databases, max(facts // 500, 64))
        print(f"\n## Import and export of {facts:,} facts: microseconds for each\n")
        print(f"{'database':12}{'':9}{'store':>10}{'bare':>10}{'times':>8}{'growth':>10}")
        for databases in (_sqlite(Path(folder), "facts"), _postgresql(server, "facts")):
            targets += print_import_and_export(databases, facts)
    print_targets(targets)


def _sqlite(folder: Path, name: str) -> Databases:
    urls = (f"sqlite:///{folder}/{name}-{which}.db" for which in ("store", "bare"))
    return Databases("SQLite", *urls)


def _postgresql(server: Server, name: str) -> Databases:
    urls = (server.another_database(f"{name}_{which}") for which in ("store", "bare"))
    return Databases("PostgreSQL", *urls)


def print_group_commit(databases: Databases, writes: int) -> list[Target]:
    store = FactStore.open(databases.store)
    some = facts(2 * writes * len(WAITING))
    packed = alone = 1.0
    for waiting in WAITING:
        packed = _seconds(store, list(islice(some, writes)), waiting)
        most_jobs, committer._MOST_JOBS = committer._MOST_JOBS, 1  # noqa: SLF001 - a pack of one
        alone = _seconds(store, list(islice(some, writes)), waiting)
        committer._MOST_JOBS = most_jobs  # noqa: SLF001
        rates = f"{writes / packed:>10,.0f}{writes / alone:>10,.0f}{alone / packed:>8.1f}"
        print(f"{databases.kind:12}{waiting:>9}{rates}", flush=True)
    store.close()
    name = f"{databases.kind}, {WAITING[-1]} waiting: packed beside a commit for each"
    return [Target(name, packed / alone, 1)]


def _seconds(store: FactStore, some: list[Fact], waiting: int) -> float:
    """Return how long these writes take, one fact each, while so many wait."""
    start = time.perf_counter()
    futures = deque(
        store.submit("default", WriteRequest([Insert(fact)])) for fact in some[:waiting]
    )
    for fact in some[waiting:]:
        futures.popleft().result()
        futures.append(store.submit("default", WriteRequest([Insert(fact)])))
    for future in futures:
        future.result()
    return time.perf_counter() - start


def print_import_and_export(databases: Databases, count: int) -> list[Target]:
    policy = load_policy(github.WORKLOAD, engines.Engine.COMPILED).policy
    store = FactStore.open(databases.store)
    FactStore.open(databases.bare).close()
    bare = dialect.open_engine(databases.bare)
    seconds_in = bare_in = 0.0
    resident_before = grown_by = 0
    source = facts(count)
    done = 0
    while turn := list(islice(source, TURN)):
        packs = [turn[start : start + PACK] for start in range(0, len(turn), PACK)]
        seconds_in += import_facts(store, policy, packs)
        bare_in += insert_bare(databases, packs)
        done += len(turn)
        if resident_before == 0 and done >= count / 10:
            resident_before = resident()
        grown_by = max(grown_by, resident() - resident_before if resident_before else 0)
    _print_row(databases.kind, "import", (seconds_in / count, bare_in / count), grown_by)

    seconds_out, bare_out, grown_out = export_facts(store, bare, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _print_row(databases.kind, "export", (seconds_out / count, bare_out / count), grown_out)
    print(f"{databases.kind:12}peak of this process so far: {peak:.0f} MiB", flush=True)
    store.close()
    bare.dispose()
    kind = databases.kind
    return [
        Target(f"{kind}, import beside bare inserts", seconds_in / bare_in, AT_MOST_TIMES, "times"),
        Target(f"{kind}, growth while importing", grown_by / _MIB, AT_MOST_MIB, "MiB"),
        Target(
            f"{kind}, export beside a bare SELECT", seconds_out / bare_out, AT_MOST_TIMES, "times"
        ),
        Target(f"{kind}, growth while exporting", grown_out / _MIB, AT_MOST_MIB, "MiB"),
    ]


def import_facts(store: FactStore, policy: Policy, packs: list[list[Fact]]) -> float:
    """Check and write the packs, one while the one before is committed; return the seconds."""
    start = time.perf_counter()
    waiting: deque[Future[Written]] = deque()
    for pack in packs:
        for fact in pack:
            policy.check_fact(fact)
        if len(waiting) == AHEAD:
            waiting.popleft().result()
        waiting.append(store.submit("default", WriteRequest([Insert(fact) for fact in pack])))
    for future in waiting:
        future.result()
    return time.perf_counter() - start


def export_facts(store: FactStore, bare: Engine, count: int) -> tuple[float, float, int]:
    """Export all facts, and SELECT them, in turns; return the seconds of both, and the growth of memory."""
    table = tables.facts.c
    query = select(table.predicate, table.key, table.args, table.expires_at).where(table.store == 0)
    resident_before = grown_by = found = bare_found = 0
    with bare.connect() as connection:
        start = time.perf_counter()
        exported = store.export("default")
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        rows = connection.execute(query, execution_options={"stream_results": True})
        bare_seconds = time.perf_counter() - start
        parts = rows.partitions(PACK)
        while bare_found < count:
            start = time.perf_counter()
            found += sum(1 for _ in islice(exported, TURN))
            seconds += time.perf_counter() - start
            start = time.perf_counter()
            bare_found += sum(len(part) for part in islice(parts, TURN // PACK))
            bare_seconds += time.perf_counter() - start
            if found >= count / 10:
                resident_before = resident_before or resident()
                grown_by = max(grown_by, resident() - resident_before)
    assert found == bare_found == count
    return seconds, bare_seconds, grown_by


def insert_bare(databases: Databases, packs: list[list[Fact]]) -> float:
    """Insert the rows of the same facts with the driver alone, a commit for each pack; return the seconds."""
    rows = [[(0, *fact_columns(fact), 1, None) for fact in pack] for pack in packs]
    engine = dialect.open_engine(databases.bare)
    with engine.connect() as opened, opened.execution_options(writing=True) as connection:
        start = time.perf_counter()
        for some in rows:
            with connection.begin():
                dialect.insert_rows(connection, tables.facts, some)
        seconds = time.perf_counter() - start
    engine.dispose()
    return seconds


def facts(count: int) -> Iterator[Fact]:
    """Yield different facts, in an order that is not the one of their keys."""
    for number in range(count):
        scattered = number * 1_000_003 % count if count % 1_000_003 else number
        user = Value("User", f"user-{scattered // 10}")
        repository = Value("Repository", f"repository-{scattered}")
        yield Fact("has_role", (user, string("reader"), repository))


def _print_row(kind: str, what: str, seconds: tuple[float, float], grown_by: int) -> None:
    here, bare = (1e6 * one for one in seconds)
    print(f"{kind:12}{what:9}{here:>10.1f}{bare:>10.1f}{here / bare:>8.2f}", end="")
    print(f"{grown_by / _MIB:>6.1f} MiB", flush=True)


if __name__ == "__main__":
    main()
