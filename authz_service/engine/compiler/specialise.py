"""What one kind of question can reach: every predicate split by the types and literals it is asked with.

`has_role(actor, role, resource)` asked about a User, "owner" and a Document is a relation of its own,
`has_role(User, "owner", Document)` with two parameters. Only rules whose heads match are in it, literals stand
where variables were, tests of types are decided or moved to where a value comes from (Rule 4 of
`rule_program`), and what can never hold is gone. Stored facts are one more rule of a relation.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from authz_service.engine.compiler.narrow import Narrowed, NeverHolds
from authz_service.engine.compiler.rule_program import STORED, Relation, RuleProgram
from authz_service.errors import EngineUnsupported
from authz_service.facts.value import Value
from authz_service.polar.goals import (
    Atom,
    Conjunction,
    Goal,
    Negation,
    Rule,
    Term,
    TypeTest,
    Variable,
    variables,
)
from authz_service.polar.matching import Arg, MatchIndex, args_of, bits
from authz_service.polar.shapes import Shapes
from authz_service.polar.source import Span

MAX_RELATIONS = 5000

_Types = dict[Variable, frozenset[str]]
_SHOWN_TYPES = 3


class Specialiser:
    """The flat rules of a policy, found by what they are about."""

    def __init__(self, rules: Sequence[Rule], shapes: Shapes) -> None:
        self.rules = rules
        self.shapes = shapes
        self._heads: dict[tuple[str, int], MatchIndex] = {}
        for number, rule in enumerate(rules):
            index = self._heads.setdefault(rule.head.key, MatchIndex(len(rule.head.args)))
            index.add(number, args_of(rule.head, rule.types))

    def program(self, predicate: str, args: Sequence[Arg]) -> RuleProgram:
        """Return the rules that facts of `predicate` with such arguments depend on.

        Raises EngineUnsupported if these are too many.
        """
        reached = _Reached(self)
        entry = reached.relation(predicate, tuple(args))
        reached.run()
        return RuleProgram(entry, reached.relations, self.shapes, reached.meanings())

    def with_rule(self, rule: Rule) -> "Specialiser":
        """Return these rules and a flat one, for a predicate that none derives. Costs a copy of them."""
        more = Specialiser((), self.shapes)
        more.rules = (*self.rules, rule)
        index = MatchIndex(len(rule.head.args))
        index.add(len(self.rules), args_of(rule.head, rule.types))
        more._heads = {**self._heads, rule.head.key: index}
        return more

    def matching(self, predicate: str, args: Sequence[Arg]) -> list[Rule]:
        index = self._heads.get((predicate, len(args)))
        return [] if index is None else [self.rules[n] for n in bits(index.matching(args))]

    def can_hold(self, predicate: str, args: Sequence[Arg]) -> bool:
        index = self._heads.get((predicate, len(args)))
        is_derived = index is not None and index.matching(args) != 0
        return is_derived or self.shapes.may_hold(predicate, args)


class _Reached:
    """Relations so far, and those whose rules are not written yet."""

    def __init__(self, policy: Specialiser) -> None:
        self._policy = policy
        self.relations: dict[str, Relation] = {}
        self._names: dict[tuple[str, tuple[Arg, ...]], str] = {}
        self._waiting: deque[tuple[str, str, tuple[Arg, ...]]] = deque()

    def relation(self, predicate: str, args: tuple[Arg, ...]) -> str:
        """Return the name of a relation; its rules are written later."""
        key = predicate, args
        if key not in self._names:
            if len(self._names) == MAX_RELATIONS:
                raise EngineUnsupported(
                    f"the question depends on more than {MAX_RELATIONS} combinations of predicates, "
                    "types and literals"
                )
            name = f"{predicate}({', '.join(map(_shown, args))})"
            if name in self._names.values():
                name += f" {len(self._names)}"
            self._names[key] = name
            self._waiting.append((name, predicate, args))
        return self._names[key]

    def meanings(self) -> dict[str, tuple[str, tuple[Arg, ...]]]:
        """Return the predicate and the arguments that each relation is about."""
        return {name: meaning for meaning, name in self._names.items()}

    def run(self) -> None:
        while self._waiting:
            name, predicate, args = self._waiting.popleft()
            written = [self._rule(rule, args) for rule in self._policy.matching(predicate, args)]
            written.append(self._stored(predicate, args))
            params = tuple(arg for arg in args if not isinstance(arg, Value))
            rules = tuple(rule.under(name) for rule in written if rule is not None)
            self.relations[name] = Relation(name, params, rules)

    def _stored(self, predicate: str, args: tuple[Arg, ...]) -> "_Written | None":
        """Return the rule that stored facts of `predicate` hold, if such facts can be used."""
        if not self._policy.shapes.may_hold(predicate, args):
            return None
        literals = [arg if isinstance(arg, Value) else None for arg in args]
        stored = self._policy.shapes.types_of(predicate, literals)
        terms: list[Term] = []
        types: _Types = {}
        goals: list[Goal] = []
        for number, (arg, found) in enumerate(zip(args, stored, strict=True), start=1):
            if isinstance(arg, Value):
                terms.append(arg)
                continue
            variable = Variable(f"value {number}")
            terms.append(variable)
            types[variable] = arg
            if not found <= arg:
                goals.append(TypeTest(variable, arg, STORED))
        atom = Atom(predicate, tuple(terms), STORED)
        return _Written(tuple(types), (atom, *goals), types, STORED)

    def _rule(self, rule: Rule, args: tuple[Arg, ...]) -> "_Written | None":
        """Return `rule` for such arguments, or None if it cannot hold for any."""
        narrowed = Narrowed(rule, args)
        try:
            narrowed.settle()
            goals = [goal for g in narrowed.goals if (goal := self._goal(g, narrowed)) is not None]
        except NeverHolds:
            return None
        tests = narrowed.tests()
        named = set(narrowed.params).union(*map(variables, goals))
        types = {
            variable: narrowed.types[variable] for variable in narrowed.types if variable in named
        }
        return _Written(tuple(narrowed.params), (*tests, *goals), types, rule.span)

    def _goal(self, goal: Goal, narrowed: Narrowed) -> Goal | None:
        """Return the goal about a relation, or None for one that always holds."""
        match goal:
            case Negation(Atom() as atom, span):
                denied = self._atom(atom, narrowed)
                return None if denied is None else Negation(denied, span)
            case Atom():
                asked = self._atom(goal, narrowed)
                if asked is None:
                    raise NeverHolds
                return asked
            case _:
                return goal

    def _atom(self, atom: Atom, narrowed: Narrowed) -> Atom | None:
        """Return the atom about a relation, or None for one that never holds."""
        args = tuple(args_of(atom, narrowed.types))
        if frozenset() in args or not self._policy.can_hold(atom.predicate, args):
            return None
        terms = tuple(term for term in atom.args if isinstance(term, Variable))
        return Atom(self.relation(atom.predicate, args), terms, atom.span)


class _Written(NamedTuple):
    """A rule whose relation has no name yet."""

    params: tuple[Variable, ...]
    goals: tuple[Goal, ...]
    types: _Types
    span: Span

    def under(self, name: str) -> Rule:
        head = Atom(name, self.params, self.span)
        return Rule(head, Conjunction(self.goals, self.span), self.types, frozenset(), self.span)


def _shown(arg: Arg) -> str:
    if isinstance(arg, Value):
        return str(arg)
    names = sorted(arg)
    more = f"|{len(names) - _SHOWN_TYPES} more" if len(names) > _SHOWN_TYPES else ""
    return "|".join(names[:_SHOWN_TYPES]) + more
