"""Names of access paths, and what a demand lets be seen."""

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_service.facts.access import VIEW_NAMES, AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, integer, string
from authz_service.facts.view import View


def everything(_: Fact) -> bool:
    return True


OWNER = ((1, string("owner")),)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (AccessPath("has_role", 3, OWNER, (2,)), "has_role_owner_by_3"),
        (AccessPath("has_role", 3, OWNER, (0, 2)), "has_role_owner_by_1_3"),
        (AccessPath("has_role", 3, OWNER, ()), "has_role_owner"),
        (AccessPath("p", 2, ((0, integer(-3)), (1, string("é b"))), ()), "p__3___b"),
        (AccessPath("ids", 1, (), ()), "ids__2"),
        (AccessPath("class", 1, (), ()), "class__2"),
        (AccessPath("len", 1, (), ()), "len__2"),
        (AccessPath("__dict__", 1, (), ()), "p__dict__"),
        (AccessPath("_demand", 1, (), ()), "p_demand"),
    ],
)
def test_name(path: AccessPath, name: str) -> None:
    assert Demand(everything).name(path) == name


words = st.one_of(
    st.sampled_from(
        ["a", "a_b", "b", "a_by", "by_1", "1", "if", "ids", "ids__2", "__init__", "é", "-"]
    ),
    st.sampled_from([*VIEW_NAMES, *dir(View)]),
    st.text(min_size=1, max_size=3),
)


@st.composite
def paths(draw: st.DrawFn) -> AccessPath:
    arity = draw(st.integers(0, 3))
    literal, given_, _ = draw(
        st.permutations(range(arity)).flatmap(
            lambda positions: st.integers(0, arity).map(
                lambda cut: (sorted(positions[:cut]), sorted(positions[cut:]), cut)
            )
        )
    )
    literals = tuple((position, string(draw(words))) for position in literal)
    return AccessPath(draw(words), arity, literals, tuple(given_))


@given(st.lists(paths(), max_size=20))
def test_names_are_distinct_and_safe_to_write(paths: list[AccessPath]) -> None:
    demand = Demand(everything)
    names = {path: demand.name(path) for path in paths}

    assert len(set(names.values())) == len(names)
    assert {name: path for path, name in names.items()} == demand.paths
    assert [demand.name(path) for path in paths] == [names[path] for path in paths]
    for path, name in names.items():
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)
        assert not name.startswith("_")
        assert name not in VIEW_NAMES
        assert not hasattr(View, name)
        assert (name, path) in demand.paths_to(path.predicate, path.arity)


def test_no_other_attributes_of_a_view() -> None:
    view = FactSnapshot().view(Demand(everything))
    with pytest.raises(AttributeError):
        view.has_role  # noqa: B018 - what is tested


def test_a_predicate_is_asked_about_each_kind_of_fact_once() -> None:
    """Strings and Integers without end are one kind each, but for those that are named."""
    asked: list[Fact] = []

    def accepts(fact: Fact) -> bool:
        asked.append(fact)
        return fact.args[0].type == "User" and fact.args[1] != string("no")

    demand = Demand(accepts, {string("no")})
    name = demand.name(AccessPath("p", 2, (), (0,)))
    users = [Value("User", str(number)) for number in range(20)]
    stored = [Fact("p", (user, string(user.id))) for user in users]
    stored += [Fact("p", (user, string("no"))) for user in users]
    stored += [Fact("p", (string(user.id), integer(1))) for user in users]

    view = FactSnapshot(stored).view(demand)
    get = getattr(view, name)

    assert len(asked) == 3
    for user in users:
        assert [view.ids.value(member) for member in get(view.ids.find(user), ())] == [
            string(user.id)
        ]
        assert get(view.ids.find(string(user.id)), ()) == ()
    assert [demand.shows(fact) for fact in stored] == [True] * 20 + [False] * 40
    assert len(asked) == 6
