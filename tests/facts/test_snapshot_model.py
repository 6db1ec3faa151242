"""Snapshots and views against a plain set of facts: whatever was written, asked or merged."""

from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from authz_service.facts import grouping, index, members, tables
from authz_service.facts.access import AccessPath, Demand, Literal
from authz_service.facts.change import ChangeBatch
from authz_service.facts.fact import AnyValue, Fact, FactPattern
from authz_service.facts.ids import Ids
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, boolean, integer, string
from authz_service.facts.work import done

REFUSED = {string("no"), Value("Doc", "no"), integer(7)}
TYPES = ("User", "Doc", "String", "Integer", "Boolean", "Unheard")

values = st.sampled_from(
    [
        *(Value(type_name, text) for type_name in ("User", "Doc", "Gone") for text in ("a", "b")),
        *map(integer, (-(2**63), -1, 0, 7, 2**63 - 1)),
        *map(string, ("a", "no", "yes")),
        boolean(True),
        Value("Doc", "no"),
    ]
)
facts = st.one_of(
    *(
        st.builds(Fact, st.just(predicate), st.tuples(*[values] * arity))
        for predicate, arity in (("p", 0), ("p", 1), ("p", 2), ("q", 2), ("q", 3), ("q", 5))
    )
)
crowds = st.builds(
    lambda first, members: [Fact("p", (first, member)) for member in members],
    values,
    st.lists(values, min_size=8, max_size=12),
)
some = st.frozensets(st.integers(0, 19), max_size=6)
"""Which of the facts that a run is about, so that the same come again and again."""


@st.composite
def access_paths(draw: st.DrawFn, about: st.SearchStrategy[Fact] = facts) -> AccessPath:
    fact = draw(about)
    positions = draw(st.permutations(range(len(fact.args))))
    cuts = sorted(draw(st.tuples(*[st.integers(0, len(positions))] * 2)))
    literals, key = sorted(positions[: cuts[0]]), sorted(positions[cuts[0] : cuts[1]])
    return AccessPath(
        fact.predicate,
        len(fact.args),
        tuple((position, draw(literal(fact.args[position]))) for position in literals),
        tuple(key),
    )


def literal(value: Value) -> st.SearchStrategy[Literal]:
    """Return a strategy for `value` itself, or for several of which it is one."""
    several = st.frozensets(values, min_size=1, max_size=8).map(lambda some: some | {value})
    return st.one_of(st.just(value), several)


@st.composite
def patterns(draw: st.DrawFn) -> FactPattern:
    fact = draw(facts)
    holes = st.builds(AnyValue, st.sampled_from([None, *TYPES]))
    args = tuple(draw(st.one_of(st.just(arg), holes)) for arg in fact.args)
    return FactPattern(
        draw(st.sampled_from([None, "p", "q", "r"])), draw(st.sampled_from([None, args]))
    )


def accepts(fact: Fact) -> bool:
    return not any(arg in REFUSED or arg.type == "Gone" for arg in fact.args)


Members = set[tuple[Value, ...]]


def expected(facts: frozenset[Fact], path: AccessPath) -> dict[tuple[Value, ...], Members]:
    groups: dict[tuple[Value, ...], Members] = {}
    for fact in facts:
        if (
            accepts(fact)
            and (fact.predicate, len(fact.args)) == path[:2]
            and all(
                fact.args[position] in (literal if isinstance(literal, frozenset) else {literal})
                for position, literal in path.literals
            )
        ):
            key = tuple(fact.args[position] for position in path.key)
            groups.setdefault(key, set()).add(
                tuple(fact.args[position] for position in path.members)
            )
    return groups


def decoded(ids: Ids, found: members.Members, width: int) -> Members:
    """Return what is in a collection, having looked that it is one."""
    listed = list(found)
    assert len(listed) == len(found) == len(set(listed))
    assert bool(found) == bool(listed)
    assert all(member in found for member in listed)
    rows = [member if isinstance(member, tuple) else (member,) for member in listed]
    assert all(len(row) == width for row in rows)
    assert -1 not in found
    assert (-1,) * width not in found or not width
    return {tuple(map(ids.value, row)) for row in rows}


def check(
    snapshot: FactSnapshot, model: frozenset[Fact], demand: Demand, ever: frozenset[Fact]
) -> None:
    """Compare the snapshot with `model`; `ever` are facts whose keys are tried, too."""
    listed = list(snapshot)
    assert (len(snapshot), len(listed), set(listed)) == (len(model), len(model), model)
    assert {fact for fact in ever if fact in snapshot} == model
    view = snapshot.view(demand)
    for name, path in demand.paths.items():
        groups = expected(model, path)
        if not path.key:
            found = decoded(view.ids, getattr(view, name), len(path.members))
            assert found == groups.get((), set())
            continue
        get = getattr(view, name)
        for key in expected(ever, path):
            ids = tuple(map(view.ids.find, key))
            found = get(ids[0] if len(ids) == 1 else ids, ())
            assert decoded(view.ids, found, len(path.members)) == groups.get(key, set())
        assert get(-1 if len(path.key) == 1 else (-1,) * len(path.key), ()) == ()


