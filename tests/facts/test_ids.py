"""What ids promise: one for each value, of a type, ordered for Integers, and a question's own apart."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_service.facts.ids import FIRST_INTEGER, INTEGER_ZERO, TYPE_SHIFT, Ids, is_integer
from authz_service.facts.value import (
    INTEGER_MAX,
    INTEGER_MIN,
    PRIMITIVE_TYPES,
    Value,
    boolean,
    integer,
    string,
)

texts = st.text(st.sampled_from(':|_,/"\\ <é3'), min_size=1, max_size=4)
numbers = st.integers(INTEGER_MIN, INTEGER_MAX)
values = st.one_of(
    st.builds(Value, texts.filter(lambda text: text not in PRIMITIVE_TYPES), texts),
    st.builds(Value, st.sampled_from(["User", "User:a", "Integer2"]), texts),
    st.builds(string, texts),
    st.builds(boolean, st.booleans()),
    st.builds(integer, numbers),
)


@given(st.lists(values), st.lists(values), st.lists(values))
def test_every_value_has_its_own_id(
    before: list[Value], own: list[Value], later: list[Value]
) -> None:
    """Whoever adds what in between, parent and child each tell all values apart, and decode them."""
    ids = Ids()
    given_before = {value: ids.add(value) for value in before}
    child = ids.child()
    of_child = {value: child.add(value) for value in own}
    given_later = {value: ids.add(value) for value in later}
    sibling = child.child()
    of_sibling = {value: sibling.add(value) for value in later}

    for table, known in (
        (ids, given_before | given_later),
        (child, given_before | of_child),
        (sibling, given_before | of_child | of_sibling),
    ):
        for value, number in known.items():
            assert table.find(value) == table.add(value) == number
            assert table.value(number) == value
            assert is_integer(number) == (value.type == "Integer")
            if value.type != "Integer":
                assert number >> TYPE_SHIFT == table.type_number(value.type)
        assert len(set(known.values())) == len(known)


@given(numbers, numbers)
def test_integers_are_ordered_and_in_no_table(one: int, other: int) -> None:
    ids = Ids()
    assert (ids.add(integer(one)) < ids.add(integer(other))) == (one < other)
    assert ids.find(integer(one)) == INTEGER_ZERO + one >= FIRST_INTEGER
    assert len(ids) == 0


def test_a_child_never_changes_its_parent() -> None:
    ids = Ids()
    ids.add(Value("User", "alice"))
    child = ids.child()
    bob, document = child.add(Value("User", "bob")), child.add(Value("Doc", "plan"))

    assert ids.find(Value("User", "bob")) is None
    assert (ids.find_type("Doc"), len(ids), len(child)) == (None, 1, 3)
    later = ids.add(Value("User", "bob")), ids.add(Value("Doc", "plan"))
    assert len({bob, document, *later}) == 4
    assert (child.find(Value("User", "bob")), child.find(Value("Doc", "plan"))) == (bob, document)
    assert bob >> TYPE_SHIFT == later[0] >> TYPE_SHIFT
    assert child.find(Value("Doc", "other")) is None


def test_what_a_type_of_the_child_is_called_is_not_looked_up_in_the_parent() -> None:
    """Its values would have another type number there, once the parent has learnt the type."""
    ids = Ids()
    child = ids.child()
    number = child.type_number("Doc")
    ids.add(Value("Doc", "plan"))

    assert child.find(Value("Doc", "plan")) is None
    assert child.add(Value("Doc", "plan")) >> TYPE_SHIFT == number != ids.type_number("Doc")


def test_an_id_of_nothing() -> None:
    ids = Ids()
    with pytest.raises(LookupError):
        ids.value(ids.type_number("User") << TYPE_SHIFT)


def test_threads_that_add_the_same_values_agree() -> None:
    ids = Ids()
    added = [Value(f"T{number % 7}", str(number % 500)) for number in range(5000)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda values: list(map(ids.add, values)), [added] * 8))

    assert all(each == found[0] for each in found)
    assert list(map(ids.value, found[0])) == added
