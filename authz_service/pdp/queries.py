"""Queries: all rows that answer one, whole, or an error."""

from collections.abc import Sequence
from functools import partial

from authz_service.engine.program import Query, Row
from authz_service.facts.fact import Fact
from authz_service.pdp.decide import Moment
from authz_service.pdp.long_work import Caller, LongBudget, LongWork

_LIMIT = (
    "the query needed more than {} steps; limit more of its variables, ask with more conditions, or raise "
    "`query_steps`"
)


class Queries:
    """Answers queries in threads. `query_steps` bounds the work for one."""

    def __init__(self, work: LongWork, *, query_steps: int) -> None:
        self._work = work
        self._query_steps = query_steps

    async def rows(self, moment: Moment, query: Query, context_facts: Sequence[Fact]) -> set[Row]:
        """Return all rows that answer `query` at `moment`, as if `context_facts` were stored as well.

        Raises what `Program.query` does, and UnusableFact.
        """
        return await self._work.run(partial(_rows, moment, query, context_facts, self._query_steps))


def _rows(
    moment: Moment, query: Query, context_facts: Sequence[Fact], steps: int, caller: Caller
) -> set[Row]:
    facts = moment.facts_with(context_facts)
    now = moment.second
    budget = LongBudget(steps, caller, _LIMIT.format(steps))
    return moment.policy.loaded.program.query(query, facts, now, budget)
