"""Proofs: what was derived, as steps from the answer down to the facts.

Rule 1: a step stands for a rule of the author with its values; helpers that stand for a part of a rule are
    taken into the step that they are a part of.
Rule 2: a step rests on conditions that are facts, or steps behind it: the steps are in an order without
    circles. A step that several others rest on is there once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter

from authz_service.engine.explain.derive import Derivation, Derivations, Goal
from authz_service.engine.explain.direct import Direct
from authz_service.engine.explain.kinds import Doing
from authz_service.engine.explain.lookups import Row
from authz_service.engine.explain.wording import condition_text
from authz_service.facts.fact import Fact
from authz_service.facts.ids import Decoded
from authz_service.polar.source import Span


class Origin(Enum):
    """Where a fact came from."""

    STORED = "stored"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class RestsOnFact:
    """A condition that a fact meets."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class RestsOnStep:
    """A condition that another step of the proof meets; `step` is its number."""

    step: int


@dataclass(frozen=True, slots=True)
class HoldsByItself:
    """A condition that holds by itself, or as there is nothing by which what it denies would hold."""

    text: str


Premise = RestsOnFact | RestsOnStep | HoldsByItself


@dataclass(frozen=True, slots=True)
class ProofStep:
    """A fact that a rule derives, and what meets the conditions, in the order in which they were written."""

    fact: Fact
    span: Span
    premises: tuple[Premise, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """The steps of a proof; the first one is what was asked. `facts` are all that they rest on, each once."""

    steps: tuple[ProofStep, ...]

    @property
    def facts(self) -> tuple[Fact, ...]:
        found = (
            premise.fact
            for step in self.steps
            for premise in step.premises
            if isinstance(premise, RestsOnFact)
        )
        return tuple(dict.fromkeys(found))

    @property
    def rules(self) -> tuple[Span, ...]:
        """The places of the rules, in the order of the steps, each once."""
        return tuple(
            {(step.span.source.name, step.span.start): step.span for step in self.steps}.values()
        )


_Answer = tuple[Goal, Row]

# Looked up once: a member of an enumeration takes as long as a call.
_CALL, _LOOK_UP = Doing.CALL, Doing.LOOK_UP


def proof_of(derivations: Derivations, goal: Goal) -> Proof | Fact:
    """Return the proof of a goal that has an answer, or the fact if it is one itself."""
    answer = derivations.first(goal)
    assert answer is not None
    return _Reader(derivations).proof((goal, answer))


def proof_of_what_holds(derivations: Derivations, goal: Goal) -> Proof | Fact:
    """Return what `proof_of` does for a question of yes or no of which it is known that it is yes."""
    return _Reader(derivations).proof((goal, ()))


class _Reader:
    """Reads proofs off derivations, without recurring: a proof can be as deep as data are."""

    def __init__(self, derivations: Derivations) -> None:
        self._derivations = derivations
        self._direct = Direct(derivations)
        self._rules = derivations.rules
        self._value = Decoded(derivations.lookups.ids).__getitem__
        self._numbers: dict[_Answer, int] = {}
        self._waiting: list[tuple[_Answer, Derivation]] = []

    def proof(self, root: _Answer) -> Proof | Fact:
        derivation = self._direct.derivation(*root)
        if derivation.rule.is_stored:
            return self._fact(root)
        self._number(root, derivation)
        steps: list[ProofStep] = []
        while len(steps) < len(self._waiting):
            answer, derivation = self._waiting[len(steps)]
            span = derivation.rule.rule.span
            steps.append(ProofStep(self._fact(answer), span, tuple(self._premises(derivation))))
        return Proof(tuple(steps))

    def _number(self, answer: _Answer, derivation: Derivation) -> int:
        number = self._numbers.get(answer)
        if number is None:
            number = self._numbers[answer] = len(self._waiting)
            self._waiting.append((answer, derivation))
        return number

    def _premises(self, derivation: Derivation) -> list[Premise]:
        """Return what meets the conditions of a rule, with helpers replaced by what these use."""
        found: list[tuple[int, Premise]] = []
        has_helpers = False
        waiting = [derivation]
        while waiting:
            rule, slots = waiting.pop()
            for step in rule.written:
                doing = step.doing
                if step.is_denied or (doing is not _CALL and doing is not _LOOK_UP):
                    text = condition_text(self._derivations, rule, step, slots)
                    found.append((step.start, HoldsByItself(text)))
                elif doing is _LOOK_UP:
                    args = tuple([self._value(slots[n]) for n in step.slots])
                    found.append((step.start, RestsOnFact(Fact(step.predicate, args))))
                else:
                    free = tuple(map(slots.__getitem__, step.call_free))
                    answer = self._derivations.called(step, slots), free
                    below = self._direct.derivation(*answer)
                    if step.is_helped:
                        has_helpers = True
                        waiting.append(below)
                    elif below.rule.is_stored:
                        found.append((step.start, RestsOnFact(self._fact(answer))))
                    else:
                        found.append((step.start, RestsOnStep(self._number(answer, below))))
        if has_helpers:
            found.sort(key=itemgetter(0))
        return [premise for _, premise in found]

    def _fact(self, answer: _Answer) -> Fact:
        """Return the fact that an answer to a goal says to hold."""
        (pattern, args), free = answer
        ids: Iterable[int] = args
        if free:
            given, found = iter(args), iter(free)
            ids = [next(given if is_bound else found) for is_bound in pattern.bound]
        return self._rules.fact(pattern.relation, list(map(self._value, ids)))
