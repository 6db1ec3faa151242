"""Names: which Strings can stand in conditions, told by the rules and types of a policy, never by facts.

A role that no rule derives and no usable fact has is most likely misspelled, and so it is where a rule takes
any role from elsewhere: `role if role on "parent"` gives a document the roles of its parent, and no other
ones. So rules are followed with the name in its place. What stands in the way of a rule apart from names and
types is not looked at: whatever some facts could make hold counts as possible.

The names in `allow` and `has_permission` are actions. A query knows those that questions may have (see
`Policy.check_action`), also where rules and facts would derive others.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property, lru_cache

from authz_service.engine.compiler.normalise import normalise
from authz_service.engine.compiler.rewrites.prune import prune
from authz_service.engine.compiler.specialise import Specialiser
from authz_service.errors import EngineUnsupported
from authz_service.facts.value import PRIMITIVE_TYPES, STRING, Value, string
from authz_service.polar.goals import (
    Atom,
    Conjunction,
    Membership,
    Rule,
    Variable,
)
from authz_service.polar.matching import Arg
from authz_service.polar.policy import Policy
from authz_service.polar.shapes import DERIVED
from authz_service.polar.source import PolicySource, Span

ASKED = Span(PolicySource("(query)", "the query"), 0, len("the query"))
"""The place of what stands in a query, and not in a policy."""

KNOWN_ACTION = "known-action"
"""The predicate of an action and a resource that can be asked for it; no author can write this name."""

_UNNAMED = string("\0")
"""Stands for all Strings that the policy does not name; no String has this character."""

_REMEMBERED = 10_000


class Names:
    """The names that a policy can say something about. Safe to use from several threads at once."""

    def __init__(self, policy: Policy, named: AbstractSet[Value]) -> None:
        """`named` are the values that the rules name."""
        self._policy = policy
        self._named = named | policy.shapes.named
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._follow)

    @cached_property
    def specialiser(self) -> Specialiser:
        """The rules of the policy and those for `KNOWN_ACTION`."""
        rules = (*normalise(self._policy.rules), *self.action_rules)
        return Specialiser(rules, self._policy.shapes)

    def can_hold(self, predicate: str, args: Sequence[Arg]) -> bool:
        """Say whether rules and some facts could make a condition with these arguments hold.

        Costs as much as compiling the condition, once for each combination of names and types.
        """
        return self._remembered(predicate, tuple(map(self._told_apart, args)))

    def _told_apart(self, arg: Arg) -> Arg:
        if not isinstance(arg, Value):
            return arg
        if arg.type != STRING:
            return frozenset({arg.type})
        return arg if arg in self._named else _UNNAMED

    def _follow(self, predicate: str, args: tuple[Arg, ...]) -> bool:
        try:
            program = self.specialiser.program(predicate, args)
        except EngineUnsupported:
            return True
        return bool(prune(program).relations[program.entry].rules)

    @cached_property
    def _types_by_actions(self) -> Mapping[frozenset[str] | None, AbstractSet[str]]:
        """The declared types with the same actions, None for any."""
        found: dict[frozenset[str] | None, set[str]] = {}
        for name, actions in self._policy.actions.items():
            known = None if actions is None else frozenset(actions)
            found.setdefault(known, set()).add(name)
        return found

    @cached_property
    def action_rules(self) -> Sequence[Rule]:
        """Rules for `KNOWN_ACTION`: of what is no String or no entity, anything."""
        every = self._policy.types | PRIMITIVE_TYPES
        strings = frozenset({STRING})
        rules = [
            _action_rule(strings, frozenset(types), actions)
            for actions, types in self._types_by_actions.items()
        ]
        rules.append(_action_rule(strings, PRIMITIVE_TYPES, None))
        rules.append(_action_rule(every - strings, every, None))
        return rules

    def known(self, action: str, kinds: AbstractSet[str]) -> frozenset[str]:
        """Return those of the declared types `kinds` that can be asked for the action."""
        return frozenset(kind for kind in kinds if self._policy.knows(action, kind))

    def actions(self, kinds: AbstractSet[str]) -> AbstractSet[str] | None:
        """Return the actions that values of types `kinds` can be asked for; None if these have no end."""
        if not kinds <= self._policy.types:
            return None
        found: set[str] = set()
        for actions, some in self._types_by_actions.items():
            if not kinds.isdisjoint(some):
                if actions is None:
                    return None
                found |= actions
        return found


def _action_rule(
    action_types: frozenset[str], resource_types: frozenset[str], actions: AbstractSet[str] | None
) -> Rule:
    action, resource = Variable("action"), Variable("resource")
    head = Atom(KNOWN_ACTION, (action, resource), ASKED)
    types = {action: action_types, resource: resource_types}
    if actions is None:
        return Rule(head, Conjunction((), ASKED), types, frozenset({action, resource}), ASKED)
    listed = Membership(action, tuple(map(string, sorted(actions))), ASKED)
    return Rule(head, Conjunction((listed,), ASKED), types, frozenset({resource}), ASKED)


def is_question(atom: Atom) -> bool:
    """Say whether the condition asks for an action on a resource."""
    return atom.predicate in DERIVED and len(atom.args) == 3
