"""Decide: a test of a type is gone where a fact that the rule needs has no other type at that place.

A view shows only facts of the shapes that the policy can use. So whatever `group` is behind `has_group(user,
group)`, it is a Group if no usable fact of that predicate has anything else there.
"""

from dataclasses import replace

from authz_service.engine.compiler.rule_program import RuleProgram, goals_of, with_goals
from authz_service.facts.value import Value
from authz_service.polar.goals import Atom, Goal, Rule, TypeTest


def decide(program: RuleProgram) -> RuleProgram:
    """Return the program without tests that facts decide."""
    return program.with_relations(
        replace(relation, rules=tuple(_decided(program, rule) for rule in relation.rules))
        for relation in program.relations.values()
    )


def _decided(program: RuleProgram, rule: Rule) -> Rule:
    goals = goals_of(rule)
    facts = [g for g in goals if isinstance(g, Atom) and g.predicate not in program.relations]
    left: list[Goal] = [
        goal
        for goal in goals
        if not (isinstance(goal, TypeTest) and any(_decides(program, fact, goal) for fact in facts))
    ]
    return rule if len(left) == len(goals) else with_goals(rule, left)


def _decides(program: RuleProgram, fact: Atom, test: TypeTest) -> bool:
    """Say whether the tested variable stands in `fact` where there are only values of the tested types."""
    if test.variable not in fact.args:
        return False
    literals = [arg if isinstance(arg, Value) else None for arg in fact.args]
    types = program.shapes.types_of(fact.predicate, literals)
    return any(
        arg == test.variable and found <= test.types
        for arg, found in zip(fact.args, types, strict=True)
    )
