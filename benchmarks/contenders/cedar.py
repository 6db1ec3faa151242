"""Cedar, as `cedarpy` offers it to Python. Policies and entities are parsed beforehand.

A call costs more than its decisions. Hence a request costs what a batch of many costs more than a batch of
fewer, divided by the difference; it includes that request and answer are handed over as text.

Of a small store these are 2n and n. A difference of two short times is noisy: of each batch the best of some
rounds counts, which favours Cedar, as questions then repeat. A large store is asked each question once, as the
other engines are: what a question looks for is not in the processor's cache because it was asked just before.
There the batches are all questions but one, and one. What it costs in rounds stands beside.
"""

import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import cedarpy

from authz_service.engine.program import Question
from authz_service.facts.value import Value
from contenders.contender import MOST_FOR_ROUNDS, ROUNDS, Asked, Limits, Timed, frozen
from workloads.cedar_entities import uid
from workloads.workload import Store


class Cedar:
    """Cedar with the entities of a store."""

    name = "cedar"

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def load(self, store: Store) -> Asked:
        policies = cedarpy.PolicySet.from_str(store.workload.text("cedar"))
        entities = store.workload.cedar(store.facts, store.size)
        parsed = cedarpy.Entities.from_json_str(json.dumps(entities))
        loaded = _Loaded(policies, parsed)
        return loaded.ask_in_rounds if len(store.facts) <= MOST_FOR_ROUNDS else loaded.ask_once


class _Batch(NamedTuple):
    """The decisions of a batch, and its seconds of CPU."""

    decisions: list[bool]
    cpu: float


class _Loaded(NamedTuple):
    """Policies and entities, parsed."""

    policies: cedarpy.PolicySet
    entities: cedarpy.Entities

    def ask_in_rounds(self, questions: Sequence[Question]) -> Timed:
        requests = [_request(question) for question in questions]
        half = len(requests) // 2
        decisions = self._batch(requests).decisions
        with frozen():
            rounds = [
                (self._batch(requests[:half]).cpu, self._batch(requests).cpu) for _ in range(ROUNDS)
            ]
        fewer, all_ = map(min, zip(*rounds, strict=True))
        return Timed(decisions, (all_ - fewer) / (len(requests) - half))

    def ask_once(self, questions: Sequence[Question]) -> Timed:
        requests = [_request(question) for question in questions]
        with frozen():
            one, others = self._batch(requests[:1]), self._batch(requests[1:])
        cpu = (others.cpu - one.cpu) / (len(requests) - 2)
        again = self.ask_in_rounds(questions).cpu
        return Timed([*one.decisions, *others.decisions], cpu, again=again)

    def _batch(self, requests: Sequence[dict[str, Any]]) -> _Batch:
        start = time.process_time()
        answers = cedarpy.is_authorized_batch(requests, self.policies, self.entities)
        cpu = time.process_time() - start
        for answer in answers:
            if answer.diagnostics.errors:
                raise RuntimeError(answer.diagnostics.errors)
        return _Batch([answer.allowed for answer in answers], cpu)


def _request(question: Question) -> dict[str, Any]:
    return {
        "principal": uid(question.actor),
        "action": uid(Value("Action", question.action)),
        "resource": uid(question.resource),
    }
