"""Fold: rules that are all that a loop asks for become one that asks for the loop.

A relation that has, about its own arguments, every rule of a relation that uses itself holds wherever that
does. This is the way back from unfolding: a user holds what the user or its groups hold, which is what
groups hold of groups, begun one step earlier.
"""

from collections.abc import Mapping
from dataclasses import replace

from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
    canonical,
    goals_of,
    head_of,
)
from authz_service.polar.goals import Atom, Conjunction, Goal, Rule, TypeTest, Variable

_Body = tuple[Goal, ...]


def fold(program: RuleProgram) -> RuleProgram:
    """Return the program with loops in place of the rules that were unfolded from them."""
    for name in program.bottom_up():
        relation = program.relations[name]
        for used in program.used_by(relation):
            loop = program.relations[used]
            if used != name and used in program.used_by(loop):
                relation = _folded(relation, loop)
        program = program.with_relations([relation])
    return program


def _folded(relation: Relation, loop: Relation) -> Relation:
    """Return the relation with one rule in place of those that are the loop's, if it has all of these."""
    if len(relation.params) != len(loop.params) or not _fits(relation, loop):
        return relation
    own = {_body(rule, relation): rule for rule in relation.rules}
    wanted = [_body(rule, loop) for rule in loop.rules]
    if not all(body in own for body in wanted):
        return relation
    first = own[wanted[0]]
    left = [rule for body, rule in own.items() if body not in wanted]
    return replace(relation, rules=(*left, _asking(first, relation, loop)))


def _fits(relation: Relation, loop: Relation) -> bool:
    pairs = zip(relation.params, loop.params, strict=True)
    return all(own <= its for own, its in pairs)


def _body(rule: Rule, relation: Relation) -> _Body:
    """Return the goals that tell something, with numbers for variables.

    That a parameter is of the relation's types is known to whoever asks, and tested for who lists.
    """
    types = dict(zip(head_of(rule), relation.params, strict=True))
    telling = (goal for goal in goals_of(rule) if not _is_known(goal, types))
    return tuple(canonical(head_of(rule), telling))


def _is_known(goal: Goal, types: Mapping[Variable, frozenset[str]]) -> bool:
    return (
        isinstance(goal, TypeTest) and goal.variable in types and types[goal.variable] <= goal.types
    )


def _asking(rule: Rule, relation: Relation, loop: Relation) -> Rule:
    """Return the rule that `relation` holds where `loop` does, for values of its own types."""
    head = head_of(rule)
    tests = [
        TypeTest(variable, own, rule.span)
        for variable, own, its in zip(head, relation.params, loop.params, strict=True)
        if not its <= own
    ]
    body = Conjunction((Atom(loop.name, head, rule.span), *tests), rule.span)
    types = dict(zip(head, relation.params, strict=True))
    return Rule(rule.head, body, types, frozenset(), rule.span)
