"""Indexes: the members of each key, for the access paths of one demand over one base of tables."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from itertools import compress, repeat
from operator import and_, itemgetter

from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.ids import FIRST_INTEGER, TYPE_SHIFT
from authz_service.facts.members import ONCE, Member, Members, collection
from authz_service.facts.rows import Row, Rows
from authz_service.facts.tables import Signature, Tables

Key = int | tuple[int, ...]
Index = dict[Key, Members]

_INTEGERS = -1


@cache
def projection(positions: tuple[int, ...]) -> Callable[[Row], int | Row]:
    """Return what takes these positions of a row: an id if it is one, else a tuple."""
    if positions:
        return itemgetter(*positions)
    return lambda _: ()


class Indexes:
    """What is demanded of `tables`, built path by path and not changed after that."""

    __slots__ = ("_demand", "_shown", "_tables", "built")

    def __init__(self, tables: Tables, demand: Demand) -> None:
        self._tables = tables
        self._demand = demand
        self._shown: dict[Signature, bytes | None] = {}
        self.built: dict[str, Index | Members] = {}

    def index(self, name: str) -> Index | Members:
        """Return the members for each key, or all members if the path `name` has no key.

        Looks at the whole table when asked for the first time.
        """
        index = self.built.get(name)
        if index is None:
            index = self.built[name] = self._build(self._demand.paths[name])
        return index

    def _build(self, path: AccessPath) -> Index | Members:
        signature = path.predicate, path.arity
        rows = self._tables.by_signature.get(signature, Rows(path.arity))
        selected = self._selected(path, signature, rows)
        members = _columns(rows, path.members, selected)
        if not path.key:
            return collection(list(members))
        keys = _columns(rows, path.key, selected)
        if not path.members:
            return dict.fromkeys(keys, ONCE)
        groups: defaultdict[Key, list[Member]] = defaultdict(list)
        for key, member in zip(keys, members, strict=True):
            groups[key].append(member)
        return {key: collection(group) for key, group in groups.items()}

    def _selected(self, path: AccessPath, signature: Signature, rows: Rows) -> bytes | None:
        """Return a byte for each row, true if it counts, or None if all count."""
        if signature not in self._shown:
            self._shown[signature] = self._acceptance(signature, rows)
        selected = self._shown[signature]
        for position, literal in path.literals:
            wanted = self._tables.ids.find(literal)
            if wanted is None:
                return bytes(len(rows))
            equal = bytes(map(wanted.__eq__, rows.columns[position]))
            selected = equal if selected is None else bytes(map(and_, selected, equal))
        return selected

    def _acceptance(self, signature: Signature, rows: Rows) -> bytes | None:
        """Return a byte for each row, true if the demand shows it, or None if it shows all."""
        if self._demand.named is None:
            shown = bytes(self._demand.accepts(self._fact(signature, row)) for row in rows)
            return None if all(shown) else shown
        if not rows.columns:
            return bytes(self._demand.accepts(Fact(signature[0], ())) for _ in rows)
        named = {self._tables.ids.find(value) for value in self._demand.named}
        kinds = [
            [
                one if one in named else _INTEGERS if one >= FIRST_INTEGER else one >> TYPE_SHIFT
                for one in column
            ]
            for column in rows.columns
        ]
        examples = dict(zip(zip(*kinds, strict=True), rows, strict=True))
        accepts = self._demand.accepts
        refused = {k for k, row in examples.items() if not accepts(self._fact(signature, row))}
        return bytes(k not in refused for k in zip(*kinds, strict=True)) if refused else None

    def _fact(self, signature: Signature, row: Row) -> Fact:
        return Fact(signature[0], tuple(map(self._tables.ids.value, row)))


def _columns(rows: Rows, positions: tuple[int, ...], selected: bytes | None) -> Iterable[int | Row]:
    """Return what stands at `positions` of the selected rows, in the order of rows."""
    if not positions:
        return repeat((), len(rows) if selected is None else sum(selected))
    columns = [rows.columns[position] for position in positions]
    found = columns if selected is None else [compress(column, selected) for column in columns]
    return found[0] if len(found) == 1 else zip(*found, strict=True)
