"""Rows against a plain set, where many hash alike."""

from array import array
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_service.facts import rows as rows_module
from authz_service.facts.rows import Column, Row, Rows, narrowed, starts_of_runs
from authz_service.facts.work import done


def rows_of(arity: int) -> st.SearchStrategy[list[tuple[bool, Row]]]:
    row = st.tuples(*[st.integers(0, 9).map(lambda n: 1 << 40 | n << 20)] * arity)
    return st.lists(st.tuples(st.booleans(), row), max_size=80)


@given(st.integers(0, 3).flatmap(lambda arity: st.tuples(st.just(arity), rows_of(arity))))
def test_rows_are_a_set(drawn: tuple[int, list[tuple[bool, Row]]]) -> None:
    arity, steps = drawn
    rows, model = Rows(arity), set[Row]()
    for is_in, row in steps:
        before, expected = rows, set(model)
        rows = rows.copy()
        if is_in:
            rows.add(row)
            model.add(row)
        else:
            rows.discard(row)
            model.discard(row)
        for found, wanted in ((before, expected), (rows, model)):
            assert len(found) == len(list(found)) == len(wanted)
            assert set(found) == wanted
            assert all((row in found) == (row in wanted) for _, row in steps)
            assert all(len(column) == len(wanted) for column in found.columns)


@given(
    st.integers(1, 3).flatmap(lambda arity: st.tuples(st.just(arity), rows_of(arity))), st.data()
)
def test_gathered_rows_are_the_same(
    drawn: tuple[int, list[tuple[bool, Row]]], data: st.DataObject
) -> None:
    arity, steps = drawn
    rows = Rows(arity, [row for _, row in steps])
    for row in {row for is_in, row in steps if not is_in}:
        rows.discard(row)
    position = data.draw(st.integers(0, arity - 1))

    gathered = done(rows.gathering(position))

    assert len(gathered) == len(rows)
    assert sorted(gathered) == sorted(rows)
    assert all((row in gathered) == (row in rows) for _, row in steps)
    key = gathered.columns[position]
    assert list(key) == sorted(key)
    assert list(key.codes) == sorted(key.codes)
    assert set(key.ids) == set(rows.columns[position].ids)


@pytest.mark.parametrize("count", [1, 4095, 4096, 4097, 10_000])
def test_many_ids_are_brought_in_order(count: int) -> None:
    ids = list(range(count, 0, -1))
    rows = Rows(2, [(one, -one) for one in ids])

    gathered = done(rows.gathering(0))

    assert list(gathered) == [(one, -one) for one in reversed(ids)]
    assert gathered.columns[0].ids == list(reversed(ids))
    assert list(rows) == [(one, -one) for one in ids]


@pytest.mark.parametrize("count", [1, 255, 256, 257, 65_536, 65_537])
def test_codes_take_as_few_bytes_as_they_need(count: int) -> None:
    some = [*range(0, count, 1 + count // 300), count - 1]
    width = 1 if count <= 256 else 2 if count <= 65_536 else 4

    narrow = narrowed(array("I", some), count)

    assert list(narrow) == some
    assert narrow.itemsize == width


def test_a_column_has_room_for_any_number_of_codes() -> None:
    column = Column(array("B"), [])
    for number in range(70_000):
        column.append(-number)
    assert list(column) == [-number for number in range(70_000)]
    assert column.copy().codes == column.codes


def test_rows_are_made_findable_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "_FOUND_AT_ONCE", 2)
    rows = Rows.of([Column(array("B", range(9)), list(range(100, 109)))])
    finding = rows.finding()
    assert sum(1 for _ in islice(finding, 3)) == 3
    assert not rows.is_findable

    assert (104,) in rows
    assert rows.is_findable
    assert list(finding) == []
    assert [(number,) in rows for number in range(99, 110)] == [False, *[True] * 9, False]


@given(
    st.sampled_from("BHI"),
    st.lists(st.sampled_from([0, 1, 128, 255]) | st.integers(0, 255), min_size=1, max_size=40),
    st.sampled_from([1, 256, 1 << 23]),
)
def test_runs_start_where_codes_change(kind: str, drawn: list[int], unit: int) -> None:
    unit = min(unit, 1 << (8 * array(kind).itemsize - 8))
    codes = [unit * number for number in drawn]
    expected = [at for at, code in enumerate(codes) if at == 0 or code != codes[at - 1]]
    assert starts_of_runs(array(kind, codes)) == expected
