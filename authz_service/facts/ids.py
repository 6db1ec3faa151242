"""Ids: an integer for every value, so that evaluation compares and hashes nothing but integers.

Rule 1: an id is `type number << 32 | n`; n counts the values of a type. `id >> 32` is the type.
Rule 2: an Integer is its own id, `INTEGER_ZERO + number`: no table, and ordered as Integers are.
Rule 3: ids never change and are never given again. Any thread may read or add at any time, without a lock,
    as each step is one that the interpreter does whole.
Rule 4: what only one question knows goes to a child. Its numbers are none that the parent will ever
    give, and what it has numbered itself it does not look up in the parent, which may learn the same
    value later under another number.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, compress, count, repeat
from operator import is_
from typing import Final

from authz_service.facts.value import INTEGER, INTEGER_MIN, Value

Constant = Value | tuple[Value, ...] | frozenset[str]
"""A literal, several of them, or types by name."""

TYPE_SHIFT = 32
INTEGER_ZERO: Final = 1 << 80
FIRST_INTEGER: Final = INTEGER_ZERO + INTEGER_MIN
"""The id of the smallest Integer. All ids of other types are below."""

_PART = 4096

_NUMBER = (1 << TYPE_SHIFT) - 1
# A child counts in halves of both ranges that no parent reaches.
_CHILD_NUMBERS = 1 << 31
_CHILD_TYPES = 1 << 24


def is_integer(id: int) -> bool:  # noqa: A002 - the word for it
    return id >= FIRST_INTEGER


class Ids:
    """Values and their ids."""

    __slots__ = (
        *("__weakref__", "_by_text", "_new_types", "_texts", "_type_names", "_type_numbers"),
    )

    def __init__(self) -> None:
        self._type_numbers: dict[str, int] = {}
        self._type_names: dict[int, str] = {}
        self._new_types = count(1)
        self._by_text: dict[str, dict[str, int]] = {}
        self._texts: dict[int, list[str]] = {}

    def __len__(self) -> int:
        """Return how many values are in the table; Integers are not."""
        return sum(map(len, self._by_text.values()))

    def find(self, value: Value) -> int | None:
        """Return the id of `value`, or None if it has none yet."""
        by_text = self._by_text.get(value.type)
        if by_text is not None:
            return by_text.get(value.id)
        return INTEGER_ZERO + int(value.id) if value.type == INTEGER else None

    def of_type(self, type_name: str) -> dict[str, int]:
        """Return a copy of the ids of all values of this type that have one, by their text. Not for Integer."""
        return self._by_text.get(type_name, {}).copy()

    def finder(self, type_name: str) -> Callable[[str], int | None]:
        """Return what finds values of this type by their text, now and when there are more. Not for Integer."""
        return self._by_text.setdefault(type_name, {}).get

    def add(self, value: Value) -> int:
        """Return the id of `value`, which it has from now on."""
        by_text = self._by_text.get(value.type)
        if by_text is not None:
            known = by_text.get(value.id)
            if known is not None:
                return known
        found = self.find(value)
        return self._add(value) if found is None else found

    def _add(self, value: Value) -> int:
        number = self.type_number(value.type)
        texts = self._texts.setdefault(number, [])
        # What can be found can be decoded, by whoever looks meanwhile; so this is first.
        texts.append(value.id)
        place = len(texts) - 1
        while texts[place] is not value.id:  # another thread appended, too
            place -= 1
        assert place < _CHILD_NUMBERS
        by_text = self._by_text.setdefault(value.type, {})
        return by_text.setdefault(value.id, number << TYPE_SHIFT | place)

    def add_all(self, type_name: str, texts: Sequence[str]) -> list[int]:
        """Return the ids of these values of one type, all different, which they have from now on.

        Many of them cost a tenth of what `add` takes. Only while nobody else has this table.
        """
        if type_name == INTEGER:
            return [INTEGER_ZERO + int(text) for text in texts]
        by_text = self._by_text.setdefault(type_name, {})
        number = self.type_number(type_name)
        known = self._texts.setdefault(number, [])
        found = list(map(by_text.get, texts))
        new = list(compress(texts, map(is_, found, repeat(None))))
        if not new:
            return found  # type: ignore[return-value]
        first = number << TYPE_SHIFT | len(known)
        known += new
        assert len(known) <= _CHILD_NUMBERS
        ids = list(range(first, first + len(new)))
        by_text.update(zip(new, ids, strict=True))
        return ids if len(new) == len(texts) else list(map(by_text.__getitem__, texts))

    def types(self) -> list[tuple[int, str]]:
        """Return all types by their numbers, in this order."""
        return sorted((number, name) for name, number in self._type_numbers.copy().items())

    def few_of_type(self, type_name: str, at_most: int) -> Sequence[int]:
        """Return the ids of all values of a type; none if they are more than `at_most`. Not for Integer."""
        by_text = self._by_text.get(type_name, {})
        return () if len(by_text) > at_most else list(by_text.copy().values())

    def texts(self, number: int) -> list[str]:
        """Return the values of a type, each at the place that its id has; empty where there is none."""
        found: list[str] = []
        texts = self._texts.get(number, [])
        by_text = self._by_text.get(self._type_names[number], {})
        for start in range(0, len(texts), _PART):
            some = texts[start : start + _PART]
            first = number << TYPE_SHIFT | start
            # Of threads that raced to add a value one has won, and nobody has the id of the others.
            found += [
                text if by_text.get(text) == id_ else ""
                for id_, text in enumerate(some, start=first)
            ]
        return found

    def restore(self, number: int, type_name: str, texts: Sequence[str]) -> list[int]:
        """Give a type its number, and its values the ids by their places. Only while nobody has this table.

        Types come in the order of their numbers. Returns the ids.
        """
        self._type_names[number] = type_name
        self._type_numbers[type_name] = number
        self._new_types = count(number + 1)
        by_text: dict[str, int] = {}
        first = number << TYPE_SHIFT
        for start in range(0, len(texts), _PART):
            some = texts[start : start + _PART]
            by_text.update(zip(some, range(first + start, first + start + len(some)), strict=True))
        ids = list(by_text.values())
        if "" in by_text:
            del by_text[""]
            ids = [by_text.get(text, -1) for text in texts]
        if texts:
            self._texts[number] = list(texts)
            self._by_text[type_name] = by_text
        return ids

    def value(self, id: int) -> Value:  # noqa: A002 - the word for it
        """Return the value of `id`. Raises LookupError for what is no id of this table."""
        if id >= FIRST_INTEGER:
            return Value(INTEGER, str(id - INTEGER_ZERO))
        number = id >> TYPE_SHIFT
        return Value(self._type_names[number], self._texts[number][id & _NUMBER])

    def texts_of(self, type_name: str, ids: AbstractSet[int]) -> Iterator[str]:
        """Return the texts of these ids, all of one type and not Integer. Costs a tenth of `value` for each."""
        texts = self._texts.get(self.type_number(type_name), [])
        return map(texts.__getitem__, map(_NUMBER.__and__, ids))

    def type_number(self, type_name: str) -> int:
        """Return the number of a type, which it has from now on. Not for Integer, which has none."""
        found = self.find_type(type_name)
        if found is None:
            assert type_name != INTEGER
            number = next(self._new_types)
            self._type_names[number] = type_name
            # If two threads come here with one type, one of the two numbers stays unused.
            found = self._type_numbers.setdefault(type_name, number)
        return found

    def find_type(self, type_name: str) -> int | None:
        """Return the number of a type, or None if it has none yet."""
        return self._type_numbers.get(type_name)

    def constant(self, constant: Constant) -> int | frozenset[int]:
        """Return the id of a literal, those of several, or the numbers of types.

        The literals must have been added. Raises LookupError for one that was not.
        """
        if isinstance(constant, Value):
            return self._literal(constant)
        if isinstance(constant, frozenset):
            return frozenset(map(self.type_number, constant))
        return frozenset(self._literal(value) for value in constant)

    def _literal(self, value: Value) -> int:
        found = self.find(value)
        if found is None:
            raise LookupError(f"{value} has no id")
        return found

    def stranger(self, type_name: str, number: int) -> int:
        """Return an id for a value of this type that has none: `number` tells a few apart in one question.

        No value gets this id, so no fact is about it.
        """
        return self.type_number(type_name) << TYPE_SHIFT | _NUMBER - number

    def child(self) -> "Ids":
        """Return ids that begin with these and then go their own way. Costs a few objects."""
        return _ChildIds(self)


class _ChildIds(Ids):
    """The ids of one question: few, so each is kept with its value."""

    __slots__ = ("_parent", "_values")

    def __init__(self, parent: Ids) -> None:
        super().__init__()
        self._parent = parent
        self._new_types = count(_CHILD_TYPES)
        self._values: dict[int, Value] = {}

    def __len__(self) -> int:
        return len(self._parent) + len(self._values)

    def find(self, value: Value) -> int | None:
        by_text = self._by_text.get(value.type)
        if by_text is not None:
            found = by_text.get(value.id)
            if found is not None:
                return found
        if value.type in self._type_numbers:
            return None
        return self._parent.find(value)

    def of_type(self, type_name: str) -> dict[str, int]:
        own = self._by_text.get(type_name, {})
        if type_name in self._type_numbers:
            return own.copy()
        # What has an id here has no other one: facts of this question are about this one.
        return {**self._parent.of_type(type_name), **own}

    def _add(self, value: Value) -> int:
        by_text = self._by_text.setdefault(value.type, {})
        number = self.type_number(value.type)
        added = number << TYPE_SHIFT | _CHILD_NUMBERS + len(by_text)
        self._values[added] = value
        by_text[value.id] = added
        return added

    def value(self, id: int) -> Value:  # noqa: A002 - the word for it
        found = self._values.get(id)
        return self._parent.value(id) if found is None else found

    def texts_of(self, type_name: str, ids: AbstractSet[int]) -> Iterator[str]:
        own = self._values.keys() & ids
        theirs = ids - own if own else ids
        return chain(
            (self._values[id_].id for id_ in own), self._parent.texts_of(type_name, theirs)
        )

    def find_type(self, type_name: str) -> int | None:
        found = self._type_numbers.get(type_name)
        return self._parent.find_type(type_name) if found is None else found

    def child(self) -> "Ids":
        """Return a sibling that knows what this one knows: of a child's child numbers would clash."""
        child = _ChildIds(self._parent)
        child._type_numbers = dict(self._type_numbers)
        child._type_names = dict(self._type_names)
        child._new_types = count(_CHILD_TYPES + len(self._type_numbers))
        child._by_text = {name: dict(ids) for name, ids in self._by_text.items()}
        child._values = dict(self._values)
        return child


class Decoded(dict[int, Value]):
    """The values of ids, each made once."""

    def __init__(self, ids: Ids) -> None:
        super().__init__()
        self.ids = ids

    def __missing__(self, key: int) -> Value:
        found = self[key] = self.ids.value(key)
        return found
