"""Workload: a policy and its random stores; Size: how large a store is; and how its edges are drawn.

Small stores are those of the paper: each pair of entities is tied with the same probability. In larger
ones every entity has as many ties as in the paper's largest, and what nests (folders, teams) does so in
blocks of 50, so that the surroundings of an entity look the same however large the store is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import log
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from authz_service.engine.program import Question
from authz_service.facts.fact import Fact
from authz_service.facts.value import STRING, Value, string

PROBABILITY = 0.05
LARGEST = 50

FOLDER = Path(__file__).parent

Rows = Mapping[str, Sequence[Sequence[str]]]
"""What casbin is given: rows by their kind, `p`, `g` or `g2`."""


class Size(NamedTuple):
    """How many entities there are of each type, and how likely each pair of them is tied."""

    entities: int
    probability: float
    block: int


class Workload(NamedTuple):
    """One policy and everything about it that differs between workloads."""

    name: str
    policy: str
    """The stem of the files that hold the policy, for each language."""
    facts: Callable[[Random, Size], Iterator[Fact]]
    facts_per_entity: float
    """How many facts there are for each of `Size.entities` in a store of the paper's largest size."""
    actions: Sequence[tuple[str, str]]
    """The actions that are asked about, each with the type of its resource."""
    cedar: Callable[[Iterable[Fact], Size], list[dict[str, Any]]]
    casbin: Callable[[Iterable[Fact]], Rows]

    def text(self, suffix: str) -> str:
        return (FOLDER / f"{self.policy}.{suffix}").read_text()


class Store(NamedTuple):
    """The facts of one random store."""

    workload: Workload
    size: Size
    facts: Sequence[Fact]

    def questions(self, random: Random, number: int, tied: float = 0.0) -> list[Question]:
        """Return up to `number` different random questions, at most half of all that there are.

        The share `tied` is about a user and a resource that some fact ties directly: in a large store two
        at random have hardly ever to do with each other.
        """
        every = sum(self.size.entities * self._count(type_) for _, type_ in self.workload.actions)
        found: dict[Question, None] = {}
        while len(found) < min(number, every // 2):
            found[self._tied(random) if random.random() < tied else self._any(random)] = None
        return list(found)

    def _any(self, random: Random) -> Question:
        action, type_ = random.choice(self.workload.actions)
        actor = entity("User", random.randrange(self.size.entities))
        return Question(actor, action, entity(type_, random.randrange(self._count(type_))))

    def _tied(self, random: Random) -> Question:
        while True:
            values = {value.type: value for value in random.choice(self.facts).args}
            action, type_ = random.choice(self.workload.actions)
            if "User" in values and type_ in values:
                return Question(values["User"], action, values[type_])

    def _count(self, type_: str) -> int:
        return 1 if type_ == "Application" else self.size.entities


def small(entities: int) -> Size:
    return Size(entities, PROBABILITY, entities)


def scaled(workload: Workload, facts: int) -> Size:
    """Return the size at which a store has about `facts` facts, which are not very few."""
    entities = max(5, round(facts / workload.facts_per_entity))
    return Size(entities, PROBABILITY * LARGEST / entities, LARGEST)


def store(workload: Workload, size: Size, seed: int) -> Store:
    return Store(workload, size, list(workload.facts(Random(seed), size)))


def planted(inner: Store, outer: Store) -> Store:
    """Return `outer` with the facts of `inner` beside its own, about entities with names of their own."""
    return outer._replace(
        facts=[*(Fact(f.predicate, tuple(map(renamed, f.args))) for f in inner.facts), *outer.facts]
    )


def renamed(value: Value) -> Value:
    """Return the name that `planted` gives to `value`."""
    return value if value.type == STRING else value._replace(id=f"planted_{value.id}")


def entity(type_: str, number: int) -> Value:
    return Value(type_, f"{type_.lower()}_{number}")


def entities(type_: str, size: Size) -> Iterator[Value]:
    return (entity(type_, number) for number in range(size.entities))


def ties(random: Random, size: Size) -> Iterator[tuple[int, int]]:
    """Yield the pairs of two types' entities that are tied."""
    for place in chosen(random, size.entities**2, size.probability):
        yield divmod(place, size.entities)


def nesting(random: Random, size: Size) -> Iterator[tuple[int, int]]:
    """Yield the pairs of one type's entities, inner and outer, of which the first is in the second."""
    for start in range(0, size.entities, size.block):
        width = min(size.block, size.entities - start)
        for place in chosen(random, width**2, PROBABILITY):
            inner, outer = divmod(place, width)
            if outer < inner:
                yield start + inner, start + outer


def chosen(random: Random, places: int, probability: float) -> Iterator[int]:
    """Yield the places below `places` that are chosen, each with `probability`."""
    # The gaps between chosen places are geometric, so places not chosen cost nothing.
    scale = 1 / log(1 - probability)
    place = -1
    while (place := place + 1 + int(log(1 - random.random()) * scale)) < places:
        yield place


def has_group(member: Value, group: Value) -> Fact:
    return Fact("has_group", (member, group))


def has_role(actor: Value, role: str, resource: Value) -> Fact:
    return Fact("has_role", (actor, string(role), resource))


def has_relation(owner: Value, name: str, related: Value) -> Fact:
    return Fact("has_relation", (owner, string(name), related))
