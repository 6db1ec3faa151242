"""Absorb: a rule asks only where a loop begins, if its own relation goes on from there in the same way.

A group reads what it is named for and what lies in that; so does a user, and users read what their groups do:

    user(u, x) if member(u, g) and group(g, x)      user(u, x) if inside(x, y) and user(u, y)
    group(g, x) if reader(g, x)                     group(g, x) if inside(x, y) and group(g, y)

Wherever the group comes by going on, the user comes from where the group began. So the first rule can ask for
`reader(g, x)`, and one walk is left where there was one at each value of another. What begins in the
loop is all but the rules by which it goes on; each of these must be a rule of the relation, too, about its own
argument. Where a rule goes on from its own relation (`user(u, x) if user(u, y) and group(y, x)`), a loop that
goes on from itself (`group(y, x) if group(y, z) and group(z, x)`) does so in the same way: step by step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

from authz_service.engine.compiler.rewrites.inline import MAX_GOALS, MAX_RULES, resolved
from authz_service.engine.compiler.rule_program import (
    Relation,
    RuleProgram,
    canonical,
    goals_of,
    head_of,
)
from authz_service.polar.goals import Atom, Rule, variables


def absorb(program: RuleProgram) -> RuleProgram:
    """Return the program with rules that ask for what begins a loop, where the loop is not needed."""
    circles = program.circles()
    # From the top down: a loop that goes on from itself is easier to absorb before it has absorbed itself.
    for name in reversed(program.bottom_up()):
        relation = program.relations[name]
        loops = [
            program.relations[used]
            for used in program.used_by(relation)
            if circles[used] != circles[name] and used in program.used_by(program.relations[used])
        ]
        program = program.with_relations([_absorbing(relation, loops)])
    return program


def _absorbing(relation: Relation, loops: Sequence[Relation]) -> Relation:
    """Return the relation when it has absorbed what it can of `loops` and of itself."""
    done = 0
    while done < len(relation.rules):
        rule = relation.rules[done]
        for atom, loop in _loops_in(rule, [relation, *loops]):
            begun = _begun(rule, atom, loop, MAX_RULES - len(relation.rules) + 1)
            rules = (*relation.rules[:done], *begun, *relation.rules[done + 1 :])
            absorbed = replace(relation, rules=rules)
            if begun and any(
                _goes_on(absorbed, here, loop, at, is_chain=_is_chain(rule, atom, here, at))
                for here, at in _places(rule, atom, relation, loop)
            ):
                relation = absorbed
                break
        else:
            done += 1
    return relation


def _loops_in(rule: Rule, loops: Sequence[Relation]) -> Iterator[tuple[Atom, Relation]]:
    """Yield the atoms of the rule that ask for one of `loops`."""
    for goal in goals_of(rule):
        for loop in loops:
            if isinstance(goal, Atom) and goal.predicate == loop.name:
                yield goal, loop


def _begun(rule: Rule, atom: Atom, loop: Relation, room: int) -> tuple[Rule, ...]:
    """Return the rule with what begins the loop in place of `atom`; nothing if that is too much."""
    begins = [begin for begin in loop.rules if not _own_atoms(begin, loop.name)]
    longest = max((len(goals_of(begin)) for begin in begins), default=0)
    if len(begins) > room or len(goals_of(rule)) - 1 + longest > MAX_GOALS:
        return ()
    return tuple(resolved(rule, atom, begin) for begin in begins)


def _places(
    rule: Rule, atom: Atom, relation: Relation, loop: Relation
) -> Iterator[tuple[int, int]]:
    """Yield the positions in head and atom of what the rule asks of `atom` and of nothing else."""
    goals = goals_of(rule)
    for here, variable in enumerate(head_of(rule)):
        is_once = atom.args.count(variable) == 1
        if is_once and sum(variable in variables(goal) for goal in goals) == 1:
            at = atom.args.index(variable)
            if relation.params[here] == loop.params[at]:
                yield here, at


def _goes_on(relation: Relation, here: int, loop: Relation, at: int, *, is_chain: bool) -> bool:
    """Say whether the relation goes on from its argument `here` in all ways in which the loop does from `at`.

    If `is_chain`, the relation also goes on from itself by what begins the loop.
    """
    ways = {_way(rule, relation.name, here) for rule in relation.rules} - {None}
    return all(
        _way(rule, loop.name, at) in ways or (is_chain and _is_transitive(rule, loop))
        for rule in loop.rules
        if _own_atoms(rule, loop.name)
    )


def _way(rule: Rule, name: str, place: int) -> object | None:
    """Return how the rule goes on from its argument at `place`, if it depends on nothing but that."""
    own = _own_atoms(rule, name)
    if len(own) != 1:
        return None
    [atom] = own
    head, there = head_of(rule), atom.args[place]
    kept = {arg for arg in head if arg != head[place]}
    others = [goal for goal in goals_of(rule) if goal is not atom]
    is_kept = all(
        arg == asked
        for index, (arg, asked) in enumerate(zip(head, atom.args, strict=True))
        if index != place
    )
    if not is_kept or there in kept or any(kept & variables(goal) for goal in others):
        return None
    return tuple(canonical([head[place]], [*others, Atom("", (there,), rule.span)]))


def _is_chain(rule: Rule, atom: Atom, here: int, at: int) -> bool:
    """Say whether the rule goes on from its own relation, by `atom` of two arguments alone."""
    own = _own_atoms(rule, rule.head.predicate)
    for before in own:
        if before is not atom and len(goals_of(rule)) == len(atom.args) == 2:
            head, joint = head_of(rule), atom.args[1 - at]
            return joint not in head and before.args == (*head[:here], joint, *head[here + 1 :])
    return False


def _is_transitive(rule: Rule, loop: Relation) -> bool:
    """Say whether the rule says that the relation holds from one to a third by way of a second."""
    own = _own_atoms(rule, loop.name)
    if len(own) != len(goals_of(rule)) or len(own) != 2 or len(set(loop.params)) != 1:
        return False
    return len(loop.params) == 2 and any(
        (one.args[0], other.args[1]) == head_of(rule)
        and one.args[1] == other.args[0]
        and one.args[1] not in head_of(rule)
        for one, other in permutations(own)
    )


def _own_atoms(rule: Rule, name: str) -> list[Atom]:
    return [goal for goal in goals_of(rule) if isinstance(goal, Atom) and goal.predicate == name]
