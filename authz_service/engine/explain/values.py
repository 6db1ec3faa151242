"""Existing values: what can stand in a fact that is not there yet."""

from collections.abc import Iterable, Iterator

from authz_service.engine.explain.lookups import Steps
from authz_service.facts.fact import Fact, FactPattern
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import INTEGER, INTEGER_MAX, INTEGER_MIN, Value, integer
from authz_service.polar.shapes import Shapes


class ExistingValues:
    """The values of facts, of the policy and of a question, by type; found as they are asked for.

    Of Integers there are also those next to the ones that the policy names, on whose other side a comparison
    turns.
    """

    def __init__(
        self, facts: FactSnapshot, shapes: Shapes, named: Iterable[Value], steps: Steps
    ) -> None:
        self._shapes = shapes
        self._steps = steps
        self._facts = self._usable(facts)
        self._known: dict[str, dict[Value, None]] = {}
        self._is_read = False
        for value in named:
            self._add(value)
            if value.type == INTEGER:
                for number in (int(value.id) - 1, int(value.id) + 1):
                    if INTEGER_MIN <= number <= INTEGER_MAX:
                        self._add(integer(number))

    def of(self, type_name: str) -> Iterator[Value]:
        """Yield the values of a type, each once, those of the question and the policy first."""
        number = 0
        while True:
            known = list(self._known.get(type_name, ()))
            yield from known[number:]
            number = len(known)
            while len(self._known.get(type_name, ())) == number:
                fact = next(self._facts, None)
                if fact is None:
                    return
                for value in fact.args:
                    self._add(value)

    def _usable(self, facts: FactSnapshot) -> Iterator[Fact]:
        for predicate in sorted(self._shapes.by_predicate):
            for fact in facts.matching(FactPattern(predicate)):
                self._steps.spend()
                if self._shapes.accept(fact):
                    yield fact

    def _add(self, value: Value) -> None:
        self._known.setdefault(value.type, {}).setdefault(value)
