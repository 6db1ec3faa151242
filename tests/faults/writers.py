"""A nursery of processes that write until they are killed. They are forked, so that hundreds take seconds.

Each line of its standard input names a process to fork: JSON of a database, a name, and perhaps a protection to break
(see `broken`). The process tells its id, each write before it is begun, and each commit after it was acknowledged. When
it has ended, however, the nursery says so. What a write is follows from its name.
"""

import itertools
import json
import os
import random
import sys

import broken

from authz_service.errors import StoreUnavailable
from authz_service.facts.change import Delete, Insert, Write, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value, string
from authz_service.store.fact_store import FactStore

MARKER = "wrote"
_AT_ONCE = 4
_USERS = 40


def request(name: str) -> WriteRequest:
    """Return the write of this name: few facts or thousands, that other writes fight for, and one of its own."""
    chance = random.Random(name)
    size = 2500 if chance.random() < 0.02 else chance.randint(1, 30)
    writes: list[Write] = []
    for number in range(size):
        who = f"u{chance.randrange(_USERS) if size < 100 else number}"
        fact = Fact("has_role", (Value("User", who), string("owner"), Value("Org", "acme")))
        writes.append(chance.choice((Insert, Delete))(fact))
    marker = Insert(Fact(MARKER, (Value("Write", name),)))
    writes.insert(chance.randint(0, size), marker)
    return WriteRequest(writes, idempotency_key=name)


def say(*words: object) -> None:
    # One write to the pipe, which is never torn.
    os.write(1, f"{json.dumps(words)}\n".encode())


def write(url: str, process: str) -> None:
    store = FactStore.open(url)
    for first in itertools.count(step=_AT_ONCE):
        waiting = {}
        for number in range(first, first + _AT_ONCE):
            name = f"{process}-{number}"
            say("begun", name)
            waiting[name] = store.submit("default", request(name))
        for name, future in waiting.items():
            say("acknowledged", name, future.result().revision)


def nursery() -> None:
    for line in sys.stdin:
        url, process, protection = json.loads(line)
        child = os.fork()
        if child == 0:
            say("process", os.getpid())
            if protection is not None:
                broken.BROKEN[protection]()
            try:
                write(url, process)
            except StoreUnavailable:
                # Whoever kills the database learns what became of it.
                os._exit(0)
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    nursery()
