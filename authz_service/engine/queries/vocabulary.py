"""Vocabulary: what rules derive and facts can say, and what that makes of a query.

The types of a variable are those that all conditions on it allow, and its limits. Unlike in a rule of the
policy, a variable that stands at open positions only (see `polar.binding`) is no mistake here: its values
are tried, one after the other, before the conditions that need it.

A condition that nothing can meet is most likely misspelled, and an error: it must not look like an answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from authz_service.engine.program import Limit, Query
from authz_service.errors import (
    MalformedValue,
    UnknownAction,
    UnknownType,
    UnusableCondition,
    VariableUnlimited,
)
from authz_service.facts.value import BOOLEAN, INTEGER, PRIMITIVE_TYPES, STRING, Value
from authz_service.polar.diagnostic import did_you_mean
from authz_service.polar.goals import Atom, Rule, Term, Types, Variable
from authz_service.polar.matching import Arg, MatchIndex, args_of, bits
from authz_service.polar.policy import Policy
from authz_service.polar.shapes import DERIVED
from authz_service.polar.source import PolicySource, Span

ASKED = Span(PolicySource("(query)", "the query"), 0, len("the query"))
"""The place of what stands in a query, and not in a policy."""

_SHOWN = 3


class ResolvedQuery(NamedTuple):
    """A query that can be answered: the types of its variables, and those whose values must be tried.

    No condition gives finitely many values to a variable that is `tried`; it is no Integer, and has no list.
    """

    query: Query
    types: Types
    tried: tuple[Variable, ...]
    literals: frozenset[Value]
    """The values of the conditions that rules tell apart; others are looked up by one and the same code."""

    @property
    def listed(self) -> dict[Variable, tuple[Value, ...]]:
        """The variables that the query gives a list of values, and these: each once, and of fitting types."""
        return {
            variable: tuple(
                v for v in dict.fromkeys(limit.values) if v.type in self.types[variable]
            )
            for variable, limit in self.query.limits.items()
            if limit.values is not None
        }


class Vocabulary:
    """The heads of a policy's rules and the shapes of its facts, found by what conditions ask."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._sources: dict[tuple[str, int], _Sources] = {}
        for rule in policy.rules:
            self._at(rule.head.key).add_rule(rule)
        for shape in (one for group in policy.shapes.by_predicate.values() for one in group):
            args = [arg.accepted for arg in shape.args]
            types = tuple(arg.types for arg in shape.args)
            self._at((shape.predicate, len(args))).add(args, types, frozenset())
        named = frozenset().union(*(sources.named for sources in self._sources.values()))
        self._literals = frozenset(v for v in named if v.type in (STRING, BOOLEAN))

    def _at(self, key: tuple[str, int]) -> "_Sources":
        return self._sources.setdefault(key, _Sources(key[1]))

    def resolved(self, query: Query) -> ResolvedQuery:
        """Return what the query asks. Raises what `Program.query` does for one that cannot be meant so."""
        types = self._limited(query)
        for number, atom in enumerate(query.conditions):
            self._check(atom, types, f"conditions[{number}]")
        self._narrow(query.conditions, types)
        for number, atom in enumerate(query.conditions):
            self._check_action(atom, types, f"conditions[{number}]")
        tried = tuple(self._tried(query, types))
        for variable in tried:
            if INTEGER in types[variable]:
                raise VariableUnlimited(
                    f"`{_name(variable)}` can be any Integer that meets the conditions, and these have no end; "
                    "limit it to a list of values, or to another type"
                )
        return ResolvedQuery(query, types, tried, self._literals.intersection(fixed_values(query)))

    def _limited(self, query: Query) -> dict[Variable, frozenset[str]]:
        """Return the types that each variable can have before any condition is looked at."""
        every = self._policy.types | PRIMITIVE_TYPES
        terms = dict.fromkeys(term for atom in query.conditions for term in atom.args)
        types = {term: every for term in terms if isinstance(term, Variable)}
        for number, (variable, limit) in enumerate(query.limits.items()):
            place = f"variables[{number}]"
            if variable not in types:
                raise _nowhere(variable, types, place)
            types[variable] = self._of_limit(limit, every, place)
        for number, column in enumerate(query.columns):
            if column not in types:
                raise _nowhere(column, types, f"columns[{number}]")
        return types

    def _of_limit(self, limit: Limit, every: frozenset[str], place: str) -> frozenset[str]:
        types = every if limit.type is None else self._policy.concrete(limit.type)
        if types is None:
            known = did_you_mean(limit.type or "", every)
            message = f"the policy has no type `{limit.type}`; {known}"
            raise UnknownType(message, field=f"{place}.type")
        for index, value in enumerate(limit.values or ()):
            self._policy.check_value(value, f"{place}.in.values[{index}]")
        fitting = types & {value.type for value in limit.values or ()}
        if limit.values and not fitting:
            message = f"none of the values is of type `{limit.type}`"
            raise UnusableCondition(message, field=f"{place}.in")
        return fitting or types

    def _check(self, atom: Atom, types: Types, place: str) -> None:
        """Raise if no rule and no fact can meet the condition, whatever the others are."""
        for index, arg in enumerate(atom.args):
            if isinstance(arg, Value):
                self._policy.check_value(arg, f"{place}.args[{index}]")
        sources = self._sources.get(atom.key)
        if sources is None:
            raise self._unknown(atom, place)
        args = tuple(args_of(atom, types))
        if not sources.matching(args):
            raise _unmet(atom, args, sources, place)

    def _unknown(self, atom: Atom, place: str) -> UnusableCondition:
        arities = sorted(arity for name, arity in self._sources if name == atom.predicate)
        if arities:
            plural = "" if arities == [1] else "s"
            message = (
                f"`{atom.predicate}` has {' or '.join(map(str, arities))} argument{plural}, "
                f"not {len(atom.args)}"
            )
            return UnusableCondition(message, field=f"{place}.args")
        known = did_you_mean(atom.predicate, {name for name, _ in self._sources})
        message = f"the policy has no predicate `{atom.predicate}`; {known or 'it has none'}"
        return UnusableCondition(message, field=f"{place}.predicate")

    def _narrow(self, conditions: Sequence[Atom], types: dict[Variable, frozenset[str]]) -> None:
        """Leave each variable the types that all conditions together allow."""
        before: Types = {}
        while before != types:
            before = dict(types)
            for number, atom in enumerate(conditions):
                found = self._sources[atom.key].types(tuple(args_of(atom, types)))
                for arg, allowed in zip(atom.args, found, strict=True):
                    if isinstance(arg, Variable):
                        types[arg] &= allowed
                        if not types[arg]:
                            raise self._contradiction(arg, conditions, before, number)

    def _contradiction(
        self, variable: Variable, conditions: Sequence[Atom], types: Types, number: int
    ) -> UnusableCondition:
        told: dict[str, str] = {}
        for atom in conditions:
            if variable in atom.args:
                found = self._sources[atom.key].types(tuple(args_of(atom, types)))
                wanted = sorted(found[atom.args.index(variable)])
                told[f"`{shown(atom)}`"] = " | ".join(wanted[:_SHOWN]) or "nothing that there is"
        all_told = "; ".join(f"{where} wants {wanted}" for where, wanted in told.items())
        message = f"no value of `{_name(variable)}` can meet all conditions; {all_told}"
        return UnusableCondition(message, field=f"conditions[{number}]")

    def _check_action(self, atom: Atom, types: Types, place: str) -> None:
        """Ask of a permission what is asked of the action of a question."""
        if atom.predicate not in DERIVED or len(atom.args) != 3:
            return
        _, action, resource = atom.args
        kinds = sorted(_types_of(resource, types) & self._policy.types)
        if not isinstance(action, Value) or action.type != STRING:
            return
        if kinds and not any(self._policy.knows(action.id, kind) for kind in kinds):
            try:
                self._policy.check_action(action.id, kinds[0])
            except UnknownAction as error:
                raise UnknownAction(error.message, field=f"{place}.args[1]") from None

    def _tried(self, query: Query, types: Types) -> Iterator[Variable]:
        """Yield the variables that conditions need before they can be looked at, and that none gives values."""
        bound = {variable for variable, limit in query.limits.items() if limit.values is not None}
        left = [
            (atom, self._sources[atom.key].open_positions(tuple(self._told_apart(atom, types))))
            for atom in query.conditions
        ]
        while left:
            needed = [
                [a for n, a in enumerate(atom.args) if isinstance(a, Variable) and n in opened]
                for atom, opened in left
            ]
            missing = [dict.fromkeys(v for v in some if v not in bound) for some in needed]
            best = min(range(len(left)), key=lambda index: len(missing[index]))
            yield from missing[best]
            atom, _ = left.pop(best)
            bound.update(arg for arg in atom.args if isinstance(arg, Variable))

    def _told_apart(self, atom: Atom, types: Types) -> Iterator[Arg]:
        """Yield the arguments, with its type for each value that is looked up like others of that."""
        for arg in args_of(atom, types):
            if isinstance(arg, Value) and arg not in self._literals:
                yield frozenset({arg.type})
            else:
                yield arg


