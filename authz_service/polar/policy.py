"""Policy: a checked policy, ready for an engine, and what it knows about questions, facts and itself."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain

from authz_service.errors import UnknownAction, UnknownType
from authz_service.facts.fact import Fact
from authz_service.facts.value import PRIMITIVE_TYPES, Value
from authz_service.polar.diagnostic import Diagnostic, did_you_mean
from authz_service.polar.goals import Atom, Rule, Types
from authz_service.polar.shapes import Shapes
from authz_service.polar.source import Span


@dataclass(frozen=True, slots=True)
class CheckedAssertion:
    """`atom` holds for exactly the values that meet `condition`; for none of them if `negated`.

    `types` says what each variable of `atom` ranges over, and the head of `condition` lists them. The body
    of a condition that was not written always holds.
    """

    atom: Atom
    types: Types
    condition: Rule
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True)
class CheckedTest:
    """A test with the facts of its setup. No other facts are stored while it runs."""

    name: str
    setup: tuple[tuple[Fact, ...], ...]
    """The facts in groups: what a fixture holds is shared by all tests that use it."""
    assertions: tuple[CheckedAssertion, ...]
    span: Span

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All facts of the setup, each once."""
        return tuple(dict.fromkeys(chain.from_iterable(self.setup)))


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a policy in strata, lowest first, and the vocabulary that they speak.

    `types` are the declared types, `actors` those that may act, and `actions` the actions of each
    type (None for any). `tests` and `warnings` change nothing about what the policy means.
    """

    strata: tuple[tuple[Rule, ...], ...]
    types: frozenset[str]
    actors: frozenset[str]
    actions: Mapping[str, AbstractSet[str] | None]
    shapes: Shapes
    tests: tuple[CheckedTest, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule for stratum in self.strata for rule in stratum)

    def check_question(self, actor: Value, action: str, resource: Value) -> None:
        """Raise UnknownType or UnknownAction, naming the cure, if no decision can be meant.

        An id that nobody has heard of is fine; a misspelled type or action is not.
        """
        self.check_type(actor.type, "actor.type")
        self.check_actor(actor.type)
        self.check_type(resource.type, "resource.type")
        self.check_action(action, resource.type)

    def check_type(self, name: str, field: str) -> None:
        """Raise UnknownType, for this field of a request, if the policy does not declare the type `name`."""
        if name not in self.types:
            known = did_you_mean(name, self.types) or "it declares none"
            raise UnknownType(f"the policy has no type `{name}`; {known}", field=field)

    def check_actor(self, name: str, field: str = "actor.type") -> None:
        """Raise UnknownType if values of the type `name` cannot be permitted anything."""
        if name not in self.actors:
            known = did_you_mean(name, self.actors) or "no type is permitted anything"
            message = f"the policy permits nothing to the type `{name}`; {known}"
            raise UnknownType(message, field=field)

    def check_action(self, action: str, resource_type: str) -> None:
        """Raise UnknownAction if the declared type `resource_type` has no such action."""
        actions = self.actions[resource_type]
        if actions is not None and not self.knows(action, resource_type):
            known = did_you_mean(action, actions) or "it has no actions"
            message = f'the policy knows no action "{action}" for `{resource_type}`; {known}'
            raise UnknownAction(message, field="action")

    def knows(self, action: str, resource_type: str) -> bool:
        actions = self.actions[resource_type]
        return actions is None or action in actions

    def concrete(self, name: str) -> frozenset[str] | None:
        """Return the types whose values the type `name` accepts, or None if there is no such type."""
        return self.shapes.concrete(name)

    def check_fact(self, fact: Fact) -> None:
        """Raise UnusableFact or UnknownType, naming the cure, if no rule can use `fact`."""
        self.shapes.check(fact)

    def accepts(self, fact: Fact) -> bool:
        """Say whether some rule can use `fact`."""
        return self.shapes.accept(fact)

    def check_value(self, value: Value, field: str) -> None:
        """Raise UnknownType if `value` is an entity of a type that is not declared."""
        if value.type not in PRIMITIVE_TYPES:
            self.check_type(value.type, field)
