"""Rows: the distinct facts of one predicate and arity, as ids in columns.

A fact costs 1 to 4 bytes for each argument and 6 to 8 for finding it; a set of tuples costs more than 100. A
column has a code for each row, and an id for each code. Found are rows by open addressing, as in a dict:
`_slots` holds row numbers, from 1 on, at the first free place from the row's hash on; at least a quarter of it
is free. Rows that come in bulk are not looked up, and get their slots when somebody asks for the first time.
"""

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import compress, count, islice, repeat
from operator import mod
from typing import Final, TypeVar

from authz_service.facts.work import Work, done

Row = tuple[int, ...]
Numbers = TypeVar("Numbers", "list[int]", "array[int]")

_PART = 4096
_FOUND_AT_ONCE = 1024
_BUCKET = 9
"""The rows of 2**9 codes are sorted together."""

_MOST_CODES: Final = {"B": 1 << 8, "H": 1 << 16, "I": 1 << 32}
"""How many codes there can be in arrays of each kind."""


class Column:
    """What stands at one position of the rows: `codes` has one for each row, `ids` the id of each code.

    No two codes have the same id. An id may be there that no row has any more. Codes take as many bytes as
    the greatest of them needs.
    """

    __slots__ = ("_code_of", "codes", "ids")

    def __init__(self, codes: "array[int]", ids: list[int]) -> None:
        self.codes = codes
        self.ids = ids
        self._code_of: dict[int, int] | None = None

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[int]:
        return map(self.ids.__getitem__, self.codes)

    def __getitem__(self, number: int) -> int:
        return self.ids[self.codes[number]]

    def part(self, start: int, stop: int) -> list[int]:
        """Return the ids of some rows."""
        return list(map(self.ids.__getitem__, self.codes[start:stop]))

    def code(self, id: int | None) -> int | None:  # noqa: A002 - the word for it
        """Return the code of `id`, or None if no row has it. Costs a look at all ids of the column."""
        return self.ids.index(id) if id is not None and id in self.ids else None

    def copy(self) -> "Column":
        return Column(self.codes[:], self.ids.copy())

    def ordering(self) -> Work["Column"]:
        """Return the same ids for the same rows, with codes that have the order of the ids."""
        if (yield from _is_ascending(self.ids)):
            return self
        ordered = Column(self.codes[:0], [])
        sorted_parts = []
        for part in _parts(self.ids):
            sorted_parts.append(sorted(part))
            yield
        in_order = merge(*sorted_parts)
        while some := list(islice(in_order, _PART)):
            ordered.ids += some
            yield
        code_of = yield from ordered._coding()
        codes = array("I")
        for ids in _parts(self.ids):
            codes.extend(map(code_of.__getitem__, ids))
            yield
        for codes_before in _parts(self.codes):
            ordered.codes.extend(map(codes.__getitem__, codes_before))
            yield
        return ordered

    def append(self, id: int) -> None:  # noqa: A002 - the word for it
        if self._code_of is None:
            done(self.opening())
        code_of = self._code_of
        assert code_of is not None
        code = code_of.get(id)
        if code is None:
            code = code_of[id] = len(self.ids)
            self.ids.append(id)
            if len(self.ids) > _MOST_CODES[self.codes.typecode]:
                self.codes = array(_wide(len(self.ids)), self.codes)
        self.codes.append(code)

    def opening(self) -> Work[None]:
        """Make what `append` needs, and yield between parts, as no other thread runs meanwhile."""
        self._code_of = yield from self._coding()

    def _coding(self) -> Work[dict[int, int]]:
        code_of: dict[int, int] = {}
        for start in range(0, len(self.ids), _PART):
            some = self.ids[start : start + _PART]
            code_of.update(zip(some, range(start, start + len(some)), strict=True))
            yield
        return code_of

    def settle(self) -> None:
        """Free what only more rows would need."""
        self._code_of = None


