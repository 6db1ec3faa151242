"""Fact and FactPattern: what holds, and which of it is meant."""

from typing import NamedTuple

from authz_service.facts.value import Value

MAX_ARGS = 5


class Fact(NamedTuple):
    """A predicate and 1 to 5 arguments: `has_role(User:alice, "owner", Organization:acme)`.

    Facts are ordered by predicate and arguments; pages of facts follow this order.
    """

    predicate: str
    args: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.predicate}({', '.join(map(str, self.args))})"


class AnyValue(NamedTuple):
    """A hole in a pattern: any value, or any value of `type`."""

    type: str | None = None


class FactPattern(NamedTuple):
    """A fact with holes. `predicate` None matches every predicate, `args` None any arguments."""

    predicate: str | None = None
    args: tuple[Value | AnyValue, ...] | None = None

    def matches(self, fact: Fact) -> bool:
        if self.predicate is not None and fact.predicate != self.predicate:
            return False
        if self.args is None:
            return True
        return len(self.args) == len(fact.args) and all(
            (wanted.type is None or wanted.type == value.type)
            if isinstance(wanted, AnyValue)
            else wanted == value
            for wanted, value in zip(self.args, fact.args, strict=True)
        )
