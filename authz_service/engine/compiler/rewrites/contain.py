"""Contain: a rule is gone if another rule of its relation holds whenever it does.

Rule s stands for rule t if the goals of s, with other terms for its own variables, are all among those of t:
then t says more than s. An atom of s may also ask for a larger relation than the atom of t: P holds wherever
Q does if each rule of Q has a rule of P that stands for it, where such claims may be used for the atoms
inside (induction on how often rules were applied). Claims are checked for the relation without t, so
that nothing vouches for itself: "viewer" on the parent stands for "editor" on the parent if every editor is
a viewer without that rule.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from authz_service.engine.compiler.rule_program import Relation, RuleProgram, goals_of, head_of
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Goal,
    Membership,
    Negation,
    Rule,
    Term,
    TypeTest,
    Variable,
    variables,
)

MAX_RULES = 64
"""Relations with more rules are left as they are: all pairs are compared."""
MAX_GOALS = 12
MAX_CLAIMS = 50
MAX_TRIES = 1000
"""A search that takes longer is given up: the rule stays."""

_Terms = Mapping[Variable, Term]
_FIXED: _Terms = {CURRENT_TIME: CURRENT_TIME}


def drop_contained(program: RuleProgram) -> RuleProgram:
    """Return the program without rules that others of their relation stand for."""
    for name in program.bottom_up():
        relation = program.relations[name]
        if 1 < len(relation.rules) <= MAX_RULES:
            kept = _kept(program, relation)
            program = program.with_relations([Relation(name, relation.params, kept)])
    return program


def _kept(program: RuleProgram, relation: Relation) -> tuple[Rule, ...]:
    rules = list(relation.rules)
    for rule in relation.rules:
        others = [other for other in rules if other is not rule]
        without = Relation(relation.name, relation.params, tuple(others))
        claims = _Claims(program.with_relations([without]))
        if any(claims.stand_for(other, rule) for other in others):
            rules = others
    return tuple(rules)


class _Claims:
    """Which relations of a program hold wherever others do."""

    def __init__(self, program: RuleProgram) -> None:
        self._program = program
        self._claims: dict[tuple[str, str], bool] = {}

    def stand_for(self, rule: Rule, other: Rule) -> bool:
        """Say whether `rule` derives whatever `other` derives."""
        # What is asked for the first time is assumed; what does not follow from the rest is taken back.
        while self._stands_for(rule, other):
            known = len(self._claims)
            assumed = [pair for pair, holds in self._claims.items() if holds]
            refuted = [pair for pair in assumed if not self._follows(pair)]
            self._claims.update(dict.fromkeys(refuted, False))
            if not refuted and len(self._claims) == known:
                return True
        return False

    def contains(self, larger: str, smaller: str) -> bool:
        """Say whether `larger` holds wherever `smaller` does, as far as was found out."""
        if larger == smaller:
            return True
        relations = self._program.relations
        if larger not in relations or smaller not in relations:
            return False
        pair = larger, smaller
        if pair not in self._claims:
            sizes = [len(relations[name].rules) for name in pair]
            is_alike = relations[larger].params == relations[smaller].params
            self._claims[pair] = (
                is_alike and max(sizes) <= MAX_RULES and len(self._claims) < MAX_CLAIMS
            )
        return self._claims[pair]

    def _follows(self, pair: tuple[str, str]) -> bool:
        larger, smaller = (self._program.relations[name].rules for name in pair)
        return all(any(self._stands_for(own, rule) for own in larger) for rule in smaller)

    def _stands_for(self, rule: Rule, other: Rule) -> bool:
        if not len(goals_of(rule)) <= len(goals_of(other)) <= MAX_GOALS:
            return False
        # Atoms first: they say what the variables in tests and negations are.
        goals = sorted(goals_of(rule), key=lambda goal: not isinstance(goal, Atom))
        match = _Match(rule, other, self)
        terms: _Terms = {**dict(zip(head_of(rule), other.head.args, strict=True)), **_FIXED}
        return match.implied(goals, terms)


class _Match:
    """The search for terms that make one rule stand for another."""

    def __init__(self, rule: Rule, other: Rule, claims: _Claims) -> None:
        self._given = goals_of(other)
        self._claims = claims
        self._inner = _inner_variables(rule)
        self._inner_given = _inner_variables(other)
        self._tries = MAX_TRIES

    def implied(self, goals: Sequence[Goal], terms: _Terms) -> bool:
        """Say whether terms for the variables without one make all of `goals` follow."""
        if not goals:
            return True
        self._tries -= 1
        if self._tries < 0:
            return False
        return any(
            self.implied(goals[1:], wider)
            for candidate in self._given
            if (wider := self._matched(goals[0], candidate, terms)) is not None
        )

    def _matched(self, goal: Goal, given: Goal, terms: _Terms) -> _Terms | None:
        """Return the terms under which `goal` follows from `given`."""
        match goal, given:
            case Atom(), Atom():
                if self._claims.contains(goal.predicate, given.predicate):
                    return _unified(goal.args, given.args, terms)
                return None
            case Negation(Atom() as own), Negation(Atom() as denied):
                return self._denied(own, denied, terms)
            case _:
                return terms if _image(goal, terms) == _image(given, None) else None

    def _denied(self, own: Atom, given: Atom, terms: _Terms) -> _Terms | None:
        """Return the terms under which "no `own`" follows from "no `given`": if `own` is a kind of `given`.

        What `given` leaves open can be anything in `own`, though the same wherever it is the same.
        """
        # Denying turns claims round, so only the same relation will do.
        if own.predicate != given.predicate or len(own.args) != len(given.args):
            return None
        kinds: dict[Term, Term] = {}
        found: _Terms | None = terms
        for arg, other in zip(own.args, given.args, strict=True):
            if other in self._inner_given:
                if kinds.setdefault(other, arg) != arg:
                    return None
            elif arg in self._inner or found is None:
                return None
            else:
                found = _unified((arg,), (other,), found)
        return found


def _inner_variables(rule: Rule) -> set[Variable]:
    """Return the variables that occur in one negation and nowhere else."""
    denied = {v for goal in goals_of(rule) if isinstance(goal, Negation) for v in variables(goal)}
    if not denied:
        return denied
    uses = Counter(v for goal in (rule.head, *goals_of(rule)) for v in variables(goal))
    return {variable for variable in denied if uses[variable] == 1}


def _unified(args: Sequence[Term], others: Sequence[Term], terms: _Terms) -> _Terms | None:
    if len(args) != len(others):
        return None
    found = dict(terms)
    for arg, other in zip(args, others, strict=True):
        if isinstance(arg, Variable):
            if found.setdefault(arg, other) != other:
                return None
        elif arg != other:
            return None
    return found


def _image(goal: Goal, terms: _Terms | None) -> object:
    """Return the test with terms in place of its variables; a variable without one equals nothing."""

    def new(term: Term) -> object:
        if terms is None or not isinstance(term, Variable):
            return term
        return terms.get(term, (term,))

    match goal:
        case Comparison(operator, left, right):
            return operator, new(left), new(right)
        case Membership(term, values):
            return "in", new(term), values
        case TypeTest(variable, types):
            return "matches", new(variable), types
        case Negation(inner):
            return "not", _image(inner, terms)
        case _:
            return goal