class Rows:
    """A set of rows. Whoever shares it changes it no more, but a copy."""

    __slots__ = ("_size", "_slots", "columns")

    def __init__(self, arity: int, rows: Iterable[Row] = ()) -> None:
        self.columns: tuple[Column, ...] = tuple(Column(array("B"), []) for _ in range(arity))
        self._size = 0
        self._slots: array[int] | None = None
        for row in rows:
            self.add(row)

    @staticmethod
    def of(columns: Sequence[Column]) -> "Rows":
        """Return the rows of at least one column, which are distinct. Costs no look at any."""
        rows = Rows(0)
        rows.columns = tuple(columns)
        rows._size = len(columns[0])
        return rows

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Row]:
        return zip(*self.columns, strict=True) if self.columns else repeat((), self._size)

    def __contains__(self, row: Row) -> bool:
        slots = self._slots or self.findable()
        return slots[self._slot(slots, row)] != 0

    def copy(self) -> "Rows":
        """Return a set of its own. Costs a copy of memory, and no look at any row."""
        copy = Rows(0)
        copy.columns = tuple(column.copy() for column in self.columns)
        copy._size = self._size
        copy._slots = None if self._slots is None else self._slots[:]
        return copy

    def gathering(self, position: int) -> Work["Rows"]:
        """Return the same rows in the order of the ids at `position`, which its codes have, too."""
        ordered = [*self.columns]
        key = ordered[position] = yield from ordered[position].ordering()
        codes = key.codes
        if (yield from _is_ascending(codes)):
            return Rows.of(ordered)
        # First into buckets: sorting all at once would keep every other thread waiting.
        buckets = [array("I") for _ in range((len(key.ids) >> _BUCKET) + 1)]
        for start in range(0, len(codes), _PART):
            for number, code in enumerate(codes[start : start + _PART], start):
                buckets[code >> _BUCKET].append(number)
            yield
        columns = [(column.codes, array(column.codes.typecode)) for column in ordered]
        for bucket in buckets:
            order = sorted(bucket, key=codes.__getitem__)
            for start in range(0, len(order), _PART):
                for before, after in columns:
                    after.extend(map(before.__getitem__, order[start : start + _PART]))
                yield
        pairs = zip(columns, ordered, strict=True)
        return Rows.of([Column(after[:], column.ids) for (_, after), column in pairs])

    def add(self, row: Row) -> None:
        """Add `row`, unless it is there."""
        slots = self._slots or self.findable()
        slot = self._slot(slots, row)
        if slots[slot]:
            return
        self._size += 1
        slots[slot] = self._size
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)
        if self._size * 4 > len(slots) * 3:
            self._slots = next(filter(None, self._filling(2 * self._size)))

    def discard(self, row: Row) -> None:
        """Remove `row`, if it is there. The last row takes its number."""
        slots = self._slots or self.findable()
        slot = self._slot(slots, row)
        number = slots[slot]
        if not number:
            return
        if number != self._size:
            last = tuple(column[-1] for column in self.columns)
            slots[self._slot(slots, last)] = number
            for column in self.columns:
                column.codes[number - 1] = column.codes[-1]
        for column in self.columns:
            column.codes.pop()
        self._size -= 1
        self._free(slots, slot)

    def opening(self) -> Iterator[None]:
        """Make what `add` needs, which would make it at once, and yield between parts."""
        yield from self.finding()
        for column in self.columns:
            yield from column.opening()

    def settle(self) -> None:
        """Free what only `add` needs; it makes it again."""
        for column in self.columns:
            column.settle()

    @property
    def is_findable(self) -> bool:
        """Whether a row is found without a look at all of them first."""
        return self._slots is not None

    def findable(self) -> "array[int]":
        """Make sure that rows can be found. Looks at all of them if they have come in bulk."""
        for _ in self.finding():
            pass
        assert self._slots is not None
        return self._slots

    def finding(self) -> Iterator[None]:
        """Do what `findable` does, if nobody else does; yield between parts of about a millisecond."""
        filling = self._filling(self._size + self._size // 2)
        while self._slots is None:
            # Threads that race to fill them fill in the same.
            if (slots := next(filling)) is not None:
                self._slots = slots
            else:
                yield

    def _slot(self, slots: "array[int]", row: Row) -> int:
        """Return the slot of `row`, or the free one where it belongs."""
        columns = self.columns
        size = len(slots)
        slot = hash(row) % size
        while number := slots[slot]:
            for column, value in zip(columns, row):  # noqa: B905 - of one length, and often run
                if column.ids[column.codes[number - 1]] != value:
                    break
            else:
                return slot
            slot = (slot + 1) % size
        return slot

    def _filling(self, size: int) -> Iterator["array[int] | None"]:
        """Yield the slots of all rows in the end, and None between parts before."""
        size += 8
        slots = array("I", [0]) * size
        homes = enumerate(map(mod, map(hash, self), repeat(size)), start=1)
        for _ in range(0, self._size, _FOUND_AT_ONCE):
            for number, home in islice(homes, _FOUND_AT_ONCE):
                slot = home
                while slots[slot]:
                    slot = (slot + 1) % size
                slots[slot] = number
            yield None
        yield slots

    def _free(self, slots: "array[int]", slot: int) -> None:
        """Empty `slot`, and move back into it what would be found no more."""
        size = len(slots)
        following = slot
        while number := slots[following := (following + 1) % size]:
            home = hash(tuple(column[number - 1] for column in self.columns)) % size
            if (following - home) % size >= (following - slot) % size:
                slots[slot] = number
                slot = following
        slots[slot] = 0


def ascends(some: list[int]) -> bool:
    """Say whether equal numbers stand together and ascend. Costs a tenth of looking at each."""
    return some == sorted(some)


def _is_ascending(numbers: "list[int] | array[int]") -> Work[bool]:
    for start in range(0, len(numbers), _PART):
        if not ascends(list(numbers[start : start + _PART + 1])):
            return False
        yield
    return True


def _parts(numbers: Numbers) -> Iterator[Numbers]:
    for start in range(0, len(numbers), _PART):
        yield numbers[start : start + _PART]


def starts_of_runs(codes: "array[int]") -> list[int]:
    """Return the places at which a code is another one than before, the first included; there is some code.

    All are compared at once, as two numbers of thousands of digits.
    """
    size, text = codes.itemsize, codes.tobytes()
    order = sys.byteorder
    differing = int.from_bytes(text[size:], order) ^ int.from_bytes(text[:-size], order)
    changes = array(codes.typecode, differing.to_bytes(len(text) - size, order))
    return [0, *compress(count(1), changes)]


def narrowed(codes: "array[int]", count: int) -> "array[int]":
    """Return these codes, which are below `count`, in as few bytes as that needs, none ready for more."""
    parts = array(_wide(count), codes.tobytes())
    step = len(parts) // len(codes) if codes else 1
    return parts[0 if sys.byteorder == "little" else step - 1 :: step]


def _wide(count: int) -> str:
    return next(kind for kind, most in _MOST_CODES.items() if count <= most)
