"""What the store costs beside the database alone, as ratios in one run, on SQLite and on PostgreSQL.

Group commit: the same single writes, with so many of them waiting at a time, as packs and with a commit for
each.

Import and export: many facts go in as an import brings them (packs of inserts, checked against a policy,
committed with log and revision while the next pack is checked) and come out in pages of one revision: the store
as the service uses it, without the network. Beside it, bare statements on the same tables and indexes of a
second database: all rows that the import writes (facts, the log, and where store and head have got to), made
before, in a transaction for each pack, by the quickest means of the driver (`executemany`, COPY with
PostgreSQL); and one SELECT of the facts in the same order. What they do not do is all that the store promises.
Both keep their connections, so what a database puts off (a checkpoint) is counted for both. A few packs are
taken in turns, so that both meet the same machine. Making the facts is not counted; the growth of memory is,
from the first tenth on. What was made at the start is kept from the garbage collector, as in the service.

Earlier editions of this left the log, the two positions and the order of the SELECT out of the bare
statements, and a checkpoint of SQLite out of their time: their ratios were higher for the same store.

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
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from postgresql import Server
from sqlalchemy import Connection, Engine, select

from authz_service.engine import engines
from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.instant import instant_of
from authz_service.facts.value import Value, string
from authz_service.polar.policy import Policy
from authz_service.store import committer, dialect, tables
from authz_service.store.fact_store import FactStore
from authz_service.store.rows import Kind, Mark, encode_effects, fact_columns
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


class Spent:
    """Time that went by, by the clock and on the processors, of which a busy machine changes the first only."""

    def __init__(self) -> None:
        self.seconds = self.cpu = 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        start, cpu_start = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - start
        self.cpu += time.process_time() - cpu_start


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
        print(f"{'':21}{'time':>26}{'CPU of this process':>30}")
        columns = f"{'store':>10}{'bare':>10}{'times':>8}"
        print(f"{'database':12}{'':9}{columns}{columns}{'growth':>10}")
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
    imported, inserted = Spent(), Spent()
    connection = bare.connect().execution_options(writing=True)
    resident_before = grown_by = 0
    source = facts(count)
    done = 0
    while turn := list(islice(source, TURN)):
        packs = [turn[start : start + PACK] for start in range(0, len(turn), PACK)]
        with imported.counted():
            import_facts(store, policy, packs)
        insert_bare(connection, packs, done // PACK + 1, inserted)
        done += len(turn)
        if resident_before == 0 and done >= count / 10:
            resident_before = resident()
        grown_by = max(grown_by, resident() - resident_before if resident_before else 0)
    connection.close()
    _print_row(f"{databases.kind:12}import", count, imported, inserted, grown_by)

    exported, selected = Spent(), Spent()
    grown_out = export_facts(store, bare, count, exported, selected)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _print_row(f"{databases.kind:12}export", count, exported, selected, grown_out)
    print(f"{databases.kind:12}peak of this process so far: {peak:.0f} MiB", flush=True)
    store.close()
    bare.dispose()
    kind = databases.kind
    return [
        Target(
            f"{kind}, import beside bare inserts",
            imported.seconds / inserted.seconds,
            AT_MOST_TIMES,
            "times",
        ),
        Target(f"{kind}, growth while importing", grown_by / _MIB, AT_MOST_MIB, "MiB"),
        Target(
            f"{kind}, export beside a bare SELECT",
            exported.seconds / selected.seconds,
            AT_MOST_TIMES,
            "times",
        ),
        Target(f"{kind}, growth while exporting", grown_out / _MIB, AT_MOST_MIB, "MiB"),
    ]


def import_facts(store: FactStore, policy: Policy, packs: list[list[Fact]]) -> None:
    """Check and write the packs, one while the one before is committed."""
    waiting: deque[Future[Written]] = deque()
    for pack in packs:
        for fact in pack:
            policy.check_fact(fact)
        if len(waiting) == AHEAD:
            waiting.popleft().result()
        waiting.append(store.submit("default", WriteRequest([Insert(fact) for fact in pack])))
    for future in waiting:
        future.result()


def insert_bare(connection: Connection, packs: list[list[Fact]], first: int, spent: Spent) -> None:
    """Write what an import of the same packs does, with the driver alone, a transaction for each pack."""
    written = [
        (
            revision,
            [(0, *fact_columns(fact), revision, None) for fact in pack],
            (revision, 0, 0, instant_of(datetime.now(UTC)), Kind.FACTS.value, _body(pack)),
        )
        for revision, pack in enumerate(packs, start=first)
    ]
    with spent.counted():
        for revision, rows, log in written:
            with connection.begin():
                dialect.insert_rows(connection, tables.facts, rows)
                dialect.insert_rows(connection, tables.changes, [log])
                connection.exec_driver_sql(f"UPDATE stores SET revision = {revision}")
                connection.exec_driver_sql(
                    f"UPDATE head SET revision = {revision}, committed_at = {log[3]}"
                )


def _body(pack: list[Fact]) -> str:
    return encode_effects([(Mark.INSERTED, fact, None) for fact in pack])


def export_facts(
    store: FactStore, bare: Engine, count: int, exporting: Spent, selecting: Spent
) -> int:
    """Export all facts, and SELECT them, in turns; return the growth of memory."""
    table = tables.facts.c
    query = select(table.predicate, table.key, table.args, table.expires_at).where(table.store == 0)
    query = query.order_by(table.predicate, table.key)
    resident_before = grown_by = found = bare_found = 0
    with bare.connect() as connection:
        with exporting.counted():
            exported = store.export("default")
        with selecting.counted():
            rows = connection.execute(query, execution_options={"stream_results": True})
        parts = rows.partitions(PACK)
        while bare_found < count:
            with exporting.counted():
                found += sum(1 for _ in islice(exported, TURN))
            with selecting.counted():
                bare_found += sum(len(part) for part in islice(parts, TURN // PACK))
            if found >= count / 10:
                resident_before = resident_before or resident()
                grown_by = max(grown_by, resident() - resident_before)
    assert found == bare_found == count
    return grown_by


def facts(count: int) -> Iterator[Fact]:
    """Yield different facts, in an order that is not the one of their keys."""
    for number in range(count):
        scattered = number * 1_000_003 % count if count % 1_000_003 else number
        user = Value("User", f"user-{scattered // 10}")
        repository = Value("Repository", f"repository-{scattered}")
        yield Fact("has_role", (user, string("reader"), repository))


def _print_row(what: str, count: int, store: Spent, bare: Spent, grown_by: int) -> None:
    print(f"{what:21}", end="")
    for here, beside in ((store.seconds, bare.seconds), (store.cpu, bare.cpu)):
        print(f"{1e6 * here / count:>10.1f}{1e6 * beside / count:>10.1f}", end="")
        print(f"{here / beside:>8.2f}", end="")
    print(f"{grown_by / _MIB:>6.1f} MiB", flush=True)


if __name__ == "__main__":
    main()
