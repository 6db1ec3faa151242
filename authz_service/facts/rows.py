"""Rows: the distinct facts of one predicate and arity, as ids in columns.

A fact costs 8 bytes for each argument and 6 to 12 for finding it, where a set of tuples costs more than
100. Found are rows by open addressing, as in a dict: `_slots` holds row numbers, from 1 on, at the first
free place from the row's hash on; at least a third of it is free.
"""

from array import array
from collections.abc import Iterable, Iterator
from itertools import repeat

Row = tuple[int, ...]


class Rows:
    """A set of rows. Whoever shares it changes it no more, but a copy."""

    __slots__ = ("_size", "_slots", "columns")

    def __init__(self, arity: int, rows: Iterable[Row] = ()) -> None:
        self.columns: tuple[list[int], ...] = tuple([] for _ in range(arity))
        self._size = 0
        self._slots = array("I", bytes(4 * 8))
        for row in rows:
            self.add(row)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Row]:
        return zip(*self.columns, strict=True) if self.columns else repeat((), self._size)

    def __contains__(self, row: Row) -> bool:
        return self._slots[self._slot(row)] != 0

    def copy(self) -> "Rows":
        """Return a set of its own. Costs a copy of memory, and no look at any row."""
        copy = Rows(0)
        copy.columns = tuple(column.copy() for column in self.columns)
        copy._size = self._size
        copy._slots = self._slots[:]
        return copy

    def add(self, row: Row) -> None:
        """Add `row`, unless it is there."""
        slot = self._slot(row)
        if self._slots[slot]:
            return
        self._size += 1
        self._slots[slot] = self._size
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)
        if self._size * 3 > len(self._slots) * 2:
            self._grow()

    def discard(self, row: Row) -> None:
        """Remove `row`, if it is there. The last row takes its number."""
        slot = self._slot(row)
        number = self._slots[slot]
        if not number:
            return
        if number != self._size:
            last = tuple(column[-1] for column in self.columns)
            self._slots[self._slot(last)] = number
            for column, value in zip(self.columns, last, strict=True):
                column[number - 1] = value
        for column in self.columns:
            column.pop()
        self._size -= 1
        self._free(slot)

    def _slot(self, row: Row) -> int:
        """Return the slot of `row`, or the free one where it belongs."""
        slots, columns = self._slots, self.columns
        mask = len(slots) - 1
        slot = hash(row) & mask
        while number := slots[slot]:
            for column, value in zip(columns, row):  # noqa: B905 - of one length, and often run
                if column[number - 1] != value:
                    break
            else:
                return slot
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        mask = 2 * len(self._slots) - 1
        slots = array("I", bytes(4 * (mask + 1)))
        for number, row in enumerate(self, start=1):
            slot = hash(row) & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = number
        self._slots = slots

    def _free(self, slot: int) -> None:
        """Empty `slot`, and move back into it what would be found no more."""
        slots = self._slots
        mask = len(slots) - 1
        following = slot
        while number := slots[following := (following + 1) & mask]:
            home = hash(tuple(column[number - 1] for column in self.columns)) & mask
            if (following - home) & mask >= (following - slot) & mask:
                slots[slot] = number
                slot = following
        slots[slot] = 0
