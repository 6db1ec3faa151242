"""One of several processes that write to a database at the same time; prints each commit after it was acknowledged."""

import json
import random
import sys

from authz_service.facts.change import Delete, Insert, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.store.fact_store import FactStore

_AT_ONCE = 4


def crowd(database_url: str, seed: int, writes: int) -> None:
    chance = random.Random(seed)
    store = FactStore.open(database_url)
    print("open", flush=True)  # noqa: T201 - the test reads it
    sys.stdin.readline()
    for first in range(0, writes, _AT_ONCE):
        requests = []
        for number in range(first, first + _AT_ONCE):
            own = Fact("own", (Value("P", str(seed)), Value("N", str(number))))
            # All processes fight for these.
            shared = Fact("shared", (Value("N", str(chance.randrange(5))),))
            kind = chance.choice((Insert, Delete))
            requests.append(WriteRequest([Insert(own), kind(shared)]))
        for future in [store.submit("default", request) for request in requests]:
            written = future.result()
            done = [result.outcome.value for result in written.results]
            print(json.dumps([written.revision, done]), flush=True)  # noqa: T201 - likewise
    store.close()


if __name__ == "__main__":
    crowd(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
