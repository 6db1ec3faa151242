"""What getting ready costs a serving process, beside the driver's bare SELECT of the same rows, in one run.

1,000,000 facts, ten about each of 100,000 repositories, with ids of 20 bytes: nine roles of users and the
organization. Ready is a replica with the indexes that the policy demands; what only the first write needs
is made after that, beside the requests, and counted as memory. From SQL is from the checkpoint there, also with
the longest log behind it after which another one is wanted; from the facts alone is what it takes without one.
Each figure is the best of some fresh processes that take turns, in seconds of CPU; memory is the growth of such
a process, with all of its replica.

    python benchmarks/replica.py [--facts N] [--times N] [--postgresql]
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from postgresql import Server
from sqlalchemy import update

from authz_service.engine.engines import Engine, LoadedPolicy
from authz_service.facts.change import Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import Value, string
from authz_service.replica.replica import Replica
from authz_service.replica.saved import FORM
from authz_service.server.garbage import uncollected
from authz_service.server.prepare import prepared
from authz_service.store import dialect, tables
from authz_service.store.fact_store import FactStore
from authz_service.store.rows import fact_columns
from measures.memory import resident
from measures.targets import Target, print_targets

EACH = 10
PACK = 10_000
WRITTEN = 100
READER = string("reader")
REPOSITORY = Value("Repository", f"repository-{0:09}")
SELECT = "SELECT predicate, key, args, expires_at FROM facts WHERE store = 0"

POLICY = """
actor User {}
resource Organization { roles = ["admin"]; }
resource Repository {
  roles = ["reader", "writer"];
  permissions = ["read", "write"];
  relations = { organization: Organization };
  "read" if "reader";
  "write" if "writer";
  "reader" if "writer";
  "writer" if "admin" on "organization";
}
"""


class Place(NamedTuple):
    """Where the facts are: a database, and the snapshot file of a replica of it."""

    database_url: str
    snapshot: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--postgresql", action="store_true", help="and not SQLite")
    arguments = parser.parse_args()
    with ExitStack() as until_the_end:
        folder = until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="authz-bench-"))
        url = f"sqlite:///{folder}/authz.db"
        if arguments.postgresql:
            server = Server("fsync=off")
            until_the_end.callback(server.remove)
            url = server.another_database("facts")
        place = Place(url, Path(folder, "authz.snapshot"))
        store_facts(url, arguments.facts)
        print_targets(measured(place, arguments.facts, arguments.times))


def measured(place: Place, count: int, times: int) -> list[Target]:
    apart(write_copies, place)
    ways: dict[str, Callable[[Place], float]] = {
        "bare": bare,
        "SQL": from_sql,
        "facts alone": from_facts,
        "file": from_file,
    }
    turns = [{way: apart(measure, place) for way, measure in ways.items()} for _ in range(times)]
    seconds = {way: [turn[way] for turn in turns] for way in ways}
    apart(lengthen_log, place)
    seconds["SQL and log"] = [apart(from_sql, place) for _ in range(times)]
    print(f"\n## {count:,} facts: seconds of CPU until they are there\n")
    for way, found in seconds.items():
        print(f"{way:12}" + "".join(f"{one:>10.2f}" for one in found))
    best = {way: min(found) for way, found in seconds.items()}
    each = apart(growth, place) / count
    return [
        Target("ready from SQL, beside the bare rows", best["SQL"] / best["bare"], 3),
        Target("ready from SQL with a long log", best["SQL and log"] / best["bare"], 3),
        Target("ready from the snapshot file, beside the same", best["file"] / best["bare"], 1),
        Target("memory of a fact", each, 100, "bytes"),
    ]


def apart(measure: Callable[[Place], float], place: Place) -> float:
    """Return what `measure` finds in a process that has done nothing else."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as process:
        return process.submit(measure, place).result()


def bare(place: Place) -> float:
    """Return the seconds that the driver takes to hand over every row, and nothing is done with it."""
    store = FactStore.open(place.database_url)
    connection = dialect.open_engine(place.database_url).raw_connection()
    cursor = connection.cursor()
    start = time.process_time()
    cursor.execute(SELECT)
    while cursor.fetchmany(1000):
        pass
    seconds = time.process_time() - start
    store.close()
    return seconds