@pytest.fixture(scope="module", autouse=True)
def _small_collections() -> Iterator[None]:
    """Have all kinds of collections with few members, and new tables of ids for few values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members, "MOST_IN_TUPLE", 2)
        patch.setattr(members, "MOST_COPIED", 3)
        patch.setattr(tables, "SPARE_IDS", 0)
        patch.setattr(members, "_MOST_SHARED", 1)
        patch.setattr(index, "PART_ROWS", 2)
        patch.setattr(grouping, "PART_ROWS", 2)
        patch.setattr(grouping, "_BUCKET", 1)
        yield


class SnapshotModel(RuleBasedStateMachine):
    """`model` is what `snapshot` must be; `past` are all pairs of them that ever were."""

    @initialize(about=st.lists(facts, min_size=10, max_size=10), crowd=crowds, data=st.data())
    def start(self, about: list[Fact], crowd: list[Fact], data: st.DataObject) -> None:
        self.about = [*about, *crowd]
        self.ever = frozenset(self.about)
        self.demands = [Demand(accepts, REFUSED), Demand(accepts)]
        stored = data.draw(st.lists(st.sampled_from(self.about)))
        self.snapshot = self.merging = FactSnapshot(stored)
        for _ in range(4):
            self.demand(data)
        self.model = frozenset(stored)
        self.past: list[tuple[FactSnapshot, frozenset[Fact]]] = []

    def facts(self, which: frozenset[int]) -> frozenset[Fact]:
        return frozenset(self.about[number % len(self.about)] for number in which)

    def move(self, snapshot: FactSnapshot, model: frozenset[Fact]) -> None:
        self.past.append((self.snapshot, self.model))
        self.snapshot, self.model = snapshot, model
        # Of the first demand views are carried from change to change, of the other built when looked at.
        snapshot.view(self.demands[0]).complete()

    @rule(data=st.data())
    def demand(self, data: st.DataObject) -> None:
        path = data.draw(access_paths(st.sampled_from(self.about)))
        for demand in self.demands:
            assert demand.paths[demand.name(path)] == path
        self.snapshot.view(self.demands[0]).complete()

    @rule(inserted=some, deleted=some)
    def write(self, inserted: frozenset[int], deleted: frozenset[int]) -> None:
        here, gone = self.facts(inserted), self.facts(deleted) - self.facts(inserted)
        batch = ChangeBatch(Revision(1), "default", here, gone)
        self.move(self.snapshot.after(batch), (self.model - gone) | here)

    @rule(inserted=some, deleted=some)
    def write_and_take_back(self, inserted: frozenset[int], deleted: frozenset[int]) -> None:
        before = self.model
        self.write(inserted, deleted)
        back = {fact: fact in before for fact in before ^ self.model}
        self.move(self.snapshot.changed(back), before)

    @rule(context=some, more=some, deleted=some)
    def ask(self, context: frozenset[int], more: frozenset[int], deleted: frozenset[int]) -> None:
        given, further, gone = map(self.facts, (context, more, deleted))
        asked = self.snapshot.with_facts(given)
        following = asked.after(ChangeBatch(Revision(1), "default", frozenset(), gone))
        self.past.append((asked, self.model | given))
        self.past.append((asked.with_facts(further), self.model | given | further))
        self.past.append((following, (self.model | given) - gone))
        self.past.append((asked.merged(), self.model | given))

    @rule()
    def merge(self) -> None:
        self.move(self.snapshot.merged(), self.model)
        self.merging = self.snapshot

    @rule()
    def begin_to_merge(self) -> None:
        self.merging = self.snapshot

    @rule()
    def end_to_merge(self) -> None:
        self.move(done(self.snapshot.rebasing(self.merging.merged(), self.merging)), self.model)
        self.merging = self.snapshot

    @rule(which=st.sampled_from([0, 1]))
    def prepare(self, which: int) -> None:
        self.snapshot = self.merging = self.snapshot.prepared(self.demands[which])

    @rule(which=st.sampled_from([0, 1]), parts=st.integers(0, 20))
    def begin_to_prepare(self, which: int, parts: int) -> None:
        for _ in islice(self.snapshot.preparing(self.demands[which]), parts):
            pass

    @rule(which=st.sampled_from([0, 1]))
    def look(self, which: int) -> None:
        check(self.snapshot, self.model, self.demands[which], self.ever)

    @rule(pattern=patterns())
    def match(self, pattern: FactPattern) -> None:
        matching = list(self.snapshot.matching(pattern))
        assert len(matching) == len(set(matching))
        assert set(matching) == {fact for fact in self.model if pattern.matches(fact)}

    def teardown(self) -> None:
        """Look again at all that was ever handed out."""
        if hasattr(self, "past"):
            self.move(self.snapshot, self.model)
            for snapshot, model in self.past:
                for demand in self.demands:
                    check(snapshot, model, demand, self.ever)


TestSnapshotModel = SnapshotModel.TestCase
TestSnapshotModel.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def kind(fact: Fact, named: frozenset[Value]) -> tuple[object, ...]:
    return fact.predicate, *(arg if arg in named else arg.type for arg in fact.args)


@given(
    stored=st.frozensets(facts, max_size=30),
    changes=st.dictionaries(facts, st.booleans(), max_size=10),
    named=st.frozensets(values, max_size=4),
    merged=st.booleans(),
    part=st.integers(1, 5),
)
def test_facts_of_each_kind(stored, changes, named, merged, part):
    snapshot = FactSnapshot(stored).changed(changes)
    if merged:
        snapshot = snapshot.merged()
    before, tables._PART = tables._PART, part
    try:
        found = [fact for fact in snapshot.kinds(named) if fact is not None]
    finally:
        tables._PART = before
    kinds = {kind(fact, named) for fact in snapshot}
    assert kinds <= {kind(fact, named) for fact in found}
    assert set(found) <= stored | set(changes)
    if merged:
        assert kinds == {kind(fact, named) for fact in found}
