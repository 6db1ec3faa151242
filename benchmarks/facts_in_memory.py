"""What facts in memory cost: layouts compared, and `FactSnapshot` at a million facts.

Three tables. The layouts of one index of 1,000,000 members by 100,000 keys, each in a process of its own:
seconds to build, bytes of resident memory for each member, nanoseconds to find a member and to find that
another is none, over keys in random order, most of which no cache holds. The border between tuple and
frozenset, by the size of a collection. And the real thing: 1,000,000 facts `has_role(User, String, Repo)`,
ten for each Repo, with ids of 20 bytes and the indexes by Repo and by User; then a group of a million.
All times are CPU times, with what was loaded out of the garbage collector's sight.

    python benchmarks/facts_in_memory.py
"""

import gc
import multiprocessing
import random
import statistics
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from resource import getpagesize

from rich.console import Console
from rich.table import Table

from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.change import ChangeBatch
from authz_service.facts.fact import Fact
from authz_service.facts.members import collection
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string

KEYS = 100_000
EACH = 10
FACTS = KEYS * EACH
PROBES = 100_000
WRITES = 300

Groups = Mapping[int, list[int]]
Probe = Callable[[int, int], bool]
Row = tuple[str, ...]


def main() -> None:
    console = Console(width=130)
    console.print(layouts())
    console.print(border())
    console.print(apart(snapshot_costs, "facts, 10 for each of 100,000 resources"))
    console.print(apart(group_costs, "facts, all of one organisation"))


def apart(measure: Callable[[], list[Row]], title: str) -> Table:
    """Return what `measure` finds in a process of its own, whose memory nothing else has used."""
    shown = Table(f"{FACTS:,} {title}", "", show_header=True)
    for row in _in_process(measure):
        shown.add_row(*row)
    return shown


def _in_process(measure: Callable[..., list[Row]], *args: object) -> list[Row]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, args)


def layouts() -> Table:
    shown = Table("layout", "build s", "bytes/fact", "hit ns", "miss ns")
    for name in LAYOUTS:
        shown.add_row(*_in_process(layout_costs, name)[0])
    return shown


def layout_costs(name: str) -> list[Row]:
    ids = [1 << 32 | number for number in range(KEYS)]
    members = [2 << 32 | number for number in range(KEYS)]
    chosen = random.Random(1)
    groups = {key: chosen.sample(members, EACH) for key in ids}
    used, start = _resident(), time.process_time()
    probe = LAYOUTS[name](groups)
    seconds, size = time.process_time() - start, _resident() - used
    keys = chosen.choices(ids, k=PROBES)
    hits = [(key, chosen.choice(groups[key])) for key in keys]
    misses = [(key, chosen.choice(members)) for key in keys]
    return [
        (name, f"{seconds:.2f}", f"{size / FACTS:.0f}", _each(probe, hits), _each(probe, misses))
    ]


def hybrid(groups: Groups) -> Probe:
    get = {key: collection(members) for key, members in groups.items()}.get
    return lambda key, member: member in get(key, ())


def tuples(groups: Groups) -> Probe:
    get = {key: tuple(members) for key, members in groups.items()}.get
    return lambda key, member: member in get(key, ())


def frozensets(groups: Groups) -> Probe:
    get = {key: frozenset(members) for key, members in groups.items()}.get
    return lambda key, member: member in get(key, ())


def sorted_array(groups: Groups) -> Probe:
    packed = sorted(
        (key & 0xFFFFFFFF) << 32 | member & 0xFFFFFFFF
        for key, members in groups.items()
        for member in members
    )
    rows = array("Q", packed)

    def probe(key: int, member: int) -> bool:
        wanted = (key & 0xFFFFFFFF) << 32 | member & 0xFFFFFFFF
        at = bisect_left(rows, wanted)
        return at < len(rows) and rows[at] == wanted

    return probe


LAYOUTS: Mapping[str, Callable[[Groups], Probe]] = {
    "dict of tuples or frozensets, as built": hybrid,
    "dict of tuples": tuples,
    "dict of frozensets": frozensets,
    "sorted array and bisect": sorted_array,
}


def border() -> Table:
    """Return what a probe and a member cost by the size of a collection, cold: 200,000 members in all."""
    shown = Table(
        "members", "tuple hit ns", "miss", "bytes each", "frozenset hit ns", "miss", "bytes each"
    )
    for size in (4, 8, 12, 16, 24, 32, 64):
        shown.add_row(str(size), *_border_costs(tuple, size), *_border_costs(frozenset, size))
    return shown


