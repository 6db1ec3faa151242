"""A policy and facts as a program for clingo: an independent opinion, with recursion and negation.

The stable model of a stratified program is what Datalog means by it. The translation shares nothing with
the engines but the checked rules and the types of their variables. Its values include some that occur nowhere else, so that it also tests
the claim of `polar.safety` that evaluating over the values at hand is enough.
"""

from collections.abc import Iterable

import clingo

from authz_service.facts.fact import Fact
from authz_service.facts.value import INTEGER, Value, integer
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Conjunction,
    Disjunction,
    Goal,
    Membership,
    Negation,
    Rule,
    Term,
    Types,
    TypeTest,
    Variable,
    variables,
)

_DIGIT = (1 << 21) - 1


def permitted(
    rules: Iterable[Rule], facts: Iterable[Fact], values: Iterable[Value], now: int
) -> set[str]:
    """Return the derived `allow` facts, as clingo writes them; see `allow_text`."""
    facts = list(facts)
    program = _Program(now)
    for rule in rules:
        program.add_rule(rule)
    known = {*values, *(value for fact in facts for value in fact.args)}
    lines = [f"value({_value(value)})." for value in sorted(known)]
    lines += [f"{_fact_text(fact)}." for fact in facts]
    control = clingo.Control(["--warn=none"])
    control.add("base", [], "\n".join([*program.clauses, *lines, "#show p_allow_3/3."]))
    control.ground([("base", [])])
    with control.solve(yield_=True) as models:
        [model] = [set(map(str, model.symbols(shown=True))) for model in models]
    return model


def allow_text(actor: Value, action: Value, resource: Value) -> str:
    return _fact_text(Fact("allow", (actor, action, resource)))


def _fact_text(fact: Fact) -> str:
    return f"p_{fact.predicate}_{len(fact.args)}({','.join(map(_value, fact.args))})"


def _value(value: Value) -> str:
    if value.type == INTEGER:
        # Numbers of clingo have 32 bits; tuples of them are ordered like these digits.
        number = int(value.id)
        digits = number >> 42, number >> 21 & _DIGIT, number & _DIGIT
        return f'v("{value.type}",({",".join(map(str, digits))}))'
    text = value.id.replace("\\", "\\\\").replace('"', '\\"')
    return f'v("{value.type}","{text}")'


class _Program:
    """Clauses so far. What stands under `or` and `not` becomes a predicate of its own."""

    def __init__(self, now: int) -> None:
        self._now = integer(now)
        self.clauses: list[str] = []
        self._number = 0
        self._names: dict[Variable, str] = {}
        self._types: Types = {}
        self._domains: dict[frozenset[str], str] = {}

    def add_rule(self, rule: Rule) -> None:
        self._names = {}
        self._types = rule.types
        outside = variables(rule.head)
        self._add(
            self._atom(rule.head), self._literals(rule.body, outside), outside | _top(rule.body)
        )

    def _add(self, head: str, literals: list[str], used: set[Variable]) -> None:
        used = used - {CURRENT_TIME}
        literals = literals + [self._any_of(self._types[v], self._name(v)) for v in used]
        self.clauses.append(f"{head} :- {', '.join(literals) or '1 = 1'}.")

    def _literals(self, goal: Goal, outside: set[Variable]) -> list[str]:
        match goal:
            case Atom():
                return [self._atom(goal)]
            case Conjunction(goals):
                found = []
                for index, inner in enumerate(goals):
                    others = (variables(g) for i, g in enumerate(goals) if i != index)
                    found += self._literals(inner, outside.union(*others))
                return found
            case Disjunction(goals):
                return [self._part(goals, variables(goal) & outside)]
            case Negation(inner):
                return [f"not {self._part([inner], variables(inner) & outside)}"]
            case TypeTest(variable, types):
                return [self._any_of(types, self._term(variable))]
            case Membership(term, values):
                name = self._new("m")
                self.clauses += [f"{name}({_value(value)})." for value in values]
                return [f"{name}({self._term(term)})"]
            case Comparison(operator, left, right):
                return self._compared(operator, self._term(left), self._term(right))

    def _any_of(self, types: frozenset[str], term: str) -> str:
        """Return the literal for: `term` is a value of one of `types`."""
        name = self._domains.get(types)
        if name is None:
            name = self._domains[types] = self._new("t")
            self.clauses += [f'{name}(v("{t}",I)) :- value(v("{t}",I)).' for t in types]
            self.clauses.append(f"#external {name}(none).")
        return f"{name}({term})"

    def _compared(self, operator: str, left: str, right: str) -> list[str]:
        if operator in ("=", "!="):
            return [f"{left} {operator} {right}"]
        one, other = self._new("N").upper(), self._new("N").upper()
        return [
            f'{left} = v("{INTEGER}",{one})',
            f'{right} = v("{INTEGER}",{other})',
            f"{one} {operator} {other}",
        ]

    def _part(self, alternatives: Iterable[Goal], shared: set[Variable]) -> str:
        args = ["none", *sorted(map(self._name, shared - {CURRENT_TIME}))]
        head = f"{self._new('q')}({','.join(args)})"
        for goal in alternatives:
            self._add(head, self._literals(goal, shared), shared | _top(goal))
        return head

    def _atom(self, atom: Atom) -> str:
        return f"p_{atom.predicate}_{len(atom.args)}({','.join(map(self._term, atom.args))})"

    def _term(self, term: Term) -> str:
        if term == CURRENT_TIME:
            return _value(self._now)
        return self._name(term) if isinstance(term, Variable) else _value(term)

    def _name(self, variable: Variable) -> str:
        return self._names.setdefault(variable, f"X{len(self._names)}")

    def _new(self, letter: str) -> str:
        self._number += 1
        return f"{letter}{self._number}"


def _top(goal: Goal) -> set[Variable]:
    """The variables of `goal` that do not stand under `or` or `not`."""
    match goal:
        case Negation() | Disjunction():
            return set()
        case Conjunction(goals):
            return set().union(*map(_top, goals))
        case _:
            return variables(goal)
