"""Explainer: proofs and misses for the questions that one policy answers."""

from collections import deque
from collections.abc import Iterator

from authz_service.engine.compiler.normalise import normalise
from authz_service.engine.compiler.specialise import Specialiser
from authz_service.engine.engines import LoadedPolicy
from authz_service.engine.explain.changes import Asking, NearestChanges, nearest_changes
from authz_service.engine.explain.derive import Derivations, Goal
from authz_service.engine.explain.kinds import KindRules
from authz_service.engine.explain.lookups import Lookups, Steps
from authz_service.engine.explain.misses import Misses, misses_of
from authz_service.engine.explain.proof import Proof, proof_of, proof_of_what_holds
from authz_service.engine.explain.values import ExistingValues
from authz_service.engine.program import Budget, Question
from authz_service.engine.reference import constants
from authz_service.facts.access import Demand
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import INTEGER, PRIMITIVE_TYPES, string
from authz_service.polar.matching import Arg

_Kind = tuple[str, str | None, str]


class Explainer:
    """Explains what the program of a policy decides. Safe to use from several threads."""

    def __init__(self, loaded: LoadedPolicy) -> None:
        self.loaded = loaded
        policy, program = loaded
        types = policy.types | PRIMITIVE_TYPES - {INTEGER}
        self.demand = program.demand or Demand(policy.shapes.accept, None, types)
        self._specialiser = Specialiser(normalise(policy.rules), policy.shapes)
        self._named = policy.shapes.named.union(*map(constants, policy.rules))
        self._kinds: dict[_Kind, KindRules] = {}

    def rules(self, question: Question) -> KindRules:
        """Return the rules that the question can reach. Raises EngineUnsupported if these are too many."""
        actor, action, resource = question
        is_named = not self._is_any_action(question)
        kind = actor.type, action if is_named else None, resource.type
        found = self._kinds.get(kind)
        if found is None:
            text: Arg = string(action) if is_named else frozenset({string(action).type})
            args = (frozenset({actor.type}), text, frozenset({resource.type}))
            found = KindRules(self._specialiser.program("allow", args), self.demand)
            self._kinds[kind] = found
        return found

    def derivations(
        self,
        question: Question,
        facts: FactSnapshot,
        now: int,
        steps: Steps,
        hidden: frozenset[Fact],
    ) -> tuple[Derivations, Goal]:
        """Return an evaluation that has not begun, and the goal that the question is."""
        rules = self.rules(question)
        lookups = Lookups(facts, self.demand, steps)
        derivations = Derivations(rules, lookups, now, steps, hidden)
        actor, action, resource = question
        values = [actor, string(action), resource]
        if len(rules.entry.bound) == 2:
            del values[1]
        return derivations, (rules.entry, tuple(map(lookups.ids.add, values)))

    def proof(self, question: Question, facts: FactSnapshot, now: int, steps: Steps) -> Proof:
        """Return a proof that the question is permitted, as the program says it is."""
        derivations, goal = self.derivations(question, facts, now, steps, frozenset())
        found = proof_of_what_holds(derivations, goal)
        assert isinstance(found, Proof), "what is permitted is derived, never stored"
        return found

    def proofs(
        self, question: Question, facts: FactSnapshot, now: int, steps: Steps
    ) -> Iterator[Proof]:
        """Yield proofs of what is permitted, each of which does without some fact of every other one before it.

        After the first one each is looked for among the facts without some that those before rest on. All there
        are have been yielded when it ends. Raises EvaluationLimitReached.
        """
        found: list[tuple[frozenset[Fact], Proof]] = []
        hopeless: list[frozenset[Fact]] = []
        waiting = deque([frozenset[Fact]()])
        seen = set(waiting)
        while waiting:
            hidden = waiting.popleft()
            steps.spend()
            if any(one <= hidden for one in hopeless):
                continue
            proof = next((proof for used, proof in found if not used & hidden), None)
            if proof is None:
                proof = self._proof(question, facts, now, steps, hidden)
                if proof is None:
                    hopeless.append(hidden)
                    continue
                found.append((frozenset(proof.facts), proof))
                yield proof
            following = (hidden | {fact} for fact in proof.facts)
            new = [without for without in following if without not in seen]
            seen.update(new)
            waiting.extend(new)

    def _proof(
        self,
        question: Question,
        facts: FactSnapshot,
        now: int,
        steps: Steps,
        hidden: frozenset[Fact],
    ) -> Proof | None:
        """Return a proof that rests on no hidden fact, or None if there is none."""
        if not hidden:
            return self.proof(question, facts, now, steps)
        derivations, goal = self.derivations(question, facts, now, steps, hidden)
        if not derivations.holds(goal):
            return None
        found = proof_of(derivations, goal)
        assert isinstance(found, Proof), "what is permitted is derived, never stored"
        return found

    def misses(self, question: Question, facts: FactSnapshot, now: int, steps: Steps) -> Misses:
        """Return why the question is denied, which it is. Raises EvaluationLimitReached."""
        derivations, goal = self.derivations(question, facts, now, steps, frozenset())
        assert not derivations.holds(goal)
        return misses_of(derivations, goal)

    def changes(
        self,
        question: Question,
        facts: FactSnapshot,
        now: int,
        most: int,
        steps: Steps,
        budget: Budget,
    ) -> NearestChanges:
        """Return up to `most` smallest sets of changes by which the question, which is denied, is permitted.

        `steps` are for the search, `budget` for each evaluation with changes.
        """
        policy, program = self.loaded
        values = [question.actor, string(question.action), question.resource]
        named = [*values, *sorted(self._named)]
        asking = Asking(
            self.rules(question),
            self.demand,
            facts,
            now,
            tuple(values if self._is_any_action(question) else (values[0], values[2])),
            ExistingValues(facts, policy.shapes, named, steps),
            policy.accepts,
            lambda changed: program.permits(question, changed, now, budget),
        )
        return nearest_changes(asking, most, steps)

    def _is_any_action(self, question: Question) -> bool:
        return self.loaded.policy.actions[question.resource.type] is None