def _border_costs(kind: Callable[[list[int]], Collection[int]], size: int) -> Row:
    chosen = random.Random(1)
    members = [2 << 32 | number for number in range(KEYS)]
    groups = {1 << 32 | key: chosen.sample(members, size) for key in range(200_000 // size)}
    index = {key: kind(group) for key, group in groups.items()}
    get = index.get
    keys = chosen.choices(list(index), k=PROBES)
    hits = [(key, chosen.choice(groups[key])) for key in keys]
    misses = [(key, chosen.choice(members)) for key in keys]

    def probe(key: int, member: int) -> bool:
        return member in get(key, ())

    each = sum(found.__sizeof__() for found in index.values()) / 200_000
    return _each(probe, hits), _each(probe, misses), f"{each:.0f}"


def snapshot_costs() -> list[Row]:
    demand = Demand(lambda _: True, frozenset())
    for key in ((2,), (0,)):
        demand.name(AccessPath("has_role", 3, ((1, string("reader")),), key))
    start = time.process_time()
    for _ in _facts():
        pass
    made = time.process_time() - start
    memory, times = [_resident()], [time.process_time()]
    facts = FactSnapshot(_facts())
    times.append(time.process_time())
    memory.append(_resident())
    times.append(time.process_time())
    facts = facts.prepared(demand)
    times.append(time.process_time())
    memory.append(_resident())
    gc.freeze()
    return [
        ("make the facts, as a store would", f"{made:.2f} s"),
        ("build, with ids", f"{times[1] - times[0] - made:.2f} s"),
        ("build two indexes", f"{times[3] - times[2]:.2f} s"),
        ("bytes/fact, ids and rows", f"{(memory[1] - memory[0]) / FACTS:.0f}"),
        ("bytes/fact, with two indexes", f"{(memory[2] - memory[0]) / FACTS:.0f}"),
        *_reading(facts),
        *_context(facts, demand),
        *_writing(facts, demand),
    ]


def _facts() -> Iterator[Fact]:
    chosen = random.Random(1)
    for number in range(KEYS):
        for user in chosen.sample(range(KEYS), EACH):
            yield _fact(user, number)


def _fact(user: int, repo: int) -> Fact:
    args = Value("User", f"user-{user:015}"), string("reader"), Value("Repo", f"repo-{repo:015}")
    return Fact("has_role", args)


def _reading(facts: FactSnapshot) -> Iterator[Row]:
    chosen = random.Random(2)
    asked = [_fact(chosen.randrange(KEYS), chosen.randrange(KEYS)) for _ in range(PROBES)]
    start = time.process_time()
    for fact in asked:
        _ = fact in facts
    yield "fact in snapshot", f"{(time.process_time() - start) / PROBES * 1e6:.2f} µs"


def _context(facts: FactSnapshot, demand: Demand) -> Iterator[Row]:
    names = demand.names()
    for count in (1, 10):
        costs = []
        for number in range(WRITES):
            given = [_fact(KEYS + number, other) for other in range(number, number + count)]
            start = time.process_time()
            view = facts.with_facts(given).view(demand)
            costs.append(time.process_time() - start)
            start = time.process_time()
            view.complete(names)
            costs[-1] += time.process_time() - start
        yield f"{count} context facts, view with both indexes", _spread(costs)


def _writing(facts: FactSnapshot, demand: Demand) -> Iterator[Row]:
    for count in (0, 4096, 16_384):
        batch = frozenset(_fact(KEYS + number, number) for number in range(count))
        full = facts.after(ChangeBatch(Revision(1), "default", batch))
        yield f"one write, {count:,} written before", _spread(_writes(full, _fact))
        if count:
            start = time.process_time()
            merged = full.merged()
            yield f"merge of {count:,}", f"{time.process_time() - start:.2f} s"
            assert len(merged.view(demand).built()) == 2


def _writes(facts: FactSnapshot, fact: Callable[[int, int], Fact]) -> list[float]:
    costs = []
    for number in range(WRITES):
        changed = frozenset([fact(2 * KEYS + number, number * 7)])
        inserted, deleted = (changed, frozenset[Fact]()) if number % 3 else (frozenset(), changed)
        start = time.process_time()
        facts = facts.after(ChangeBatch(Revision(1), "default", inserted, deleted))
        costs.append(time.process_time() - start)
    return costs


def group_costs() -> list[Row]:
    demand = Demand(lambda _: True, frozenset())
    demand.name(AccessPath("belongs_to", 2, (), (1,)))
    facts = FactSnapshot(_member(number) for number in range(FACTS)).prepared(demand)
    gc.freeze()

    def member(number: int, other: int) -> Fact:
        return _member(number + FACTS if other % 2 else other)

    view = facts.with_facts([_member(FACTS)]).view(demand)
    start = time.process_time()
    view.complete()
    asked = time.process_time() - start
    costs = _writes(facts, member)
    return [
        ("one write to the group", _spread(costs)),
        ("one context fact of the group", f"{asked * 1e6:.0f} µs"),
    ]


def _member(number: int) -> Fact:
    return Fact("belongs_to", (Value("Repo", f"repo-{number:015}"), Value("Org", "acme")))


def _spread(seconds: list[float]) -> str:
    return f"p50 {statistics.median(seconds) * 1e6:.0f} µs, max {max(seconds) * 1e6:.0f} µs"


def _each(probe: Probe, asked: list[tuple[int, int]]) -> str:
    """Return what one probe costs, without the call."""
    costs = []
    for called in (_nothing, probe):
        start = time.process_time()
        for key, member in asked:
            called(key, member)
        costs.append(time.process_time() - start)
    return f"{(costs[1] - costs[0]) / len(asked) * 1e9:.0f}"


def _nothing(key: int, member: int) -> bool:
    return key is member


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * getpagesize()


if __name__ == "__main__":
    main()
