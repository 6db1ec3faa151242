"""Vocabulary: what rules derive and facts can say, and what that makes of a query.

The types of a variable are those that all conditions on it allow, and its limits. Unlike in a rule of the
policy, a variable that stands at open positions only (see `polar.binding`) is no mistake here: its values
are tried, one after the other, before the conditions that need it.

A condition that nothing can meet is most likely misspelled, and an error: it must not look like an answer.
Whether it is one follows from the policy and the types of variables, whatever facts there are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from difflib import get_close_matches
from itertools import chain
from typing import NamedTuple

from authz_service.engine.compiler.specialise import Specialiser
from authz_service.engine.program import Limit, Query
from authz_service.engine.queries.names import ASKED, KNOWN_ACTION, Names, is_question
from authz_service.engine.queries.sources import (
    SHOWN_TYPES,
    Sources,
    cannot_be_met,
    shown,
    shown_name,
)
from authz_service.errors import (
    InvalidRequest,
    MalformedValue,
    UnknownAction,
    UnknownType,
    UnusableCondition,
    VariableUnlimited,
)
from authz_service.facts.value import BOOLEAN, INTEGER, PRIMITIVE_TYPES, STRING, Value, string
from authz_service.polar.diagnostic import did_you_mean
from authz_service.polar.goals import Atom, Term, Types, Variable, types_of
from authz_service.polar.matching import Arg, args_of
from authz_service.polar.policy import Policy

_STRINGS = frozenset({STRING})

_TRIED_NAMES = 50
"""So many names are looked at for one that was meant."""


class ResolvedQuery(NamedTuple):
    """A query that can be answered: the types of its variables, and those whose values must be tried.

    No condition gives finitely many values to a variable that is `tried`; it is no Integer, and has no list.
    """

    query: Query
    types: Types
    tried: tuple[Variable, ...]
    literals: frozenset[Value]
    """The values of the conditions that rules tell apart; others are looked up by one and the same code."""
    actions: tuple[Atom, ...]
    """The variables that stand for actions, and the resources for which these must be known."""

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

    def place_of(self, variable: Variable) -> str:
        """Return the place in the query where the variable first stands."""
        return place_of(variable, self.query)


class Vocabulary:
    """The heads of a policy's rules and the shapes of its facts, found by what conditions ask."""

    def __init__(self, policy: Policy, named: AbstractSet[Value]) -> None:
        """`named` are the values that the rules name."""
        self._policy = policy
        self._names = Names(policy, named)
        self._sources: dict[tuple[str, int], Sources] = {}
        for rule in policy.rules:
            self._at(rule.head.key).add_rule(rule)
        for shape in (one for group in policy.shapes.by_predicate.values() for one in group):
            args = [arg.accepted for arg in shape.args]
            types = tuple(arg.types for arg in shape.args)
            self._at((shape.predicate, len(args))).add(args, types, frozenset())
        found = frozenset().union(*(sources.named for sources in self._sources.values()))
        self._literals = frozenset(v for v in found if v.type in (STRING, BOOLEAN))
        self._actions = Sources(2)
        for rule in self._names.action_rules:
            self._actions.add_rule(rule)

    @property
    def specialiser(self) -> Specialiser:
        """What rows are derived by: the rules of the policy, and those for `ResolvedQuery.actions`."""
        return self._names.specialiser

    def _at(self, key: tuple[str, int]) -> Sources:
        return self._sources.setdefault(key, Sources(key[1]))

    def resolved(self, query: Query) -> ResolvedQuery:
        """Return what the query asks. Raises what `Program.query` does for one that cannot be meant so."""
        types = self._limited(query)
        for number, atom in enumerate(query.conditions):
            self._check(atom, query, types, f"conditions[{number}]")
        self._narrow(query.conditions, types)
        self._check_names(query, types)
        actions = tuple(_action_of(atom) for atom in query.conditions if _has_action_variable(atom))
        tried = list(self._tried(query, actions, types))
        for action, resource in (atom.args for atom in actions):
            known = self._names.actions(types_of(resource, types))
            if action in tried and known is not None and types_of(action, types) == _STRINGS:
                tried.remove(action)
                query = _with_list(query, action, known)
        for variable in tried:
            if INTEGER in types[variable]:
                raise VariableUnlimited(
                    f"`{shown_name(variable)}` can be any Integer that meets the conditions, and these have no "
                    "end; limit it to a list of values, or to another type",
                    field=place_of(variable, query),
                )
        literals = self._literals.intersection(fixed_values(query))
        return ResolvedQuery(query, types, tuple(tried), literals, actions)

    def _limited(self, query: Query) -> dict[Variable, frozenset[str]]:
        """Return the types that each variable can have before any condition is looked at."""
        types = self._unlimited(query.conditions)
        every = self._policy.types | PRIMITIVE_TYPES
        for number, (variable, limit) in enumerate(query.limits.items()):
            place = f"variables[{number}]"
            if variable not in types:
                raise _nowhere(variable, types, place)
            types[variable] = self._of_limit(limit, every, place)
        for number, column in enumerate(query.columns):
            if column not in types:
                raise _nowhere(column, types, f"columns[{number}]")
        return types

    def _unlimited(self, conditions: Iterable[Atom]) -> dict[Variable, frozenset[str]]:
        every = self._policy.types | PRIMITIVE_TYPES
        terms = chain.from_iterable(atom.args for atom in conditions)
        return {term: every for term in terms if isinstance(term, Variable)}

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

    def _check(self, atom: Atom, query: Query, types: Types, place: str) -> None:
        """Raise if no rule and no fact can meet the condition, whatever the others are."""
        for index, arg in enumerate(atom.args):
            if isinstance(arg, Value):
                self._policy.check_value(arg, f"{place}.args[{index}]")
        sources = self._sources.get(atom.key)
        if sources is None:
            raise self._unknown(atom, place)
        self._check_action(atom, types, place)
        if self._can_match(atom, types):
            return
        unlimited = self._unlimited([atom])
        if not self._can_match(atom, unlimited):
            raise sources.unmet(atom, tuple(args_of(atom, unlimited)), place)
        limited = [variable for variable in query.limits if variable in unlimited]
        alone = (v for v in limited if self._can_match(atom, {**types, v: unlimited[v]}))
        raise self._unfit(next(alone, limited[0]), atom, query, types)

    def _can_match(self, atom: Atom, types: Types) -> bool:
        """Say whether the head of some rule or some fact is about this, or a question could be."""
        return bool(self._sources[atom.key].matching(tuple(args_of(atom, types)))) or (
            self._can_be_asked(atom, types)
        )

    def _can_be_asked(self, atom: Atom, types: Types) -> bool:
        """Say whether `Policy.check_question` lets some question pass that asks this."""
        if not is_question(atom):
            return False
        actor, action, resource = atom.args
        if types_of(actor, types).isdisjoint(self._policy.actors):
            return False
        kinds = types_of(resource, types) & self._policy.types
        if isinstance(action, Value):
            return action.type == STRING and bool(self._names.known(action.id, kinds))
        known = self._names.actions(kinds) if kinds else ()
        return STRING in types[action] and (known is None or len(known) > 0)

    def _unfit(
        self, variable: Variable, atom: Atom, query: Query, types: Types
    ) -> UnusableCondition:
        """Return the error about a limit that does not fit what the condition wants."""
        number = list(query.limits).index(variable)
        limit = query.limits[variable]
        found = self._sources[atom.key].types(tuple(args_of(atom, self._unlimited([atom]))))
        wanted = _listed_types(found[atom.args.index(variable)])
        message = (
            f"`{shown_name(variable)}` is limited to {_listed_types(types[variable])}, "
            f"and `{shown(atom)}` wants {wanted} there"
        )
        part = "type" if limit.values is None else "in"
        return UnusableCondition(message, field=f"variables[{number}].{part}")

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
                self._check_action(atom, types, f"conditions[{number}]")
                for arg, allowed in zip(atom.args, self._allowed(atom, types), strict=True):
                    if isinstance(arg, Variable):
                        types[arg] &= allowed
                        if not types[arg]:
                            raise self._contradiction(arg, conditions, before, number)

    def _allowed(self, atom: Atom, types: Types) -> list[frozenset[str]]:
        """Return the types that the condition allows its arguments."""
        allowed = self._sources[atom.key].types(tuple(args_of(atom, types)))
        if not is_question(atom):
            return allowed
        if not any(allowed) and self._can_be_asked(atom, types):
            allowed = [types_of(arg, types) for arg in atom.args]
        _, action, resource = atom.args
        # Whoever asks, rows about another type are not what the action means.
        if isinstance(action, Value) and action.type == STRING:
            kinds = types_of(resource, types) & self._policy.types
            allowed[2] &= self._names.known(action.id, kinds) | PRIMITIVE_TYPES
        return allowed

    def _contradiction(
        self, variable: Variable, conditions: Sequence[Atom], types: Types, number: int
    ) -> UnusableCondition:
        told: dict[str, str] = {}
        for atom in conditions:
            if variable in atom.args:
                wanted = self._allowed(atom, types)[atom.args.index(variable)]
                told[f"`{shown(atom)}`"] = _listed_types(wanted) or "nothing that there is"
        all_told = "; ".join(f"{where} wants {wanted}" for where, wanted in told.items())
        message = f"no value of `{shown_name(variable)}` can meet all conditions; {all_told}"
        return UnusableCondition(message, field=f"conditions[{number}]")

    def _check_action(self, atom: Atom, types: Types, place: str) -> None:
        """Ask of a permission what is asked of the action of a question."""
        if not is_question(atom):
            return
        _, action, resource = atom.args
        kinds = types_of(resource, types) & self._policy.types
        if not isinstance(action, Value) or action.type != STRING or not kinds:
            return
        if not self._names.known(action.id, kinds):
            try:
                self._policy.check_action(action.id, min(kinds))
            except UnknownAction as error:
                raise UnknownAction(error.message, field=f"{place}.args[1]") from None

    def _check_names(self, query: Query, types: Types) -> None:
        """Raise if a String is a name with which its condition cannot hold, though it could with others."""
        for number, atom in enumerate(query.conditions):
            if not is_question(atom):
                self._check_named(atom, types, f"conditions[{number}]")
        for number, (variable, limit) in enumerate(query.limits.items()):
            for index, value in enumerate(limit.values or ()):
                if value.type == STRING and STRING in types[variable]:
                    place = f"variables[{number}].in.values[{index}]"
                    self._check_listed(variable, value, query.conditions, types, place)

    def _check_listed(
        self,
        variable: Variable,
        value: Value,
        conditions: Iterable[Atom],
        types: Types,
        field: str,
    ) -> None:
        """Raise what is raised for the value in place of the variable, about the list."""
        for atom in conditions:
            if variable in atom.args:
                args = (value if arg == variable else arg for arg in atom.args)
                named = replace(atom, args=tuple(args))
                try:
                    self._check_action(named, types, "")
                    if not self._can_match(named, types):
                        sources = self._sources[atom.key]
                        raise sources.unmet(named, tuple(args_of(named, types)), "")
                    if not is_question(atom):
                        self._check_named(named, types, "")
                except InvalidRequest as error:
                    raise type(error)(error.message, field=field) from None

    def _check_named(self, atom: Atom, types: Types, place: str) -> None:
        args = tuple(args_of(atom, types))
        named = [n for n, arg in enumerate(args) if isinstance(arg, Value) and arg.type == STRING]
        if not named or self._names.can_hold(atom.predicate, args):
            return
        tried: list[Arg] = [_STRINGS if n in named else arg for n, arg in enumerate(args)]
        if not self._names.can_hold(atom.predicate, tried):
            # The policy says that of all names. It has warned its author.
            return
        for number in named:
            tried[number] = args[number]
            if not self._names.can_hold(atom.predicate, tried):
                raise self._misspelled(atom, number, tried, f"{place}.args[{number}]")

    def _misspelled(
        self, atom: Atom, number: int, args: Sequence[Arg], field: str
    ) -> UnusableCondition:
        """Return the error about the name at position `number`; the others are as `args` say."""
        name = atom.args[number]
        assert isinstance(name, Value)
        known = {v.id for v in self._sources[atom.key].named_at(number) if v.type == STRING}
        close = get_close_matches(name.id, known, n=_TRIED_NAMES)
        tried = dict.fromkeys([*close, *sorted(known)][:_TRIED_NAMES])
        meant = (
            other
            for other in tried
            if self._names.can_hold(
                atom.predicate, [*args[:number], string(other), *args[number + 1 :]]
            )
        )
        cure = did_you_mean(name.id, meant) or f"no {name} can stand there"
        return UnusableCondition(f"{cannot_be_met(atom)}; {cure}", field=field)

    def _tried(self, query: Query, actions: Sequence[Atom], types: Types) -> Iterator[Variable]:
        """Yield the variables that conditions need before they can be looked at, and that none gives values."""
        bound = {variable for variable, limit in query.limits.items() if limit.values is not None}
        left = [
            (atom, self._sources_of(atom).open_positions(tuple(self._told_apart(atom, types))))
            for atom in (*query.conditions, *actions)
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

    def _sources_of(self, atom: Atom) -> Sources:
        return self._actions if atom.predicate == KNOWN_ACTION else self._sources[atom.key]

    def _told_apart(self, atom: Atom, types: Types) -> Iterator[Arg]:
        """Yield the arguments, with its type for each value that is looked up like others of that."""
        for arg in args_of(atom, types):
            if isinstance(arg, Value) and arg not in self._literals:
                yield frozenset({arg.type})
            else:
                yield arg


def _has_action_variable(atom: Atom) -> bool:
    return is_question(atom) and isinstance(atom.args[1], Variable)


def _action_of(atom: Atom) -> Atom:
    _, action, resource = atom.args
    return Atom(KNOWN_ACTION, (action, resource), ASKED)


def _with_list(query: Query, variable: Term, names: AbstractSet[str]) -> Query:
    """Return the query with a list of names for the variable."""
    assert isinstance(variable, Variable)
    limit = query.limits.get(variable, Limit())._replace(values=tuple(map(string, sorted(names))))
    return query._replace(limits={**query.limits, variable: limit})


def _listed_types(types: Iterable[str]) -> str:
    return " | ".join(sorted(types)[:SHOWN_TYPES])


def place_of(variable: Variable, query: Query) -> str:
    """Return the place in the query where the variable first stands."""
    return next(
        f"conditions[{number}].args[{position}]"
        for number, atom in enumerate(query.conditions)
        for position, arg in enumerate(atom.args)
        if arg == variable
    )


def _nowhere(variable: Variable, known: Iterable[Term], place: str) -> MalformedValue:
    names = {term.name for term in known if isinstance(term, Variable) and not term.is_anonymous}
    cure = did_you_mean(variable.name, names) or "they have no variables"
    return MalformedValue(f"`{variable.name}` is in no condition; {cure}", field=place)


def fixed_values(query: Query) -> Mapping[Value, None]:
    """Return the values that the conditions name, each once and in order."""
    return dict.fromkeys(
        arg for atom in query.conditions for arg in atom.args if isinstance(arg, Value)
    )
