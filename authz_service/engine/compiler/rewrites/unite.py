"""Unite: one loop over facts for several that go the same ways.

Two rules that differ only in which relation one atom asks for become one rule that asks for their union.
The union of relations is itself a loop if the relations go on alike, each rule that does by one atom about its
own relation: what is behind a value in the union is the union of what is behind it. So "reader, writer or
admin, directly or through groups" is one walk through the groups.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
    canonical,
    goals_of,
    head_of,
    with_goals,
)
from authz_service.polar.goals import Atom, Goal, Rule

MAX_RULES = 64
"""A union does not grow beyond so many rules."""


def unite(program: RuleProgram) -> RuleProgram:
    """Return the program with unions of loops in place of rules that differ in nothing else."""
    for name in program.bottom_up():
        program = _united(program, name)
    return program


def _united(program: RuleProgram, name: str) -> RuleProgram:
    """Return the program with the rules of one relation united, and the unions that they ask for."""
    relation = program.relations[name]
    groups: dict[object, list[tuple[Rule, Atom]]] = {}
    for rule in relation.rules:
        atom = _only_loop(program, rule, name)
        key = id(rule) if atom is None else _all_but(program, rule, atom)
        groups.setdefault(key, []).append((rule, atom or rule.head))
    rules: list[Rule] = []
    for group in groups.values():
        rule, atom = group[0]
        members = list(dict.fromkeys(atom.predicate for _, atom in group))
        if len(members) > 1:
            union = _union(program, members)
            if union is None:
                rules += [rule for rule, _ in group]
                continue
            program = program.with_relations([union])
            goals = (
                Atom(union.name, atom.args, atom.span) if goal is atom else goal
                for goal in goals_of(rule)
            )
            rules.append(with_goals(rule, goals))
        else:
            rules += [rule for rule, _ in group]
    return program.with_relations([replace(relation, rules=tuple(rules))])


def _only_loop(program: RuleProgram, rule: Rule, name: str) -> Atom | None:
    """Return the atom about another relation that uses itself, if the rule has one such."""
    found = [
        goal
        for goal in goals_of(rule)
        if isinstance(goal, Atom)
        and goal.predicate != name
        and goal.predicate in program.relations
        and goal.predicate in program.used_by(program.relations[goal.predicate])
    ]
    return found[0] if len(found) == 1 else None


def _all_but(program: RuleProgram, rule: Rule, atom: Atom) -> object:
    """Return what two rules must have in common to be one: all but the name of the relation."""
    blank = Atom("", atom.args, atom.span)
    goals = [blank if goal is atom else goal for goal in goals_of(rule)]
    relation = program.relations[atom.predicate]
    return (
        tuple(canonical(head_of(rule), goals)),
        relation.params,
        frozenset(_ways_on(relation)),
    )


def _ways_on(relation: Relation) -> Iterable[object]:
    """Yield the rules by which the relation uses itself, under no name."""
    for rule in relation.rules:
        if _uses(rule, relation.name):
            yield tuple(canonical(head_of(rule), _renamed(rule, relation.name, "")))


def _union(program: RuleProgram, members: Sequence[str]) -> Relation | None:
    """Return the union of relations that go on alike, or None if that is not certain or too large."""
    relations = [program.relations[member] for member in members]
    if not all(_is_linear(program, relation) for relation in relations):
        return None
    name = " or ".join(members)
    found: dict[object, Rule] = {}
    for relation in relations:
        for rule in relation.rules:
            goals = _renamed(rule, relation.name, name)
            key = tuple(canonical(head_of(rule), goals))
            head = Atom(name, rule.head.args, rule.span)
            found.setdefault(key, replace(with_goals(rule, goals), head=head))
    if len(found) > MAX_RULES:
        return None
    return Relation(name, relations[0].params, tuple(found.values()))


def _is_linear(program: RuleProgram, relation: Relation) -> bool:
    """Say whether each rule has at most one atom about the relation, and no other leads back to it."""
    circles = program.circles()
    own = circles[relation.name]
    alone = sum(number == own for number in circles.values()) == 1
    return alone and all(
        sum(isinstance(g, Atom) and g.predicate == relation.name for g in goals_of(rule)) <= 1
        for rule in relation.rules
    )


def _uses(rule: Rule, name: str) -> bool:
    return any(isinstance(goal, Atom) and goal.predicate == name for goal in goals_of(rule))


def _renamed(rule: Rule, name: str, new: str) -> list[Goal]:
    return [
        Atom(new, goal.args, goal.span)
        if isinstance(goal, Atom) and goal.predicate == name
        else goal
        for goal in goals_of(rule)
    ]
