"""AuthorizationService: decode, ask the decision point, encode."""

import asyncio
from collections.abc import AsyncIterator

from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import explain_pb2 as explain_pb
from authz.v1 import list_pb2, query_pb2
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceServicer

from authz_service.errors import AuthzError, DeadlinePassed, InvalidRequest, MalformedValue
from authz_service.pdp.decide import Decision, Moment, PolicyDecisionPoint
from authz_service.pdp.explain import Explanations
from authz_service.pdp.many import decide_many
from authz_service.pdp.queries import Queries
from authz_service.server import codec, explain, many
from authz_service.server.boundary import Rpc, has_expired
from authz_service.server.lists import ListRpcs
from authz_service.server.moments import Moments, origin
from authz_service.server.query import answer_messages, query
from authz_service.telemetry import Telemetry

_MANY_TIMES_MORE = 10
"""So many more resources than questions one batch may have."""


class AuthorizationService(AuthorizationServiceServicer):
    """The RPCs that decide."""

    def __init__(  # noqa: PLR0913 - what answers, one for each kind of question
        self,
        pdp: PolicyDecisionPoint,
        moments: Moments,
        lists: ListRpcs,
        queries: Queries,
        explanations: Explanations,
        telemetry: Telemetry,
        *,
        max_batch_questions: int,
    ) -> None:
        self._pdp = pdp
        self._moments = moments
        self._lists = lists
        self._queries = queries
        self._explanations = explanations
        self._telemetry = telemetry
        self._max_batch_questions = max_batch_questions

    async def Authorize(  # noqa: N802 - the name is the contract's
        self,
        request: pb.AuthorizeRequest,
        context: Rpc,
    ) -> pb.AuthorizeResponse:
        if request.HasField("consistency"):
            moment = await self._moments.demanded(request, context)
        else:
            moment = self._pdp.moment(codec.store_name(request.store))
        decision = await self._decide(moment, request)
        return pb.AuthorizeResponse(
            decision=_decision(decision),
            decision_id=decision.decision_id,
            rules=await self._rules(moment, request, decision) if request.name_rules else (),
            **origin(moment),
        )

    async def _rules(
        self, moment: Moment, request: pb.AuthorizeRequest, decision: Decision
    ) -> list[explain_pb.PolicyRule]:
        """Return the rules by which the question is permitted, none if it is not."""
        if not decision.permitted:
            return []
        facts = codec.context_facts(request)
        spans = await self._explanations.rules_of(moment, codec.question(request), facts)
        return explain.rule_messages(spans)

    async def Explain(  # noqa: N802
        self, request: pb.ExplainRequest, context: Rpc
    ) -> pb.ExplainResponse:
        question, facts = codec.question(request), codec.context_facts(request)
        most_proofs = explain.most_proofs(request)
        most_changes = explain.most_changes(request)
        moment = await self._moments.of(request, context)
        found = await self._explanations.explain(
            moment, question, facts, most_proofs=most_proofs, most_changes=most_changes
        )
        response = pb.ExplainResponse(
            decision=pb.DECISION_PERMIT if found.permitted else pb.DECISION_DENY,
            **origin(moment),
        )
        sent = frozenset(facts)
        stored = moment.facts
        explain.fill_response(response, found, lambda fact: fact in sent and fact not in stored)
        return response

    async def BatchAuthorize(  # noqa: N802
        self, request: pb.BatchAuthorizeRequest, context: Rpc
    ) -> pb.BatchAuthorizeResponse:
        self._check_batch(request)
        moment = await self._moments.of(request, context)
        results: list[pb.QuestionResult] = []
        decisions: pb.ManyDecisions | None = None
        if request.HasField("many_resources"):
            decisions = await self._decide_many(moment, request.many_resources)
        for question in request.questions:
            _check_deadline(context)
            results.append(await self._result(moment, question))
            await asyncio.sleep(0)  # other callers get their turn between two questions
        _check_deadline(context)
        return pb.BatchAuthorizeResponse(
            results=results,
            many_decisions=decisions,
            **origin(moment),
        )

    async def Query(  # noqa: N802
        self, request: pb.QueryRequest, context: Rpc
    ) -> AsyncIterator[query_pb2.QueryResponse]:
        asked = query(request)
        context_facts = codec.context_facts(request)
        moment = await self._moments.of(request, context)
        rows = await self._queries.rows(moment, asked, context_facts)
        messages = answer_messages(moment, asked, rows)
        while message := await asyncio.to_thread(next, messages, None):
            _check_deadline(context)
            yield message

    def ListResources(  # noqa: N802
        self, request: pb.ListResourcesRequest, context: Rpc
    ) -> AsyncIterator[list_pb2.ListResourcesResponse]:
        return self._lists.resources(request, context)

    def ListActors(  # noqa: N802
        self, request: pb.ListActorsRequest, context: Rpc
    ) -> AsyncIterator[list_pb2.ListActorsResponse]:
        return self._lists.actors(request, context)

    async def ListActions(  # noqa: N802
        self, request: pb.ListActionsRequest, context: Rpc
    ) -> list_pb2.ListActionsResponse:
        return await self._lists.actions(request, context)

    def _check_batch(self, request: pb.BatchAuthorizeRequest) -> None:
        codec.check_count(len(request.questions), self._max_batch_questions, "questions")
        if not request.HasField("many_resources"):
            return
        if request.questions:
            text = "a batch has either `questions` or `many_resources`; send two"
            raise MalformedValue(text, field="many_resources")
        most = _MANY_TIMES_MORE * self._max_batch_questions
        count = len(request.many_resources.resource_ids)
        codec.check_count(count, most, "many_resources.resource_ids")

    async def _decide_many(self, moment: Moment, message: pb.ManyResources) -> pb.ManyDecisions:
        # So many ids take a while to be read and answered, too, in which others could not ask.
        run = self._pdp.long_work.run
        try:
            asked = await run(lambda _: many.asked(message))
            decided = await decide_many(self._pdp, moment, asked.questions, asked.context_facts)
        except InvalidRequest as error:
            raise error.inside("many_resources") from None
        decision_id = self._pdp.decision_id()
        answer = await run(lambda _: many.answered(asked, decided, decision_id))
        for outcome, count in answer.counts.items():
            self._telemetry.decisions[moment.state.store, outcome] += count
        return answer.message

    async def _result(self, moment: Moment, question: pb.Question) -> pb.QuestionResult:
        try:
            decision = await self._decide(moment, question)
        except AuthzError as error:
            return pb.QuestionResult(error=many.error_message(error))
        return pb.QuestionResult(decision=_decision(decision), decision_id=decision.decision_id)

    async def _decide(self, moment: Moment, message: codec.AnyQuestion) -> Decision:
        outcome = "error"
        try:
            question = codec.question(message)
            decision = await self._pdp.decide(moment, question, codec.context_facts(message))
            outcome = "permit" if decision.permitted else "deny"
            return decision
        finally:
            self._telemetry.decisions[moment.state.store, outcome] += 1


def _decision(decision: Decision) -> pb.Decision:
    return pb.DECISION_PERMIT if decision.permitted else pb.DECISION_DENY


def _check_deadline(rpc: Rpc) -> None:
    if has_expired(rpc):
        message = "the deadline passed before all questions were decided"
        raise DeadlinePassed(message)
