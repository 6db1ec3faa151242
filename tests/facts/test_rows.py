"""Rows against a plain set, where many hash alike."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from authz_service.facts.rows import Row, Rows


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

    gathered = rows.gathered(position)

    assert len(gathered) == len(rows)
    assert sorted(gathered) == sorted(rows)
    assert all((row in gathered) == (row in rows) for _, row in steps)
    seen = [value for value, _ in groupby(gathered.columns[position])]
    assert len(seen) == len(set(seen))
