"""One actor and one action over many resources: what all share is looked at once, then each is decided.

Rule: each outcome is what the same question asked alone would have come to, at that moment.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from authz_service.engine.program import Budget, Question
from authz_service.errors import AuthzError, DeadlinePassed
from authz_service.facts.fact import Fact
from authz_service.facts.value import Value
from authz_service.pdp.decide import Moment, PolicyDecisionPoint
from authz_service.pdp.lists import ResourceList
from authz_service.pdp.long_work import Caller

Outcome = bool | AuthzError
"""PERMIT or DENY, or why there is neither."""


class ManyResources(NamedTuple):
    """May `actor` perform `action` on each of these resources, all of one type?"""

    actor: Value
    action: str
    resource_type: str
    ids: Sequence[str]


async def decide_many(
    pdp: PolicyDecisionPoint, moment: Moment, asked: ManyResources, context_facts: Sequence[Fact]
) -> Sequence[Outcome]:
    """Decide for each resource at `moment`, as if `context_facts` were stored as well.

    Raises UnknownType, UnknownAction or UnusableFact for what concerns all of them.
    """
    ResourceList(asked.actor, asked.action, asked.resource_type).check(moment.policy.loaded.policy)
    return await pdp.long_work.run(
        partial(_decided, moment, asked, context_facts, Budget(pdp.evaluation_steps))
    )


def _decided(
    moment: Moment,
    asked: ManyResources,
    context_facts: Sequence[Fact],
    budget: Budget,
    caller: Caller,
) -> Sequence[Outcome]:
    facts = moment.facts_with(context_facts)
    now = moment.second
    permits = moment.policy.loaded.program.permits
    outcomes: list[Outcome] = []
    for identifier in asked.ids:
        caller.give_way()
        if caller.has_left:
            raise DeadlinePassed("nobody waits for the rest of the batch any more")
        question = Question(asked.actor, asked.action, Value(asked.resource_type, identifier))
        try:
            outcomes.append(permits(question, facts, now, budget))
        except AuthzError as error:
            outcomes.append(error)
    return outcomes
