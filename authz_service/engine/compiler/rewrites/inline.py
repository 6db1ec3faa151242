"""Inline: the rules of a relation stand where an atom asked for it, if that does not make more work.

An atom is replaced if its relation has one rule, or if it is all that the rule asks of relations and facts.
A relation that uses itself is unfolded once where another such does nothing but pass on to it: then
`drop_contained` can often make one loop out of two. Relations are taken from the bottom up, so that what is
put in place was treated before. On a circle only what leads straight back is unfolded.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
    canonical,
    goals_of,
    head_of,
    substituted,
    with_goals,
)
from authz_service.facts.value import Value
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
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
"""A relation does not grow beyond so many rules by unfolding."""
MAX_GOALS = 24
"""A rule does not grow beyond so many goals."""


def inline(program: RuleProgram) -> RuleProgram:
    """Return the program with atoms replaced by the rules behind them, where that is no more work."""
    circles = program.circles()
    # On a circle what is asked first comes first: what was put under a name of its own goes back there.
    top_down = program.bottom_up()[::-1]
    for name in sorted(top_down, key=circles.__getitem__):
        relation = program.relations[name]
        inliner = _Inliner(program, relation, circles)
        program = program.with_relations([Relation(name, relation.params, inliner.rules())])
    return program


class _Inliner:
    """The rules of one relation, while atoms in them are replaced."""

    def __init__(
        self, program: RuleProgram, relation: Relation, circles: Mapping[str, int]
    ) -> None:
        self._program = program
        self._relation = relation
        self._circles = circles

    def rules(self) -> tuple[Rule, ...]:
        done: list[Rule] = []
        # A rule that comes back, by way of a circle below, adds nothing to what it was unfolded into.
        seen: set[tuple[Goal, ...]] = set()
        waiting = list(reversed(self._relation.rules))
        while waiting:
            rule = waiting.pop()
            meaning = tuple(canonical(head_of(rule), goals_of(rule)))
            if meaning in seen:
                continue
            seen.add(meaning)
            room = MAX_RULES - len(done) - len(waiting)
            unfolded = self._unfolded(rule, room)
            if unfolded is None:
                done.append(rule)
            else:
                waiting.extend(reversed(unfolded))
        return tuple(done)

    def _unfolded(self, rule: Rule, room: int) -> list[Rule] | None:
        """Return what the rule becomes by replacing one atom, or None if it stays."""
        for goal in goals_of(rule):
            match goal:
                case Negation(Atom() as atom):
                    denied = self._denied(rule, goal, atom)
                    if denied is not None:
                        return [denied]
                case Atom() if goal.predicate in self._program.relations:
                    behind = self._program.relations[goal.predicate].rules
                    if self._is_worth_it(rule, goal, behind, room):
                        return [resolved(rule, goal, other) for other in behind]
                case _:
                    continue
        return None

    def _is_worth_it(self, rule: Rule, atom: Atom, behind: tuple[Rule, ...], room: int) -> bool:
        if self._is_on_circle_with(atom.predicate):
            if not self._leads_back_only(atom.predicate):
                return False
        elif self._program.is_recursive(atom.predicate, self._circles):
            passes_on = goals_of(rule) == (atom,) and atom.args == rule.head.args
            is_loop = self._program.is_recursive(self._relation.name, self._circles)
            return passes_on and is_loop and len(behind) <= room
        size = len(goals_of(rule)) - 1
        if any(size + len(goals_of(other)) > MAX_GOALS for other in behind):
            return False
        is_only_atom = sum(isinstance(goal, Atom) for goal in goals_of(rule)) == 1
        return len(behind) == 1 or (is_only_atom and len(behind) <= room)

    def _is_on_circle_with(self, name: str) -> bool:
        return self._circles[name] == self._circles[self._relation.name]

    def _leads_back_only(self, name: str) -> bool:
        """Say whether the relation is on a circle only by using the one at hand, so that unfolding ends."""
        if name == self._relation.name:
            return False
        used = self._program.used_by(self._program.relations[name])
        return all(n == self._relation.name for n in used if self._is_on_circle_with(n))

    def _denied(self, rule: Rule, denial: Negation, atom: Atom) -> Rule | None:
        """Return the rule with what stands behind `denial` of `atom`, if each rule there asks one thing."""
        if atom.predicate not in self._program.relations:
            return None
        if self._program.is_recursive(atom.predicate, self._circles):
            return None
        behind = self._program.relations[atom.predicate].rules
        if len(behind) > MAX_GOALS:
            return None
        outer = _outer_variables(rule, denial)
        inner = variables(atom) - outer
        goals: list[Goal] = []
        found = rule
        for number, other in enumerate(behind):
            # "Nobody is" denies each way to be it for values of its own.
            asked = _apart(atom, inner, f"~{number}") if number else atom
            renamed = _renamed(other, found, asked)
            left = [g for g in goals_of(renamed) if not _is_sure(g, rule)]
            if len(left) != 1:
                return None
            [goal] = left
            if not isinstance(goal, Atom) and not variables(goal) <= outer:
                return None
            goals += self._denials(goal, rule)
            found = with_goals(rule, (*goals_of(rule), *goals), {**renamed.types, **found.types})
        return with_goals(rule, _instead(rule, denial, goals), found.types)

    def _denials(self, goal: Goal, rule: Rule) -> Iterator[Goal]:
        """Yield what it takes that `goal` does not hold, for values that the variables of `rule` can have.

        What was denied twice gives values, whose types are tested from now on.
        """
        if not isinstance(goal, Negation):
            yield Negation(goal, goal.span)
            return
        inner = goal.goal
        yield inner
        if isinstance(inner, Membership) and isinstance(inner.term, Variable):
            stored = [(inner.term, frozenset(value.type for value in inner.values))]
        elif isinstance(inner, Atom) and inner.predicate not in self._program.relations:
            literals = [arg if isinstance(arg, Value) else None for arg in inner.args]
            types = self._program.shapes.types_of(inner.predicate, literals)
            pairs = zip(inner.args, types, strict=True)
            stored = [(arg, found) for arg, found in pairs if isinstance(arg, Variable)]
        else:
            return
        for variable, found in dict(stored).items():
            if variable != CURRENT_TIME and not found <= rule.types[variable]:
                yield TypeTest(variable, rule.types[variable], goal.span)


def _outer_variables(rule: Rule, denial: Negation) -> set[Variable]:
    """Return the variables that occur outside of the denial."""
    others = (goal for goal in goals_of(rule) if goal is not denial)
    return {CURRENT_TIME}.union(variables(rule.head), *map(variables, others))


def _apart(atom: Atom, inner: Iterable[Variable], suffix: str) -> Atom:
    """Return the atom with other variables in place of `inner`."""
    new = {variable: Variable(f"{variable.name}{suffix}") for variable in inner}
    return Atom(
        atom.predicate,
        tuple(new.get(arg, arg) if isinstance(arg, Variable) else arg for arg in atom.args),
        atom.span,
    )


def _is_sure(goal: Goal, rule: Rule) -> bool:
    """Say whether the goal tests a variable that `rule` binds for types of which it always is."""
    if not isinstance(goal, TypeTest) or goal.variable not in rule.types:
        return False
    elsewhere = (g for g in (rule.head, *goals_of(rule)) if not isinstance(g, Negation))
    is_bound = any(goal.variable in variables(g) for g in elsewhere)
    return is_bound and rule.types[goal.variable] <= goal.types


def resolved(rule: Rule, atom: Atom, other: Rule) -> Rule:
    """Return `rule` with the body of `other` in place of `atom`."""
    behind = _renamed(other, rule, atom)
    types = {**behind.types, **rule.types}
    if rule.span.source.is_built_in:
        rule = replace(rule, span=other.span)  # the author's rule says more
    return with_goals(rule, _instead(rule, atom, goals_of(behind)), types)


def _instead(rule: Rule, goal: Goal, others: Iterable[Goal]) -> Iterable[Goal]:
    """Return the goals of `rule` with `others` in place of `goal`, each once."""
    found: dict[Goal, None] = {}
    for own in goals_of(rule):
        found.update(dict.fromkeys(others if own is goal else [own]))
    return found


def _renamed(rule: Rule, apart: Rule, atom: Atom) -> Rule:
    """Return `rule` about the arguments of `atom`, its other variables unlike those of `apart`."""
    terms: dict[Variable, Term] = dict(zip(head_of(rule), atom.args, strict=True))
    taken = set(apart.types) | variables(apart.head) | variables(apart.body)
    for variable in sorted(set(rule.types) | variables(rule.body), key=lambda v: v.name):
        if variable not in terms and variable != CURRENT_TIME:
            terms[variable] = new = next(v for v in _names_like(variable) if v not in taken)
            taken.add(new)
    types = {
        new: rule.types[v]
        for v, new in terms.items()
        if v in rule.types and isinstance(new, Variable)
    }
    return with_goals(rule, (substituted(goal, terms) for goal in goals_of(rule)), types)


def _names_like(variable: Variable) -> Iterator[Variable]:
    yield variable
    stem = variable.name.partition("#")[0]
    for number in count(2):
        yield Variable(f"{stem}#{number}")
