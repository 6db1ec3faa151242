"""Tables that are filled in columns are those that are made fact by fact."""

from collections import defaultdict
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from test_snapshot_model import accepts, access_paths, check

from authz_service.facts.access import Demand
from authz_service.facts.fact import Fact
from authz_service.facts.filling import Filling
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.tables import Tables
from authz_service.facts.value import Value, boolean, integer, string
from authz_service.facts.work import done

texts = st.text(st.characters(min_codepoint=0xA0, exclude_categories=["Cs"]), min_size=1)
values = st.one_of(
    st.builds(Value, st.sampled_from(["User", "Team", "ns::Doc", "Gone"]), texts),
    st.sampled_from([Value("User", name) for name in "abcde"]),
    st.builds(string, st.sampled_from(["a", "no", "€" * 170, "x" * 512])),
    st.builds(integer, st.integers(-(2**63), 2**63 - 1)),
    st.sampled_from([integer(-(2**63)), integer(2**63 - 1), integer(0), integer(-1)]),
    st.builds(boolean, st.booleans()),
)
facts = st.builds(
    Fact,
    st.sampled_from(["p", "q"]),
    st.integers(1, 5).flatmap(lambda arity: st.tuples(*[values] * arity)),
)


def split(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    pairs = [text.split("\x1f") for text in texts]
    return [type_name for type_name, _ in pairs], [text for _, text in pairs]


def filled(facts: frozenset[Fact], page: int) -> Tables:
    """Return the facts in tables that were filled with `page` of them at a time."""
    filling = Filling(split)
    by_predicate: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in sorted(facts):
        by_predicate[fact.predicate].append(fact)
    for predicate, some in by_predicate.items():
        for start in range(0, len(some), page):
            rows: defaultdict[int, list[list[str]]] = defaultdict(list)
            for fact in some[start : start + page]:
                rows[len(fact.args)].append(["\x1f".join(arg) for arg in fact.args])
            for arity, found in rows.items():
                filling.add((predicate, arity), list(zip(*found, strict=True)))
        filling.end_predicate()
    return filling.tables()


@settings(deadline=None)
@given(
    stored=st.frozensets(facts, max_size=30),
    page=st.integers(1, 10),
    changes=st.dictionaries(facts, st.booleans(), max_size=8),
    data=st.data(),
)
def test_filled_tables_are_those_made_fact_by_fact(
    stored: frozenset[Fact],
    page: int,
    changes: dict[Fact, bool],
    data: st.DataObject,
) -> None:
    tables, expected = filled(stored, page), Tables(stored)
    assert tables == expected
    assert len(tables.ids) == len(expected.ids)

    demand = Demand(accepts, {string("no"), integer(0)})
    for _ in range(4 if stored else 0):
        demand.name(data.draw(access_paths(st.sampled_from(sorted(stored)))))
    snapshot = FactSnapshot.of(tables)
    # As questions do that come before facts can be looked up.
    asked = FactSnapshot.of(filled(stored, page)).with_facts(changes)
    check(asked, stored | set(changes), demand, stored | set(changes))
    check(snapshot, stored, demand, stored)
    dropped = dict.fromkeys(sorted(stored)[::3], False)
    model = dict.fromkeys(stored, True) | dropped | changes
    after = frozenset(fact for fact, holds in model.items() if holds)
    changed = snapshot.changed({**dropped, **changes})
    for one in (changed, changed.merged(), FactSnapshot.of(done(changed.gathering({})))):
        check(one, after, demand, stored | set(changes))
    check(snapshot, stored, demand, stored | set(changes))


def test_a_column_of_one_predicate_may_have_many_types_and_arities() -> None:
    some = frozenset(
        Fact("p", tuple(args))
        for args in (
            [Value("User", "a")],
            [Value("Team", "a")],
            [integer(1), integer(1)],
            [string("1"), integer(1)],
        )
    )
    assert filled(some, 3) == Tables(some)
