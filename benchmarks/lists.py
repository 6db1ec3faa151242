"""What lists cost beside checks, at about a million facts, inside the engine.

    a list of 10 resources out of 200,000       at most 20 times a check
    a list of 10,000 resources or actors        at most 3 us of CPU for each

CPU seconds of this process, the best of several rounds. Ratios are of one run; the check is about what the list
says. Then the wide cases: a group of a million members, and what memory listing them takes. Then SpiceDB, if
installed (see `contenders.spicedb`), over the same facts: once few but those behind the lists, once a quarter,
as it is slow to load:

    a resource on a list                        at most 0.1 of the CPU that SpiceDB's LookupResources takes

The CPU of SpiceDB includes its socket but not who reads from there; ours is inside the engine. As it looks at
many more facts than lead to a list, its long lists over few facts say most. Lists that differ end the run.
Exits with 1 if a target is missed.

    python benchmarks/lists.py [--quick]
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from authz_service.engine.engines import Engine, loader
from authz_service.engine.program import Budget, Listed, Listing, Program, Question
from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string

if TYPE_CHECKING:
    from contenders.spicedb import SpiceDB

POLICY = """
actor User {}
actor Group {}
resource Folder {
  roles = ["viewer", "owner"];
  relations = { parent: Folder };
  "viewer" if "owner";
  role if role on "parent";
}
resource Doc {
  permissions = ["read", "comment"];
  roles = ["viewer"];
  relations = { folder: Folder };
  "read" if "viewer";
  "viewer" if "viewer" on "folder";
}
declare has_group(Actor, Group);
has_role(a: Actor, role: String, r: Resource) if has_group(a, g) and has_role(g, role, r);
has_permission(_: User, "comment", d: Doc) if is_public(d);
has_permission(u: User, "comment", d: Doc) if has_role(u, "viewer", d) and not banned(u, d);
"""
DOCS, FOLDERS, USERS, GROUPS = 200_000, 20_000, 100_000, 5_000
QUICK = 20
SPICEDB_SHARES = 500, 4
TREE = 50
FEW, SOME, MANY, NOW = 10, 100, 10_000, 1_800_000_000
STEPS = 100_000_000
ROUNDS = 5
MOST_CHECKS = 20
MOST_US = 3.0
MOST_OF_SPICEDB = 0.1
COMPARED_USERS = 3

FEW_ACTOR, SOME_ACTOR, MANY_ACTOR = (Value("User", name) for name in ("few", "some", "many"))
FEW_DOC, MANY_DOC, OPEN_DOC = (Value("Doc", name) for name in ("few", "many", "open"))


def facts(random: Random, share: int) -> Iterator[Fact]:
    """Yield a store of random facts, a million divided by `share`, and in it what is listed."""
    docs, folders = several("Doc", DOCS // share), several("Folder", FOLDERS // share)
    users, groups = several("User", USERS // share), several("Group", GROUPS // share)
    for number, doc in enumerate(docs):
        yield within(doc, "folder", folders[number * len(folders) // len(docs)])
    for number, folder in enumerate(folders):
        place = number % TREE
        if place:
            yield within(folder, "parent", folders[number - place + (place - 1) // 3])
    inner, outer = groups[: len(groups) // 2], groups[len(groups) // 2 :]
    for number, user in enumerate(users):
        yield from (has_group(user, group) for group in random.sample(inner, 3))
        yield from (viewer(user, doc) for doc in random.sample(docs, 4))
        yield viewer(user, folders[number % len(folders)])
    for number, group in enumerate(inner):
        yield has_group(group, outer[number // 5])
        yield viewer(group, random.choice(folders))
    yield from listed()


def listed() -> Iterator[Fact]:
    """Yield the facts behind the lists: half of what is listed directly, half through a folder or group."""
    few_folder, few_group = Value("Folder", "few"), Value("Group", "few")
    many_folder, many_group = Value("Folder", "many"), Value("Group", "many")
    yield viewer(FEW_ACTOR, few_folder)
    yield viewer(few_group, FEW_DOC)
    yield from seen(SOME_ACTOR, SOME // 2)
    yield from seen(MANY_ACTOR, MANY // 2 - 1)
    yield within(MANY_DOC, "folder", many_folder)
    yield within(OPEN_DOC, "folder", many_folder)
    yield Fact("is_public", (FEW_DOC,))
    yield Fact("banned", (MANY_ACTOR, MANY_DOC))
    for number in range(FEW // 2):
        yield viewer(FEW_ACTOR, Value("Doc", f"few_{number}"))
        yield within(Value("Doc", f"few_in_{number}"), "folder", few_folder)
        yield viewer(Value("User", f"few_{number}"), FEW_DOC)
        yield has_group(Value("User", f"few_in_{number}"), few_group)
    for number in range(MANY - 1):
        yield has_group(Value("User", f"many_in_{number}"), many_group)


def seen(actor: Value, half: int) -> Iterator[Fact]:
    """Yield that a group with `actor` in it views so many documents, and a folder of as many others."""
    group, folder = Value("Group", actor.id), Value("Folder", actor.id)
    yield has_group(actor, group)
    yield viewer(group, folder)
    for number in range(half):
        yield viewer(group, Value("Doc", f"{actor.id}_{number}"))
        yield within(Value("Doc", f"{actor.id}_in_{number}"), "folder", folder)


def several(type_: str, number: int) -> list[Value]:
    return [Value(type_, f"{type_.lower()}_{n}") for n in range(number)]


def has_group(actor: Value, group: Value) -> Fact:
    return Fact("has_group", (actor, group))


def viewer(actor: Value, resource_: Value) -> Fact:
    return Fact("has_role", (actor, string("viewer"), resource_))


def within(inner: Value, name: str, outer: Value) -> Fact:
    return Fact("has_relation", (inner, string(name), outer))


def cpu_us(
    ask: Callable[[], object], times: int, clock: Callable[[], float] = time.process_time
) -> float:
    """Return the CPU time of one call in microseconds: the best round of several."""
    ask()
    best = float("inf")
    for _ in range(ROUNDS):
        start = clock()
        for _ in range(times):
            ask()
        best = min(best, clock() - start)
    return best / times * 1e6


class Store:
    """A program over facts, and what is asked of it."""

    def __init__(self, stored: FactSnapshot) -> None:
        self.program: Program = loader(Engine.COMPILED)([PolicyFile("lists.polar", POLICY)]).program
        self.facts = stored
        self.budget = Budget(STEPS)

    def check(self, actor: Value, action: str, doc: Value) -> bool:
        return self.program.permits(Question(actor, action, doc), self.facts, NOW, self.budget)

    def resources(self, actor: Value, action: str) -> Listed:
        return self.program.listed(
            Listing.of_resources(actor, action, "Doc"), self.facts, NOW, self.budget
        )

    def actors(self, action: str, doc: Value) -> Listed:
        return self.program.listed(
            Listing.of_actors("User", action, doc), self.facts, NOW, self.budget
        )


def few(store: Store) -> Iterator[str]:
    """Compare lists of few with checks of what is on them. Yields the targets that are missed."""
    checks: dict[str, Callable[[], Listed]] = {
        "10 resources": lambda: store.resources(FEW_ACTOR, "read"),
        "10 actors": lambda: store.actors("read", FEW_DOC),
    }
    inside = Value("Doc", "few_in_1"), Value("User", "few_in_1")
    check = cpu_us(lambda: store.check(FEW_ACTOR, "read", inside[0]), 10_000)
    other = cpu_us(lambda: store.check(inside[1], "read", FEW_DOC), 10_000)
    for (name, ask), one in zip(checks.items(), (check, other), strict=True):
        assert len(ask().values) == FEW, name
        us = cpu_us(ask, 1_000)
        print(f"{name:28} {us:10.1f} us   {us / one:6.1f} checks of {one:.1f} us")
        if us > MOST_CHECKS * one:
            yield f"{name} cost {us / one:.1f} checks"


def many(store: Store) -> Iterator[str]:
    """Measure lists of many. Yields the targets that are missed."""
    lists: dict[str, Callable[[], Listed]] = {
        "10,000 resources": lambda: store.resources(MANY_ACTOR, "read"),
        "10,000 actors": lambda: store.actors("read", MANY_DOC),
        "10,000 actors, may be any": lambda: store.actors("comment", OPEN_DOC),
    }
    for name, ask in lists.items():
        assert len(ask().values) == MANY, (name, len(ask().values))
        us = cpu_us(ask, 3) / MANY
        print(f"{name:28} {us:10.2f} us for each")
        if us > MOST_US:
            yield f"{name} cost {us:.2f} us each"
    anyone = store.actors("comment", FEW_DOC)
    assert anyone == Listed("User", (), is_any_except=True)
    us = cpu_us(lambda: store.actors("comment", FEW_DOC), 1_000)
    print(f"{'everybody':28} {us:10.1f} us")


def wide(number: int) -> None:
    """List the members of one huge group, and say what that takes."""
    group, doc = Value("Group", "all"), Value("Doc", "d")
    users = (Value("User", str(n)) for n in range(number))
    stored = FactSnapshot([*(has_group(user, group) for user in users), viewer(group, doc)])
    store = Store(stored)
    store.actors("read", Value("Doc", "nobody's"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = store.actors("read", doc)
    taken = time.process_time() - start
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert len(found.values) == number
    print(
        f"{f'a group of {number:,}':28} {taken / number * 1e6:10.2f} us for each, {more:.0f} MB more"
    )


def beside_spicedb(shares: Iterable[int]) -> Iterator[str]:
    """Compare lists with those of SpiceDB over the same facts. Yields the targets that are missed."""
    try:
        from contenders.spicedb import NoLibrary, running  # noqa: PLC0415 - may be absent
    except ImportError as error:
        print(f"SpiceDB is left out: {error}; `pip install -e '.[bench]'` installs it")
        return
    try:
        for share in shares:
            with running() as spicedb:
                store = Store(FactSnapshot(facts(Random(1), share)))
                load(store, spicedb, share)
                agree(store, spicedb)
                yield from compare(store, spicedb)
    except NoLibrary as error:
        print(f"SpiceDB is left out: {error}; `contenders/spicedb.py` says where its library is")


def load(store: Store, spicedb: "SpiceDB", share: int) -> None:
    start, used = time.monotonic(), spicedb.cpu()
    spicedb.load(store.facts)
    taken = f"{time.monotonic() - start:.0f} s, {spicedb.cpu() - used:.0f} s of CPU"
    number = f"{len(store.facts):,} facts, {DOCS // share:,} documents"
    print(f"SpiceDB has loaded {number} in {taken}", flush=True)


def agree(store: Store, spicedb: "SpiceDB") -> None:
    """See that both list the same, each resource once."""
    users = several("User", COMPARED_USERS)
    for actor in (FEW_ACTOR, SOME_ACTOR, MANY_ACTOR, *users):
        for action in ("read", "comment"):
            ours = sorted(value.id for value in store.resources(actor, action).values)
            assert ours
            assert ours == sorted(spicedb.resources(actor, action, "Doc")), (actor, action)


def compare(store: Store, spicedb: "SpiceDB") -> Iterator[str]:
    """Measure the same lists in both. Yields the targets that are missed."""
    for actor, action in ((SOME_ACTOR, "read"), (MANY_ACTOR, "read"), (MANY_ACTOR, "comment")):
        number = len(store.resources(actor, action).values)
        ours = cpu_us(partial(store.resources, actor, action), MANY // number) / number
        theirs = cpu_us(partial(spicedb.resources, actor, action, "Doc"), 1, spicedb.cpu) / number
        name = f"{number:,} resources to {action}"
        print(f"{name:28} {ours:10.2f} us for each, SpiceDB {theirs:.0f}", end="")
        print(f"   {ours / theirs:.4f} of its CPU, at most {MOST_OF_SPICEDB}", flush=True)
        if ours > MOST_OF_SPICEDB * theirs:
            yield f"{name} cost {ours / theirs:.4f} of SpiceDB's CPU"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the facts")
    share = QUICK if parser.parse_args().quick else 1
    store = Store(FactSnapshot(facts(Random(1), share)))
    print(f"{len(store.facts):,} facts, {DOCS // share:,} documents")
    missed = [*few(store), *many(store)]
    wide(1_000_000 // share)
    missed += beside_spicedb(max(share, each) for each in SPICEDB_SHARES)
    for target in missed:
        print(f"missed: {target}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