def from_sql(place: Place) -> float:
    """Return what a start takes with a database that has been served from: it has a checkpoint."""
    replica = opened(place)
    start = time.process_time()
    with uncollected():
        if not replica.load_checkpoint():
            raise RuntimeError("there is no checkpoint to start from")
    seconds = time.process_time() - start
    replica.close()
    return seconds


def from_facts(place: Place) -> float:
    """Return what a start takes without a checkpoint, as right after an import."""
    replica = opened(place)
    start = time.process_time()
    with uncollected():
        replica.load()
    seconds = time.process_time() - start
    replica.close()
    return seconds


def write_copies(place: Place) -> float:
    """Write the snapshot file and the checkpoint, as a server does beside requests, and say what that takes."""
    replica = opened(place)
    replica.load()
    start = time.process_time()
    replica.save_file(place.snapshot)
    seconds = time.process_time() - start
    size = place.snapshot.stat().st_size / 2**20
    print(f"\nthe snapshot file: written in {seconds:.2f} s of CPU, {size:.1f} MiB")
    start = time.process_time()
    write = replica.due_checkpoint()
    if write is None or not write(lambda: True):
        raise RuntimeError("no checkpoint was written")
    seconds = time.process_time() - start
    replica.close()
    print(f"the checkpoint: written in {seconds:.2f} s of CPU")
    return seconds


def lengthen_log(place: Place) -> float:
    """Write new facts until another checkpoint is wanted; return how many these are."""
    store = FactStore.open(place.database_url)
    count = 0
    while not store.look_at_checkpoints(FORM, 0, store.head().revision).is_wanted:
        some = [
            Insert(Fact("has_role", (Value("User", f"new-{count + at:016}"), READER, REPOSITORY)))
            for at in range(WRITTEN)
        ]
        store.write("default", WriteRequest(some))
        count += len(some)
    store.close()
    print(f"the log behind it: {count:,} facts")
    return count


def from_file(place: Place) -> float:
    replica = opened(place)
    start = time.process_time()
    with uncollected():
        if not replica.load_file(place.snapshot):
            raise RuntimeError("the snapshot file was refused")
    seconds = time.process_time() - start
    replica.close()
    return seconds


def growth(place: Place) -> float:
    """Return by how many bytes a process grows by loading."""
    replica = opened(place)
    before = resident()
    load(replica)
    return resident() - before


def opened(place: Place) -> Replica[LoadedPolicy]:
    """Return an empty replica in a process that has all of its code."""
    load_policy = prepared(Engine.COMPILED)
    load_policy([PolicyFile("main.polar", POLICY)], lambda: False)
    store = FactStore.open(place.database_url)
    store.head()
    return Replica(
        store, lambda files: load_policy(files, lambda: False), lambda loaded: loaded.program.demand
    )


def load(replica: Replica[LoadedPolicy]) -> None:
    """Load, and do what is done beside before the first write."""
    with uncollected():
        replica.load()
        for state in replica.states():
            state.facts.findable()
        replica.close()


def store_facts(database_url: str, count: int) -> None:
    """Make the database, as imports would have left it behind."""
    store = FactStore.open(database_url)
    store.publish("default", (PolicyFile("main.polar", POLICY),), datetime.now(UTC))
    engine = dialect.open_engine(database_url)
    some = facts(count)
    while pack := list(islice(some, PACK)):
        rows = [(0, *fact_columns(fact), 1, None) for fact in pack]
        with engine.connect() as opened, opened.execution_options(writing=True) as connection:
            dialect.insert_rows(connection, tables.facts, rows)
            connection.execute(update(tables.head).values(revision=tables.head.c.revision + 1))
            connection.commit()
    engine.dispose()
    store.close()


def facts(count: int) -> Iterator[Fact]:
    chosen = Random(1)
    repositories = count // EACH
    for number in range(repositories):
        repository = Value("Repository", f"repository-{number:09}")
        organization = Value("Organization", f"organization-{number // 100:07}")
        yield Fact("has_relation", (repository, string("organization"), organization))
        for at, user in enumerate(chosen.sample(range(repositories), EACH - 1)):
            role = string("writer" if at < 2 else "reader")
            yield Fact("has_role", (Value("User", f"user-{user:015}"), role, repository))


if __name__ == "__main__":
    main()
