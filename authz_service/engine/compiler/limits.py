"""Limits: which arguments of a relation have finitely many values, given those of the others.

What is limited can be found from what is given, and is a value of a fact, of the policy, or a given one. A
condition limits its variables when it can be asked: a look-up of facts always, a call when it limits all of its
free arguments.
"""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from authz_service.engine.compiler.rule_program import RuleProgram, goals_of, head_of
from authz_service.engine.compiler.steps import Pattern
from authz_service.polar.goals import (
    CURRENT_TIME,
    Atom,
    Comparison,
    Membership,
    Rule,
    Variable,
    variables,
)


class Limits:
    """What the relations of one program limit; found when it is asked for."""

    def __init__(self, program: RuleProgram) -> None:
        self._program = program
        self._known: dict[Pattern, frozenset[int]] = {}
        self._supposed: dict[Pattern, frozenset[int]] = {}

    def unlimited(self, pattern: Pattern) -> frozenset[int]:
        """Return the positions at which there can be any value of a type, given those that `pattern` binds."""
        if pattern not in self._known:
            # At first it is supposed that all is limited, and taken back until nothing changes.
            self._supposed = {pattern: frozenset()}
            before: dict[Pattern, frozenset[int]] = {}
            while before != self._supposed:
                before = dict(self._supposed)
                self._supposed.update((one, self._positions(one)) for one in before)
            self._known |= self._supposed
        return self._known[pattern]

    def of_rule(self, rule: Rule, given: Iterable[Variable]) -> AbstractSet[Variable]:
        """Return the variables that are limited if those that are `given` are."""
        return _limited(rule, given, self._program, self.unlimited)

    def _suppose(self, pattern: Pattern) -> frozenset[int]:
        known = self._known.get(pattern)
        return self._supposed.setdefault(pattern, frozenset()) if known is None else known

    def _positions(self, pattern: Pattern) -> frozenset[int]:
        found: set[int] = set()
        for rule in self._program.relations[pattern.relation].rules:
            head = head_of(rule)
            given = (arg for arg, is_given in zip(head, pattern.bound, strict=True) if is_given)
            limited = _limited(rule, given, self._program, self._suppose)
            found.update(index for index, arg in enumerate(head) if arg not in limited)
        return frozenset(found)


def _limited(
    rule: Rule,
    given: Iterable[Variable],
    program: RuleProgram,
    unlimited: Callable[[Pattern], frozenset[int]],
) -> AbstractSet[Variable]:
    limited = {CURRENT_TIME, *given}
    size = -1
    while size != len(limited):
        size = len(limited)
        for goal in goals_of(rule):
            match goal:
                case Atom(name, args) if name in program.relations:
                    known = tuple(not isinstance(arg, Variable) or arg in limited for arg in args)
                    can_be_asked = not unlimited(Pattern(name, known))
                case Atom() | Membership():
                    can_be_asked = True
                case Comparison("=", left, right):
                    sides = (left, right)
                    can_be_asked = any(not isinstance(s, Variable) or s in limited for s in sides)
                case _:
                    can_be_asked = False
            if can_be_asked:
                limited |= variables(goal)
    return limited
