"""Prune: relations that never hold or are never asked for are gone, with the rules that need them.

A relation can hold if one of its rules has no atom, or only atoms, about relations that can hold; a circle of
relations with no way in derives nothing. Denying what never holds is always true. A rule that asks for its
own head derives nothing new.
"""

from collections.abc import Set as AbstractSet
from dataclasses import replace

from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
    goals_of,
    with_goals,
)
from authz_service.polar.goals import Atom, Goal, Negation, Rule


def prune(program: RuleProgram) -> RuleProgram:
    """Return the program with only what can matter. The entry stays, though it may have no rules."""
    holding = _holding(program)
    kept = {
        name: replace(relation, rules=_kept(program, relation, holding))
        for name, relation in program.relations.items()
        if name in holding or name == program.entry
    }
    smaller = replace(program, relations=kept)
    return replace(smaller, relations={name: kept[name] for name in smaller.bottom_up()})


def _holding(program: RuleProgram) -> set[str]:
    """Return the names of the relations that can hold, as far as atoms that are not negated tell."""
    waits: dict[str, list[tuple[str, int]]] = {}
    missing: list[int] = []
    ready: list[str] = []
    for name, relation in program.relations.items():
        for rule in relation.rules:
            needs = {atom.predicate for atom, negated in program.atoms_of(rule) if not negated}
            for need in needs:
                waits.setdefault(need, []).append((name, len(missing)))
            missing.append(len(needs))
            if not needs:
                ready.append(name)
    holding: set[str] = set()
    while ready:
        found = ready.pop()
        if found in holding:
            continue
        holding.add(found)
        for name, number in waits.get(found, ()):
            missing[number] -= 1
            if missing[number] == 0:
                ready.append(name)
    return holding


def _kept(program: RuleProgram, relation: Relation, holding: AbstractSet[str]) -> tuple[Rule, ...]:
    found = []
    for rule in relation.rules:
        asked = {atom.predicate for atom, negated in program.atoms_of(rule) if not negated}
        if asked <= holding and rule.head not in goals_of(rule):
            goals = [g for g in goals_of(rule) if not _is_vain(program, g, holding)]
            found.append(with_goals(rule, dict.fromkeys(goals)))
    return tuple(found)


def _is_vain(program: RuleProgram, goal: Goal, holding: AbstractSet[str]) -> bool:
    """Say whether the goal denies a relation that never holds."""
    match goal:
        case Negation(Atom(predicate, _)):
            return predicate in program.relations and predicate not in holding
        case _:
            return False
