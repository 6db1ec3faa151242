"""Explanations: why a question is decided as it is, at the same moment and by the same program.

Rule 1: the decision comes from the program, never from an explanation.
Rule 2: explaining is long work: it gives way to questions, and ends when nobody waits for it.
Rule 3: work is bounded. A proof or misses that cannot be found within the bounds are an error; a search for
    changes ends with what it has found, and says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from authz_service.engine.engines import LoadedPolicy
from authz_service.engine.explain.changes import NearestChanges
from authz_service.engine.explain.explainer import Explainer
from authz_service.engine.explain.lookups import Steps
from authz_service.engine.explain.misses import Misses
from authz_service.engine.explain.proof import Proof
from authz_service.engine.program import Question
from authz_service.errors import EvaluationLimitReached
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.pdp.decide import Moment
from authz_service.pdp.long_work import Caller, LongBudget, LongWork
from authz_service.polar.source import Span

MAX_PROOF_STEPS = 2000
"""So many steps of proofs are told at once, which fits into a message."""

_SEARCH_STEPS = 100_000
"""Some seconds of a thread."""

_POLICIES_KEPT = 8

_LIMIT = "explaining the question needed more than {} steps; simplify the policy, or raise `evaluation_steps`"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a question is permitted: `proofs`, all that there are if `has_all_proofs`. Or why not: the others."""

    permitted: bool
    facts: FactSnapshot
    proofs: tuple[Proof, ...] = ()
    has_all_proofs: bool = False
    misses: Misses | None = None
    changes: NearestChanges | None = None


class Explanations:
    """Explains what the decision point decides. `evaluation_steps` bounds the work for each part."""

    def __init__(self, work: LongWork, *, evaluation_steps: int) -> None:
        self._work = work
        self._evaluation_steps = evaluation_steps
        self._explainers: dict[int, Explainer] = {}

    async def explain(
        self,
        moment: Moment,
        question: Question,
        context_facts: Sequence[Fact],
        *,
        most_proofs: int,
        most_changes: int,
    ) -> Explanation:
        """Explain what the answer to `question` is at `moment`.

        Raises what `PolicyDecisionPoint.decide` does, and EngineUnsupported for rules that are too many.
        """

        def explained(caller: Caller) -> Explanation:
            budget = self._budget(caller)
            facts = moment.facts_with(context_facts)
            program = moment.policy.loaded.program
            if program.permits(question, facts, moment.second, budget):
                return self._permitted(moment, question, facts, most_proofs, budget)
            search = self._budget(caller, _SEARCH_STEPS)
            return self._denied(moment, question, facts, most_changes, budget, search)

        return await self._run(moment, question, explained)

    async def rules_of(
        self, moment: Moment, question: Question, context_facts: Sequence[Fact]
    ) -> tuple[Span, ...]:
        """Return the rules by which `question` is permitted, which it is at `moment`. Raises as `explain`."""

        def found(caller: Caller) -> tuple[Span, ...]:
            facts = moment.facts_with(context_facts)
            explained = self._permitted(moment, question, facts, 1, self._budget(caller))
            return explained.proofs[0].rules

        return await self._run(moment, question, found)

    async def _run(self, moment: Moment, question: Question, work: Callable[[Caller], T]) -> T:
        moment.policy.loaded.policy.check_question(*question)
        return await self._work.run(work)

    def _budget(self, caller: Caller, at_most: int | None = None) -> LongBudget:
        steps = self._evaluation_steps if at_most is None else min(at_most, self._evaluation_steps)
        return LongBudget(steps, caller, _LIMIT.format(steps))

    def _permitted(
        self,
        moment: Moment,
        question: Question,
        facts: FactSnapshot,
        most: int,
        budget: LongBudget,
    ) -> Explanation:
        explainer, steps = self._explainer(moment.policy.loaded), Steps(budget)
        every = explainer.proofs(question, facts, moment.second, steps)
        proofs: list[Proof] = []
        left = MAX_PROOF_STEPS
        is_cut = False
        try:
            for proof in islice(every, most):
                left = _left(left, proof)
                proofs.append(proof)
            # Whether there are more is known once a proof was looked for in vain.
            is_cut = len(proofs) == most
        except EvaluationLimitReached:
            if not proofs:
                raise
            is_cut = True
        assert proofs, "what the program permits can be derived"
        return Explanation(
            permitted=True, facts=facts, proofs=tuple(proofs), has_all_proofs=not is_cut
        )

    def _denied(
        self,
        moment: Moment,
        question: Question,
        facts: FactSnapshot,
        most: int,
        budget: LongBudget,
        search: LongBudget,
    ) -> Explanation:
        explainer, now = self._explainer(moment.policy.loaded), moment.second
        misses = explainer.misses(question, facts, now, Steps(budget))
        changes = explainer.changes(question, facts, now, most, Steps(search), budget)
        return Explanation(permitted=False, facts=facts, misses=misses, changes=changes)

    def _explainer(self, loaded: LoadedPolicy) -> Explainer:
        """Return what explains this policy. It is kept, with the rules that were prepared for it."""
        found = self._explainers.get(id(loaded.policy))
        if found is None or found.loaded.policy is not loaded.policy:
            while len(self._explainers) >= _POLICIES_KEPT:
                del self._explainers[next(iter(self._explainers))]
            found = self._explainers[id(loaded.policy)] = Explainer(loaded)
        return found


def _left(steps: int, proof: Proof) -> int:
    """Return how many steps can be told beside `proof`. Raises EvaluationLimitReached if it has too many."""
    if len(proof.steps) > steps:
        message = f"the proof has more than {MAX_PROOF_STEPS} steps, too many to be told"
        raise EvaluationLimitReached(message)
    return steps - len(proof.steps)