class _Source(NamedTuple):
    """The head of a rule, or the shape of a fact."""

    args: tuple[Arg | tuple[Value, ...], ...]
    types: tuple[frozenset[str], ...]
    opened: frozenset[int]
    """The positions at which it holds for every value of the types."""


class _Sources:
    """What can make conditions on one predicate hold."""

    def __init__(self, arity: int) -> None:
        self._index = MatchIndex(arity)
        self._all: list[_Source] = []

    def add_rule(self, rule: Rule) -> None:
        args = tuple(args_of(rule.head, rule.types))
        opened = (n for n, arg in enumerate(rule.head.args) if arg in rule.open)
        self.add(args, tuple(map(rule.types_of, rule.head.args)), frozenset(opened))

    def add(
        self,
        args: Sequence[Arg | tuple[Value, ...]],
        types: tuple[frozenset[str], ...],
        opened: frozenset[int],
    ) -> None:
        self._index.add(len(self._all), args)
        self._all.append(_Source(tuple(args), types, opened))

    @property
    def named(self) -> set[Value]:
        """The values that stand there."""
        found: set[Value] = set()
        for arg in (arg for source in self._all for arg in source.args):
            found.update(
                [arg] if isinstance(arg, Value) else () if isinstance(arg, frozenset) else arg
            )
        return found

    def matching(self, args: Sequence[Arg]) -> list[_Source]:
        return [self._all[number] for number in bits(self._index.matching(args))]

    def types(self, args: Sequence[Arg]) -> list[frozenset[str]]:
        """Return the types that the arguments can have, given what is known of them."""
        found = self.matching(args)
        return [
            frozenset().union(*(source.types[number] for source in found))
            for number in range(len(args))
        ]

    def open_positions(self, args: Sequence[Arg]) -> frozenset[int]:
        return frozenset().union(*(source.opened for source in self.matching(args)))


