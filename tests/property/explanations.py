"""Laws about explanations, with the reference engine as the judge.

A proof replays: what it rests on is there, suffices, and each step is an instance of its rule. What is told of a denied
question is so. A set of changes turns the answer and no part of it does; and none that is small was overlooked.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import combinations, islice, product

from claims import is_false
from comparison import Case
from schemas import NOW

from authz_service.engine.engines import LoadedPolicy
from authz_service.engine.explain.change_set import Change, changed
from authz_service.engine.explain.changes import NearestChanges
from authz_service.engine.explain.explainer import Explainer
from authz_service.engine.explain.lookups import Steps
from authz_service.engine.explain.misses import Misses, Outcome
from authz_service.engine.explain.proof import HoldsByItself, Proof, RestsOnFact, RestsOnStep
from authz_service.engine.explain.values import ExistingValues
from authz_service.engine.program import Budget, Question
from authz_service.engine.reference import Binding, Model, constants
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string
from authz_service.polar.goals import Goal, Negation, Rule

ENOUGH = 5_000_000
PROOFS = 3
FEW = 8
MANY = 100_000
FEW_CANDIDATES = 40
MANY_CANDIDATES = 1500
SEARCH = 10_000


class Replay(Model):
    """What follows from some facts, where what rules deny is looked at among all facts."""

    def __init__(
        self, facts: Sequence[Fact], everything: Model, values: Sequence[Value], now: int
    ) -> None:
        super().__init__(facts, values, now, Budget(ENOUGH))
        self._everything = everything

    def _solutions(self, goal: Goal, binding: Binding) -> Iterator[Binding]:
        if isinstance(goal, Negation):
            return self._everything._solutions(goal, binding)
        return super()._solutions(goal, binding)


class Judge:
    """The facts of a case, and all that the reference derives from them."""

    def __init__(
        self, case: Case, loaded: LoadedPolicy, facts: FactSnapshot | None = None, now: int = NOW
    ) -> None:
        """`facts` are those of the case, if they came about in some other way."""
        self.policy = loaded.policy
        self.loaded = loaded
        self.facts = FactSnapshot(case.drawn.facts) if facts is None else facts
        self.now = now
        named = set[Value]().union(*map(constants, self.policy.rules))
        asked = (value for question in case.drawn.questions for value in question.as_fact().args)
        self.values = sorted(named.union(asked, *(fact.args for fact in case.drawn.facts)))
        self.everything = case.reference.program.model(
            self.facts, self.values, self.now, Budget(ENOUGH)
        )
        self.explainer = Explainer(loaded)

    def broken(self, question: Question, *, permitted: bool) -> Iterator[str]:
        steps = Steps(Budget(ENOUGH))
        derivations, goal = self.explainer.derivations(
            question, self.facts, self.now, steps, frozenset()
        )
        if derivations.holds(goal) is not permitted:
            yield f"what is denied is derived, or what is permitted is not: {question}"
            return
        if permitted:
            yield from self._broken_proofs(question)
        else:
            steps = Steps(Budget(ENOUGH))
            misses = self.explainer.misses(question, self.facts, self.now, steps)
            yield from self._broken_misses(question, misses)

    def _broken_proofs(self, question: Question) -> Iterator[str]:
        steps = Steps(Budget(ENOUGH))
        first = self.explainer.proof(question, self.facts, self.now, steps)
        yield from self._broken_proof(question, first)
        proofs = self.explainer.proofs(question, self.facts, self.now, Steps(Budget(SEARCH)))
        found: list[Proof] = []
        with suppress(EvaluationLimitReached):
            found.extend(islice(proofs, PROOFS))
            if next(proofs, None) is None:
                yield from self._broken_end(question, found)
        for one, other in combinations(found, 2):
            if set(one.facts) <= set(other.facts):
                yield f"two proofs that rest on the same facts: {question}"
        for proof in found:
            yield from self._broken_proof(question, proof)

    def _broken_end(self, question: Question, found: Sequence[Proof]) -> Iterator[str]:
        """Without some fact of each proof there must be none, if these are all that there are."""
        for without in islice(product(*(proof.facts for proof in found)), FEW):
            usable = (fact for fact in self.facts if self.policy.accepts(fact))
            left = [fact for fact in usable if fact not in without]
            if question.as_fact() in self._replayed(left):
                yield f"there is another proof: {question} without {without}"

    def _broken_proof(self, question: Question, proof: Proof) -> Iterator[str]:
        asked = question.as_fact()
        if proof.steps[0].fact != asked:
            yield f"a proof of something else: {question}"
        if any(fact not in self.facts or not self.policy.accepts(fact) for fact in proof.facts):
            yield f"a fact that is not there: {question}"
        if asked not in self._replayed(proof.facts):
            yield f"the facts of a proof do not suffice: {question} {proof.facts}"
        if _has_circle(proof):
            yield f"a proof that rests on itself: {question}"
        for step in proof.steps:
            for one in step.premises:
                if isinstance(one, HoldsByItself) and self._is_told_wrong(one.text, holds=True):
                    yield f"does not hold by itself: {one.text}"
            premises = [
                one.fact if isinstance(one, RestsOnFact) else proof.steps[one.step].fact
                for one in step.premises
                if isinstance(one, RestsOnFact | RestsOnStep)
            ]
            if not any(self._is_instance(step.fact, rule, premises) for rule in self._at(step)):
                yield f"no instance of its rule: {step.fact} {step.span.place} {premises}"

    def _replayed(self, facts: Sequence[Fact]) -> Replay:
        replay = Replay(facts, self.everything, self.values, self.now)
        for stratum in self.policy.strata:
            replay.close_under(stratum)
        return replay

    def _at(self, step) -> list[Rule]:
        return [rule for rule in self.policy.rules if rule.span == step.span]

    def _is_instance(self, fact: Fact, rule: Rule, premises: Sequence[Fact]) -> bool:
        model = Replay(premises, self.everything, self.values, self.now)
        return fact in set(model._consequences(rule))

    def _broken_misses(self, question: Question, misses: Misses) -> Iterator[str]:
        if misses.goals[0].text != str(question.as_fact()):
            yield f"misses of something else: {question} {misses.goals[0].text}"
        for goal in misses.goals:
            if self._is_told_wrong(goal.text, holds=False):
                yield f"a goal that was not missed: {goal.text}"
            for attempt in goal.attempts:
                outcomes = [condition.outcome for condition in attempt.conditions]
                if Outcome.FAILS not in outcomes:
                    yield f"a rule that does not fail: {attempt.span.place} for {question}"
                for condition in attempt.conditions:
                    if condition.outcome is not Outcome.OPEN and self._is_told_wrong(
                        condition.text, holds=condition.outcome is Outcome.HOLDS
                    ):
                        yield f"{condition.outcome}, it is said, does {condition.text}"
                    if any(fact not in self.facts for fact in condition.facts):
                        yield f"facts that are not there: {condition}"
                    if condition.facts and is_false(
                        condition.text, self._replayed(condition.facts), holds=False
                    ):
                        yield f"facts that do not speak against it: {condition}"

    def _is_told_wrong(self, text: str, *, holds: bool) -> bool:
        return is_false(text, self.everything, holds=holds)

    def broken_changes(
        self, question: Question, most: int = MANY, search: int = SEARCH
    ) -> Iterator[str]:
        """Yield what is wrong about the changes for a question that is denied, found in so many steps."""
        found = self.explainer.changes(
            question, self.facts, self.now, most, Steps(Budget(search)), Budget(ENOUGH)
        )
        sets = [frozenset(one) for one in found.sets]
        for changes in sets:
            if any(change.is_added is (change.fact in self.facts) for change in changes):
                yield f"no change: {changes}"
            for change in changes:
                self.policy.check_fact(change.fact)
            if not self._permits(question, changes):
                yield f"changes that do not suffice: {question} {_shown(changes)}"
            for size in range(len(changes)):
                for part in combinations(changes, size):
                    if self._permits(question, frozenset(part)):
                        yield f"a part suffices: {question} {_shown(part)} of {_shown(changes)}"
        if len(set(sets)) < len(sets) or sorted(sets, key=len) != sets:
            yield f"sets twice, or not the smallest first: {question}"
        if len(sets) > most:
            yield f"too many sets: {question}"
        yield from self._overlooked(question, found)

    def _overlooked(self, question: Question, found: NearestChanges) -> Iterator[str]:
        candidates = self._candidates(question)
        size_of_all = 2 if len(candidates) <= FEW_CANDIDATES else 1
        size_of_all = size_of_all if len(candidates) <= MANY_CANDIDATES else 0
        largest = min(found.complete_up_to, size_of_all)
        sets = {frozenset(one) for one in found.sets}
        smaller: list[frozenset[Change]] = []
        for size in range(1, largest + 1):
            for several in combinations(candidates, size):
                changes = frozenset(several)
                if any(one <= changes for one in smaller) or not self._permits(question, changes):
                    continue
                smaller.append(changes)
                if changes not in sets:
                    yield f"overlooked: {question} {_shown(changes)}"

    def _candidates(self, question: Question) -> list[Change]:
        """Return every change there can be: of each fact, and of each that rules could use."""
        facts = {fact for fact in self.facts if self.policy.accepts(fact)}
        named = self.policy.shapes.named.union(*map(constants, self.policy.rules))
        values = ExistingValues(
            self.facts,
            self.policy.shapes,
            [question.actor, string(question.action), question.resource, *named],
            Steps(Budget(ENOUGH)),
        )
        every = {name: list(values.of(name)) for name in self._types()}
        others = set[Fact]()
        for predicate, shapes in self.policy.shapes.by_predicate.items():
            for shape in shapes:
                choices = [
                    [v for kind in arg.types for v in every[kind] if arg.accepts(v)]
                    for arg in shape.args
                ]
                others |= {Fact(predicate, args) for args in islice(product(*choices), 3000)}
        added = (Change(fact, is_added=True) for fact in sorted(others - facts))
        return [*(Change(fact, is_added=False) for fact in sorted(facts)), *added]

    def _types(self) -> set[str]:
        shapes = self.policy.shapes.by_predicate.values()
        return {
            kind for group in shapes for shape in group for arg in shape.args for kind in arg.types
        }

    def _permits(self, question: Question, changes: frozenset[Change]) -> bool:
        facts = changed(self.facts, changes)
        return self.loaded.program.permits(question, facts, self.now, Budget(ENOUGH))


def _has_circle(proof: Proof) -> bool:
    """Say whether some step rests on itself, by taking away again and again what rests on nothing left."""
    left = {
        number: {one.step for one in step.premises if isinstance(one, RestsOnStep)}
        for number, step in enumerate(proof.steps)
    }
    while settled := [number for number, used in left.items() if not used & left.keys()]:
        for number in settled:
            del left[number]
    return bool(left)


def _shown(changes: Iterator[Change]) -> list[str]:
    return [f"{'+' if change.is_added else '-'}{change.fact}" for change in changes]
