"""AccessPath and Demand: in which ways one program looks at facts, and which facts it can use.

An access path is a question with holes: given the values at the `key` positions, which facts of a
predicate have them, and what stands at the other positions, the members? Only demanded paths are
indexed. Each has a name that is a Python identifier, as generated code reads it off a view.
"""

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from collections.abc import Set as AbstractSet
from itertools import chain, count, product
from typing import Any, NamedTuple

from authz_service.facts.fact import Fact
from authz_service.facts.ids import Constant
from authz_service.facts.value import Value

VIEW_NAMES = frozenset(
    {
        "after",
        "built",
        "complete",
        "completing",
        "ids",
        "kept",
        "merging",
        "ready",
        "walking",
        "whole",
        "with_facts",
    }
)
"""What views have besides their paths; all else that is theirs begins with an underscore."""

_TAKEN = VIEW_NAMES.union(keyword.kwlist, keyword.softkwlist, dir(builtins))
_LONGEST_WORD = 40
_MOST_WORDS = 6


Literal = Value | frozenset[Value]
"""A value, or some any of which will do."""


class Walk(NamedTuple):
    """What finds and keeps all that walks come to from an id: of a view, with steps, and a dict for itself.

    Walks begin with values of `types`.
    """

    types: frozenset[str]
    find: Callable[[Any, Iterator[object], int, dict[Hashable, Any]], object]


class AccessPath(NamedTuple):
    """Which facts are meant, and which of their positions are given; ascending, and disjoint."""

    predicate: str
    arity: int
    literals: tuple[tuple[int, Literal], ...]
    key: tuple[int, ...]

    @property
    def members(self) -> tuple[int, ...]:
        """The positions that are neither fixed nor given, ascending."""
        taken = {*self.key, *(position for position, _ in self.literals)}
        return tuple(position for position in range(self.arity) if position not in taken)

    @property
    def has_choice(self) -> bool:
        """Whether several facts can tell the same."""
        return any(isinstance(literal, frozenset) for _, literal in self.literals)

    def alike(self, fact: Fact) -> Iterator[Fact]:
        """Yield the facts that the path means and that are to it the same as `fact`, itself included."""
        literals = dict(self.literals)
        choices = (_values(literals.get(at, arg)) for at, arg in enumerate(fact.args))
        for args in product(*choices):
            yield Fact(fact.predicate, args)