def _unmet(atom: Atom, args: tuple[Arg, ...], sources: _Sources, place: str) -> UnusableCondition:
    """Explain by the one argument without which the condition could be met, if there is one."""
    message = f"no rule and no fact of the policy can meet `{shown(atom)}`"
    for number, arg in enumerate(args):
        anything = sources.matching(
            [*args[:number], _anything(sources, number), *args[number + 1 :]]
        )
        if anything:
            cure = _expected(arg, [source.args[number] for source in anything], number)
            return UnusableCondition(f"{message}; {cure}", field=f"{place}.args[{number}]")
    cure = f"it has {_one_of(sources.types([_anything(sources, n) for n in range(len(args))]))}"
    return UnusableCondition(f"{message}; {cure}", field=place)


def _anything(sources: _Sources, number: int) -> Arg:
    return frozenset().union(*(source.types[number] for source in sources._all))  # noqa: SLF001 - this module's own


def _expected(arg: Arg, known: Iterable[Arg | tuple[Value, ...]], number: int) -> str:
    names: set[str] = set()
    types: set[str] = set()
    for one in known:
        values = (one,) if isinstance(one, Value) else one
        names.update(v.id for v in values if isinstance(v, Value) and v.type == STRING)
        types.update(v.type if isinstance(v, Value) else v for v in values)
    if isinstance(arg, Value) and arg.type == STRING and names:
        return did_you_mean(arg.id, names)
    return f"argument {number + 1} is {' | '.join(sorted(types)[:10])}"


def _one_of(types: Iterable[frozenset[str]]) -> str:
    return f"({', '.join(' | '.join(sorted(some)[:_SHOWN]) for some in types)})"


def _nowhere(variable: Variable, known: Iterable[Term], place: str) -> MalformedValue:
    names = {term.name for term in known if isinstance(term, Variable) and not term.is_anonymous}
    cure = did_you_mean(variable.name, names) or "they have no variables"
    return MalformedValue(f"`{variable.name}` is in no condition; {cure}", field=place)


def shown(atom: Atom) -> str:
    """Return the condition as text, with a `?` before each variable."""
    args = (_name(arg) if isinstance(arg, Variable) else str(arg) for arg in atom.args)
    return f"{atom.predicate}({', '.join(args)})"


def _name(variable: Variable) -> str:
    return "_" if variable.is_anonymous else f"?{variable.name}"


def _types_of(term: Term, types: Types) -> frozenset[str]:
    return types[term] if isinstance(term, Variable) else frozenset({term.type})


def fixed_values(query: Query) -> Mapping[Value, None]:
    """Return the values that the conditions name, each once and in order."""
    return dict.fromkeys(
        arg for atom in query.conditions for arg in atom.args if isinstance(arg, Value)
    )
