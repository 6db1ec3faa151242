"""Cedar, as `cedarpy` offers it to Python. Policies and entities are parsed beforehand.

A call costs more than its decisions. Hence a request costs what a batch of 2n costs more than a batch of n,
divided by n; it includes that request and answer are handed over as text. A difference of two short times
is noisy: of each batch the best of some rounds counts, which favours Cedar, as questions then repeat.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

import cedarpy

from authz_service.engine.program import Question
from authz_service.facts.value import Value
from contenders.contender import ROUNDS, Asked, Limits, Timed, frozen
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
        return lambda questions: _ask(questions, policies, parsed)


def _ask(
    questions: Sequence[Question], policies: cedarpy.PolicySet, entities: cedarpy.Entities
) -> Timed:
    requests = [_request(question) for question in questions]
    half = len(requests) // 2

    def cost(batch: Sequence[dict[str, Any]]) -> float:
        start = time.process_time()
        cedarpy.is_authorized_batch(batch, policies, entities)
        return time.process_time() - start

    answers = cedarpy.is_authorized_batch(requests, policies, entities)
    for answer in answers:
        if answer.diagnostics.errors:
            raise RuntimeError(answer.diagnostics.errors)
    with frozen():
        rounds = [(cost(requests[:half]), cost(requests)) for _ in range(ROUNDS)]
    fewer, all_ = map(min, zip(*rounds, strict=True))
    more = (all_ - fewer) / (len(requests) - half)
    return Timed([answer.allowed for answer in answers], more)


def _request(question: Question) -> dict[str, Any]:
    return {
        "principal": uid(question.actor),
        "action": uid(Value("Action", question.action)),
        "resource": uid(question.resource),
    }
