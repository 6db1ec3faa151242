"""Variables that nothing limits, and rows that say that every value will do.

Rules only compare values. So two values of a type that occur nowhere, neither in facts nor in policy and query,
behave alike: what holds for one *stranger* holds for all. As many strangers as there are variables to try
tell apart whether these are equal. A row with strangers in it is therefore either part of one that holds for
every value in their places, those that occur included, or rows cannot say it: then some values are
excepted, or two variables must be equal.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from math import prod

from authz_service.engine.program import Row
from authz_service.engine.queries.vocabulary import ResolvedQuery
from authz_service.errors import VariableUnlimited
from authz_service.facts.fact import AnyValue
from authz_service.facts.value import BOOLEAN, Value, boolean

_STRANGE = "\0"
"""No id of an entity and no String has this character."""

Values = tuple[Value, ...]
_Form = tuple[tuple[int, str], ...]
"""Positions at which every value will do, and of which type."""


def strangers(asked: ResolvedQuery) -> list[Value]:
    """Return the values that stand for all that occur nowhere, and those that need not occur to be meant."""
    types = sorted(frozenset().union(*(asked.types[variable] for variable in asked.tried)))
    found: list[Value] = []
    for name in types:
        if name == BOOLEAN:
            found += (boolean(False), boolean(True))
        else:
            found += (Value(name, f"{_STRANGE}{number}") for number in range(len(asked.tried)))
    return found


def _is_stranger(value: Value) -> bool:
    return value.id.startswith(_STRANGE)


def rows(
    found: AbstractSet[Values],
    asked: ResolvedQuery,
    count: Callable[[str], int],
    step: Callable[[], object],
) -> set[Row]:
    """Return the rows that say what `found` says, in which strangers stand for what occurs nowhere.

    `count` tells how many values of a type were tried, strangers included; `step` is called for each row
    that is looked at. Raises VariableUnlimited.
    """
    if not asked.tried:
        return {*found}
    forms = dict.fromkeys(form for row in found if (form := _form(row)))
    wide = {form: _wide(found, form, count, step) for form in forms}
    said: set[Row] = set()
    unsaid: list[Values] = []
    for row in found:
        step()
        form = _form(row)
        if form and _rest(row, form) not in wide[form]:
            unsaid.append(row)
        shown = tuple(AnyValue(v.type) if _is_stranger(v) else v for v in row)
        if not any(other != form and _says(other, wide[other], shown) for other in wide):
            said.add(shown)
    if unsaid:
        raise _unlimited(_to_blame(unsaid, found, count, step), asked)
    return said


def _form(row: Values) -> _Form:
    """Return the places of strangers."""
    return tuple((n, value.type) for n, value in enumerate(row) if _is_stranger(value))


def _wide(
    found: AbstractSet[Values],
    form: _Form,
    count: Callable[[str], int],
    step: Callable[[], object],
) -> AbstractSet[Row]:
    """Return what stands beside the places of `form` wherever every value there will do."""
    times: Counter[Row] = Counter()
    for row in found:
        step()
        if all(row[n].type == name for n, name in form):
            times[_rest(row, form)] += 1
    needed = prod(count(name) for _, name in form)
    return {rest for rest, number in times.items() if number == needed}


def _says(form: _Form, wide: AbstractSet[Row], row: Row) -> bool:
    return all(row[n].type == name for n, name in form) and _rest(row, form) in wide


def _rest(row: Row, form: _Form) -> Row:
    places = {n for n, _ in form}
    return tuple(cell for n, cell in enumerate(row) if n not in places)


def _to_blame(
    unsaid: Sequence[Values],
    found: AbstractSet[Values],
    count: Callable[[str], int],
    step: Callable[[], object],
) -> _Form:
    """Return the places that rows cannot say, of the rows in `unsaid`.

    Which values occur beside must not matter, as some may be in facts that no rule can use. Each of those has a
    stranger like it; so only rows with strangers in as many places as possible are looked at.
    """
    forms = {_form(row) for row in unsaid}
    widest = {form for form in forms if not any({*form} < {*other} for other in forms)}
    wide = {place: _wide(found, (place,), count, step) for form in widest for place in form}
    blamed = set[_Form]()
    for row in unsaid:
        form = _form(row)
        if form in widest:
            # Where every value will do, whatever is in the others, nothing is to be said.
            open_ = [place for place in form if _rest(row, (place,)) not in wide[place]]
            # A stranger that stands once could be any other one.
            alone = [(n, name) for n, name in open_ if row.count(row[n]) == 1]
            blamed.add(tuple(alone[:1] or open_ or form))
    return min(blamed, key=lambda form: (len(form), form))


def _unlimited(form: _Form, asked: ResolvedQuery) -> VariableUnlimited:
    columns = [f"`?{asked.query.columns[n].name}`" for n, _ in form]
    if len(columns) == 1:
        which = f"every {form[0][1]} will do for {columns[0]} but some, also one that nobody has heard of"
    else:
        which = f"{' and '.join(columns)} can have values without end, but not all of them together"
    return VariableUnlimited(
        f"{which}, and rows cannot say that; limit {' or '.join(columns)} to a list of values, or ask for "
        "a list of actors or resources, which can say `any except`",
        field=asked.place_of(asked.query.columns[form[0][0]]),
    )
