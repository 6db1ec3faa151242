"""A process of its own that uses a database, for the tests that lock it out or kill it.

`hold` opens the database, says so, and keeps it until its standard input ends. `write` commits
without an end, a few facts at a time, and prints each commit after it was acknowledged.
"""

import json
import random
import sys

from authz_service.facts.change import Delete, Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value, string
from authz_service.store.fact_store import FactStore


def fact(user: int) -> Fact:
    return Fact("has_role", (Value("User", f"u{user}"), string("owner"), Value("Org", "acme")))


def hold(database_url: str) -> None:
    store = FactStore.open(database_url)
    print("open", flush=True)  # noqa: T201 - the test reads it
    sys.stdin.read()
    store.close()


def write(database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    store = FactStore.open(database_url)
    while True:
        writes = [
            chance.choice((Insert, Delete))(fact(chance.randrange(40)))
            for _ in range(chance.randint(1, 30))
        ]
        written = store.write("default", WriteRequest(writes))
        users = [write.fact.args[0].id for write in writes]
        done = [result.outcome.value for result in written.results]
        print(json.dumps([written.revision, list(zip(users, done, strict=True))]), flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        hold(sys.argv[2])
    else:
        write(sys.argv[2], int(sys.argv[3]))
