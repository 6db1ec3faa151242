"""RuleProgram: the rules that decide one kind of question, as relations; what rewrites work on.

Rule 1: the head of a rule has distinct variables, one for each parameter of its relation.
Rule 2: a body is a conjunction of atoms, comparisons, memberships, type tests, and negations of one of these.
Rule 3: an atom speaks about a relation if its predicate is the name of one, else about facts. Names of
    relations hold a parenthesis, names of predicates cannot.
Rule 4: whatever a variable is bound to has one of its types. Types are tested where a value comes from: at
    facts that can have others, and at parameters that can.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Conjunction,
    Goal,
    Membership,
    Negation,
    Rule,
    Term,
    Types,
    TypeTest,
    Variable,
)
from authz_service.polar.graphs import components, postorder
from authz_service.polar.matching import Arg
from authz_service.polar.shapes import Shapes
from authz_service.polar.source import PolicySource, Span

STORED = Span(PolicySource("(stored)", "stored facts"), 0, len("stored facts"))
"""The place of rules that no author wrote: a relation holds for the stored facts."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What the rules of one specialised predicate derive; `params` are the types of its arguments."""

    name: str
    params: tuple[frozenset[str], ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class RuleProgram:
    """Relations by name. A question asks for one of them, `entry`. `shapes` say what facts there can be.

    `meanings` says of which predicate, asked with what, a relation of the specialiser is.
    """

    entry: str
    relations: Mapping[str, Relation]
    shapes: Shapes
    meanings: Mapping[str, tuple[str, tuple[Arg, ...]]] = field(default_factory=dict)

    def atoms_of(self, rule: Rule) -> Iterator[tuple[Atom, bool]]:
        """Yield the atoms of the rule that speak about relations, and whether each is negated."""
        for goal in goals_of(rule):
            inner = goal.goal if isinstance(goal, Negation) else goal
            if isinstance(inner, Atom) and inner.predicate in self.relations:
                yield inner, isinstance(goal, Negation)

    def used_by(self, relation: Relation) -> dict[str, None]:
        """Return the names of the relations that the rules of `relation` use, in order."""
        return dict.fromkeys(
            atom.predicate for rule in relation.rules for atom, _ in self.atoms_of(rule)
        )

    def circles(self) -> dict[str, int]:
        """Return the number of the group of each relation: relations on a circle share one.

        Relations have a higher number than those that they use and that do not use them.
        """
        names = list(self.relations)
        numbers = {name: number for number, name in enumerate(names)}
        edges = [[numbers[n] for n in self.used_by(self.relations[name])] for name in names]
        groups = components(edges)
        return {names[i]: number for number, group in enumerate(groups) for i in group}

    def is_recursive(self, name: str, circles: Mapping[str, int]) -> bool:
        """Say whether the relation uses itself, directly or through others."""
        return any(circles[used] == circles[name] for used in self.used_by(self.relations[name]))

    def bottom_up(self) -> list[str]:
        """Return the names of all relations that the entry needs, those that others use first."""
        return postorder([self.entry], lambda name: self.used_by(self.relations[name]), set())

    def with_relations(self, relations: Iterable[Relation]) -> "RuleProgram":
        """Return the program with `relations` in place of those of the same names."""
        changed = {relation.name: relation for relation in relations}
        return replace(self, relations={**self.relations, **changed})


def goals_of(rule: Rule) -> tuple[Goal, ...]:
    """Return the conditions of a rule, which is as Rule 2 says."""
    assert isinstance(rule.body, Conjunction)
    return rule.body.goals


def head_of(rule: Rule) -> tuple[Variable, ...]:
    """Return the parameters of a rule, which are as Rule 1 says."""
    found = tuple(arg for arg in rule.head.args if isinstance(arg, Variable))
    assert len(set(found)) == len(rule.head.args)
    return found


def with_goals(rule: Rule, goals: Iterable[Goal], types: Types | None = None) -> Rule:
    """Return the rule with another body, and with other types if they are given."""
    body = Conjunction(tuple(goals), rule.span)
    return replace(rule, body=body, types=rule.types if types is None else types)


Substitution = Mapping[Variable, Term]


def substituted(goal: Goal, terms: Substitution) -> Goal:
    """Return the goal with terms in place of variables. A tested variable must become a variable."""

    def new(term: Term) -> Term:
        return terms.get(term, term) if isinstance(term, Variable) else term

    match goal:
        case Atom(predicate, args, span):
            return Atom(predicate, tuple(map(new, args)), span)
        case Comparison(operator, left, right, span):
            return Comparison(operator, new(left), new(right), span)
        case Membership(term, values, span):
            return Membership(new(term), values, span)
        case TypeTest(variable, types, span):
            tested = new(variable)
            assert isinstance(tested, Variable)
            return TypeTest(tested, types, span)
        case Negation(inner, span):
            return Negation(substituted(inner, terms), span)
        case _:
            raise AssertionError(goal)


def variables_in_order(goal: Goal) -> Iterator[Variable]:
    """Yield the variables of a goal where they stand."""
    match goal:
        case Atom(_, args):
            terms: tuple[Term, ...] = args
        case Comparison(_, left, right):
            terms = (left, right)
        case Membership(term):
            terms = (term,)
        case TypeTest(variable):
            terms = (variable,)
        case Negation(inner):
            yield from variables_in_order(inner)
            return
        case _:
            raise AssertionError(goal)
    yield from (term for term in terms if isinstance(term, Variable))


def canonical(head: Iterable[Variable], goals: Iterable[Goal]) -> list[Goal]:
    """Return goals with numbers for variables: equal for rules that differ in names only."""
    numbers: dict[Variable, Term] = {CURRENT_TIME: CURRENT_TIME}
    for variable in head:
        numbers[variable] = Variable(str(len(numbers)))
    found = []
    for goal in goals:
        for variable in variables_in_order(goal):
            numbers.setdefault(variable, Variable(str(len(numbers))))
        found.append(substituted(goal, numbers))
    return found
