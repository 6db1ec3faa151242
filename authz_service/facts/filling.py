"""Filling: tables made of very many facts that are known to be distinct, a column at a time.

A million facts are taken in about as fast as a database hands them over: nothing is done in Python for each of
them, and little for each of their values; texts are compared, counted off and divided in C.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, groupby, islice
from operator import itemgetter

from authz_service.facts.ids import Ids
from authz_service.facts.rows import Column, Rows, narrowed
from authz_service.facts.tables import Signature, Tables

_PART = 4096


class Filling:
    """Tables that are being filled. `split` returns the types and the ids of the values of texts.

    Equal texts are equal values.

    Facts are never looked up: none may come twice. Those of one predicate come after each other, so that what
    was seen of its texts is freed before the next.
    """

    def __init__(self, split: Callable[[Sequence[str]], tuple[list[str], list[str]]]) -> None:
        self._split = split
        self._ids = Ids()
        self._filled: dict[Signature, Rows] = {}
        self._filling: dict[Signature, list[_Texts]] = {}

    def add(self, signature: Signature, columns: Sequence[Iterable[str]]) -> None:
        """Add facts of one predicate and arity, as the texts of their values in columns."""
        found = self._filling.get(signature)
        if found is None:
            found = self._filling[signature] = [_Texts() for _ in columns]
        for texts, column in zip(found, columns, strict=True):
            texts.codes.extend(map(texts.code_of.__getitem__, column))

    def end_predicate(self) -> None:
        """Free what was seen of texts. No facts of the predicates so far may follow."""
        for signature, columns in self._filling.items():
            assert signature not in self._filled
            self._filled[signature] = Rows.of([self._column(texts) for texts in columns])
        self._filling = {}

    def tables(self) -> Tables:
        """Return what was added. Call once, at the end."""
        self.end_predicate()
        return Tables.of(self._ids, self._filled)

    def _column(self, texts: "_Texts") -> Column:
        ids: list[int] = []
        for part in _parts(iter(texts.code_of)):
            types, values = self._split(part)
            if types.count(types[0]) == len(types):
                ids += self._ids.add_all(types[0], values)
                continue
            for type_name, some in groupby(zip(types, values, strict=True), itemgetter(0)):
                ids += self._ids.add_all(type_name, [text for _, text in some])
        return Column(narrowed(texts.codes, len(ids)), ids)


class _Texts:
    """A column that is being filled: a code for each row, and the code of each text in their order."""

    __slots__ = ("code_of", "codes")

    def __init__(self) -> None:
        self.codes = array("I")
        self.code_of: defaultdict[str, int] = defaultdict(count().__next__)


def _parts(texts: Iterator[str]) -> Iterator[list[str]]:
    """Yield the texts in lists, not too long, as each is numbered while no other thread runs."""
    while part := list(islice(texts, _PART)):
        yield part