class Demand:
    """The access paths of one program, by name; grows while the program is compiled.

    Several threads may add paths at the same time. A demand is known by identity.
    """

    def __init__(
        self,
        accepts: Callable[[Fact], bool],
        named: AbstractSet[Value] | None = None,
        type_names: AbstractSet[str] = frozenset(),
    ) -> None:
        """Facts that `accepts` refuses are in no view, though in the snapshot.

        `named` are the values that it may tell apart from others of their type, such as a policy's
        literals. None stands for all, which makes it be asked about every single fact. `type_names`
        are the types that its facts have, without Integer.
        """
        self.accepts = accepts
        self.named = named
        self.type_names = type_names
        self.paths: dict[str, AccessPath] = {}
        self._names: dict[AccessPath, str] = {}
        self._by_table: dict[tuple[str, int], dict[str, AccessPath]] = {}
        self._accepted: dict[tuple[str | Value, ...], bool] = {}
        self.constants: dict[str, Constant] = {}
        self.reaches: dict[str, frozenset[tuple[str, int]]] = {}
        self.walks: dict[str, tuple[Walk, ...]] = {}
        """What finds what is kept under names of `reaches`. It is code, which is not pickled."""
        self._reached_by: dict[Hashable, str] = {}

    def reach(self, wish: str, edges: frozenset[tuple[str, int]], signature: Hashable) -> str:
        """Return the name, like `wish`, under which a view keeps what walks of this signature have reached.

        `edges` are the predicates with their arities of which these walks see facts. Walks have the same
        signature only if they reach the same from everywhere.
        """
        if signature not in self._reached_by:
            names = chain([wish], (f"{wish}__{number}" for number in count(2)))
            free = (name for name in names if name not in self.paths and name not in self.constants)
            name = next(n for n in free if self.reaches.setdefault(n, edges) is edges)
            return self._reached_by.setdefault(signature, name)
        return self._reached_by[signature]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "walks": {}}

    def walk(self, reach: str, walk: Walk) -> None:
        """Let views take this walk ahead of the questions that need what it finds."""
        known = self.walks.get(reach, ())
        if all(walk.types != other.types for other in known):
            self.walks[reach] = (*known, walk)

    def reaches_over(self, predicate: str, arity: int) -> list[str]:
        """Return the names of what was reached along facts of `predicate` with `arity` arguments."""
        return [n for n, edges in list(self.reaches.items()) if (predicate, arity) in edges]

    def has(self, path: AccessPath) -> bool:
        """Say whether `path` is demanded already."""
        return path in self._names

    def literal(self, value: Value) -> str:
        """Return the name under which a view shows the id of `value`."""
        return self._constant(value, f"literal_{value.id}")

    def literals(self, values: tuple[Value, ...]) -> str:
        """Return the name under which a view shows the ids of `values`, each once."""
        return self._constant(values, "literals_" + "_".join(value.id for value in values))

    def types(self, names: frozenset[str]) -> str:
        """Return the name under which a view shows the numbers of these types, none being Integer."""
        return self._constant(names, "types_" + "_".join(sorted(names)))

    def _constant(self, constant: "Constant", wish: str) -> str:
        stem = re.sub(r"\W", "_", wish, flags=re.ASCII)[:_LONGEST_WORD]
        names = chain([stem], (f"{stem}__{number}" for number in count(2)))
        free = (name for name in names if name not in self.paths and name not in self.reaches)
        return next(n for n in free if self.constants.setdefault(n, constant) == constant)

    def name(self, path: AccessPath) -> str:
        """Return the name of `path`, which is demanded from now on.

        `has_role(*, "owner", key)` is `has_role_owner_by_3`.
        """
        name = self._names.get(path)
        if name is None:
            others = (self.constants, self.reaches)
            free = (n for n in _names(path) if not any(n in names for names in others))
            name = next(name for name in free if self.paths.setdefault(name, path) == path)
            self._by_table.setdefault((path.predicate, path.arity), {})[name] = path
            # Last, as whoever finds a name here may build its index, and changes must reach that.
            self._names[path] = name
        return name

    def names(self) -> tuple[str, ...]:
        """Return the names of all paths."""
        return tuple(self._names.values())

    def paths_to(self, predicate: str, arity: int) -> tuple[tuple[str, AccessPath], ...]:
        """Return the paths to facts of `predicate` with `arity` arguments, and their names."""
        return tuple(self._by_table.get((predicate, arity), {}).items())

    def gathering(self) -> dict[tuple[str, int], int]:
        """Return the position of each table that most paths have as key, by which it is best in order."""
        asked: dict[tuple[str, int], Counter[int]] = {}
        for path in list(self.paths.values()):
            if len(path.key) == 1:
                asked.setdefault((path.predicate, path.arity), Counter())[path.key[0]] += 1
        return {table: positions.most_common(1)[0][0] for table, positions in asked.items()}

    def shows(self, fact: Fact) -> bool:
        """Say what `accepts` says; it is asked once for each kind of fact."""
        named = self.named
        if named is None:
            return self.accepts(fact)
        kind = (fact.predicate, *[arg if arg in named else arg.type for arg in fact.args])
        known = self._accepted.get(kind)
        if known is None:
            known = self._accepted[kind] = self.accepts(fact)
        return known


def _values(literal: Literal) -> tuple[Value, ...]:
    """Return the values of a literal, always in the same order."""
    return (literal,) if isinstance(literal, Value) else tuple(sorted(literal))


def _names(path: AccessPath) -> Iterator[str]:
    """Yield a name for `path`, and others should that one be taken."""
    literals = [value.id for _, literal in path.literals for value in _values(literal)]
    words = [path.predicate, *literals[:_MOST_WORDS]]
    name = "_".join(re.sub(r"\W", "_", word, flags=re.ASCII)[:_LONGEST_WORD] for word in words)
    if path.key:
        name += "_by_" + "_".join(str(position + 1) for position in path.key)
    if not "a" <= name[:1].lower() <= "z":
        name = "p" + name
    if name not in _TAKEN:
        yield name
    for number in count(2):
        yield f"{name}__{number}"
