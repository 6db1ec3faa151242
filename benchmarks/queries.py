"""What queries cost beside lists and checks of the same, at about a million facts, inside the engine.

The stores are those of `lists`: one as large as wanted, and one with a twentieth of the facts around the same
answers. What is asked has the same rows in both, so its cost should follow the rows and not the store:

    a query of 10,000 rows        at most 2 times the list of the same values
    a query of 10 rows            at most 100 times a check of one of them
    a query of many rows          at most 10 us of CPU for each
    a query over the large store  at most 3 times that over the small one

CPU seconds of this process, the best of several rounds; ratios are of one run. Compiling a query is not in it:
queries that differ in entities share their code. Exits with 1 if a target is missed.

    python benchmarks/queries.py [--quick | --smoke]
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import NamedTuple

from authz_service.engine.program import Limit, Query, Row
from authz_service.engine.queries.names import ASKED
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string
from authz_service.polar.goals import Atom, Term, Variable
from lists import (
    FEW_ACTOR,
    FEW_DOC,
    MANY,
    MANY_ACTOR,
    MANY_DOC,
    NOW,
    SOME_ACTOR,
    Store,
    cpu_us,
    facts,
)
from measures.targets import Target, print_targets

QUICK, SMOKE = 20, 400
SMALLER, SMALLEST = 20, 800
MOST_LISTS, MOST_CHECKS, MOST_US, MOST_GROWTH = 2.0, 100.0, 10.0, 3.0
MANY_ROWS = 1_000
WHO, WHAT, WHERE = Variable("who"), Variable("what"), Variable("where")
TYPES = {WHO: "User", WHAT: "Doc", WHERE: "Folder"}
READ, FOLDER = string("read"), string("folder")


class Asked(NamedTuple):
    """A query with how many rows it has, and how often it is asked in one round."""

    name: str
    query: Query
    rows: int
    times: int


def query(*atoms: Atom, listed: Mapping[Variable, Sequence[Value]] | None = None) -> Query:
    """Return the query for these conditions; every variable is a column."""
    columns = dict.fromkeys(a for atom in atoms for a in atom.args if isinstance(a, Variable))
    values = listed or {}
    limits = {v: Limit(TYPES[v], tuple(values[v]) if v in values else None) for v in columns}
    return Query(atoms, tuple(columns), limits)


def may(actor: Term, doc: Term) -> Atom:
    return Atom("has_permission", (actor, READ, doc), ASKED)


def within(inner: Term, outer: Term) -> Atom:
    return Atom("has_relation", (inner, FOLDER, outer), ASKED)


def every_query() -> list[Asked]:
    some_docs = [Value("Doc", f"some_{number}") for number in range(50)]
    inside = [Value("Doc", f"some_in_{number}") for number in range(50)]
    readers = [FEW_ACTOR, SOME_ACTOR, MANY_ACTOR]
    return [
        Asked("10 resources", query(may(FEW_ACTOR, WHAT)), 10, 300),
        Asked("10 actors", query(may(WHO, FEW_DOC)), 10, 300),
        Asked("10,000 resources", query(may(MANY_ACTOR, WHAT)), MANY, 3),
        Asked("10,000 actors", query(may(WHO, MANY_DOC)), MANY, 3),
        Asked(
            "a join: 50 documents with folders",
            query(may(SOME_ACTOR, WHAT), within(WHAT, WHERE)),
            50,
            100,
        ),
        Asked(
            "a join: 5,001 documents with folders",
            query(may(MANY_ACTOR, WHAT), within(WHAT, WHERE)),
            5_001,
            3,
        ),
        Asked(
            "two lists of values: 3 actors, 100 documents",
            query(may(WHO, WHAT), listed={WHO: readers, WHAT: some_docs + inside}),
            100,
            20,
        ),
    ]


def rows(store: Store, asked: Query) -> set[Row]:
    return store.program.query(asked, store.facts, NOW, store.budget)


def beside(store: Store) -> dict[str, dict[str, Callable[[], object]]]:
    """Return the checks and lists that queries are compared with."""
    few_doc, few_user = Value("Doc", "few_in_1"), Value("User", "few_in_1")
    return {
        "10 resources": {
            "check": lambda: store.check(FEW_ACTOR, "read", few_doc),
            "list": lambda: store.resources(FEW_ACTOR, "read"),
        },
        "10 actors": {
            "check": lambda: store.check(few_user, "read", FEW_DOC),
            "list": lambda: store.actors("read", FEW_DOC),
        },
        "10,000 resources": {"list": lambda: store.resources(MANY_ACTOR, "read")},
        "10,000 actors": {"list": lambda: store.actors("read", MANY_DOC)},
    }


def measure(large: Store, small: Store) -> list[Target]:
    """Measure all queries, print what they cost and return the targets."""
    targets: list[Target] = []
    print(f"{'query':46}{'rows':>7}{'us':>10}{'us/row':>8}{'small us':>10}   beside")
    for asked in every_query():
        for store in (large, small):
            assert len(rows(store, asked.query)) == asked.rows, asked.name
        us = cpu_us(partial(rows, large, asked.query), asked.times)
        before = cpu_us(partial(rows, small, asked.query), asked.times)
        others = {
            kind: cpu_us(ask, 3 if asked.rows >= MANY_ROWS else 1_000)
            for kind, ask in beside(large).get(asked.name, {}).items()
        }
        each = us / asked.rows
        print(f"{asked.name:46}{asked.rows:>7,}{us:>10,.1f}{each:>8.2f}{before:>10,.1f}   ", end="")
        print(", ".join(f"{kind} {cost:,.1f} us" for kind, cost in others.items()), flush=True)
        targets += _targets(asked, us, before, others)
    return targets


def _targets(
    asked: Asked, us: float, before: float, others: Mapping[str, float]
) -> Iterator[Target]:
    if asked.rows >= MANY_ROWS:
        yield Target(f"{asked.name}, for each row", us / asked.rows, MOST_US, "us")
        if "list" in others:
            yield Target(f"{asked.name}, lists", us / others["list"], MOST_LISTS)
    elif "check" in others:
        yield Target(f"{asked.name}, checks", us / others["check"], MOST_CHECKS)
    yield Target(f"{asked.name}, beside small", us / before, MOST_GROWTH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50,000 facts instead of a million")
    parser.add_argument("--smoke", action="store_true", help="few facts, to see that it runs")
    options = parser.parse_args()
    share = SMOKE if options.smoke else QUICK if options.quick else 1
    small, large = (
        Store(FactSnapshot(facts(Random(1), n))) for n in (min(share * SMALLER, SMALLEST), share)
    )
    print(f"{len(large.facts):,} facts, and {len(small.facts):,} around the same answers")
    targets = measure(large, small)
    print_targets(targets)
    sys.exit(0 if options.smoke or all(target.is_met for target in targets) else 1)


if __name__ == "__main__":
    main()
