"""AuthorizationService: decode, ask the decision point, encode."""

import asyncio

from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceServicer

from authz_service.errors import (
    AuthzError,
    Compacted,
    DeadlinePassed,
    RevisionUnknown,
    TokenOfAnotherStore,
)
from authz_service.facts.instant import instant_of
from authz_service.pdp.consistency import (
    AsOf,
    AtLeastAsFresh,
    Consistency,
    Exactly,
    Freshness,
    FullyConsistent,
)
from authz_service.pdp.decide import Decision, Moment, PolicyDecisionPoint, utc_now
from authz_service.server import codec
from authz_service.server.boundary import Rpc, has_expired
from authz_service.server.demands import consistency, field_of
from authz_service.server.status import TABLE
from authz_service.telemetry import Telemetry


class AuthorizationService(AuthorizationServiceServicer):
    """The RPCs that decide."""

    def __init__(
        self,
        pdp: PolicyDecisionPoint,
        freshness: Freshness,
        telemetry: Telemetry,
        *,
        max_batch_questions: int,
    ) -> None:
        self._pdp = pdp
        self._freshness = freshness
        self._telemetry = telemetry
        self._max_batch_questions = max_batch_questions

    async def Authorize(  # noqa: N802 - the name is the contract's
        self,
        request: pb.AuthorizeRequest,
        context: Rpc,
    ) -> pb.AuthorizeResponse:
        if request.HasField("consistency"):
            moment = await self._demanded(request, context)
        else:
            moment = self._pdp.moment(codec.store_name(request.store))
        decision = await self._decide(moment, request)
        return pb.AuthorizeResponse(
            decision=_decision(decision),
            consistency_token=str(moment.state.token),
            policy_version=moment.policy.version.version,
            evaluated_at=codec.timestamp(moment.evaluated_at),
            decision_id=decision.decision_id,
            age=None if moment.age is None else codec.duration(moment.age),
        )

    async def BatchAuthorize(  # noqa: N802
        self, request: pb.BatchAuthorizeRequest, context: Rpc
    ) -> pb.BatchAuthorizeResponse:
        codec.check_count(len(request.questions), self._max_batch_questions, "questions")
        if request.HasField("consistency"):
            moment = await self._demanded(request, context)
        else:
            moment = self._pdp.moment(codec.store_name(request.store))
        results = []
        for question in request.questions:
            if has_expired(context):
                message = "the deadline passed before all questions were decided"
                raise DeadlinePassed(message)
            results.append(await self._result(moment, question))
            await asyncio.sleep(0)  # other callers get their turn between two questions
        return pb.BatchAuthorizeResponse(
            results=results,
            consistency_token=str(moment.state.token),
            policy_version=moment.policy.version.version,
            evaluated_at=codec.timestamp(moment.evaluated_at),
            age=None if moment.age is None else codec.duration(moment.age),
        )

    async def _demanded(
        self, request: pb.AuthorizeRequest | pb.BatchAuthorizeRequest, rpc: Rpc
    ) -> Moment:
        """Return a moment that meets what `request` demands, as soon as there is one."""
        store = codec.store_name(request.store)
        demand = consistency(request.consistency, instant_of(utc_now()))
        if demand is None:
            return self._pdp.moment(store)
        try:
            moment = await self._met(store, demand, rpc.time_remaining())
        except (RevisionUnknown, TokenOfAnotherStore, Compacted) as error:
            error.field = field_of(demand)
            raise
        if has_expired(rpc):
            message = "the deadline passed before the demanded state was there"
            raise DeadlinePassed(message)
        return moment

    async def _met(self, store: str, demand: Consistency, seconds: float | None) -> Moment:
        match demand:
            case AtLeastAsFresh() | FullyConsistent():
                applied = await self._freshness.reached(store, demand, seconds)
                return self._pdp.moment_of(store, applied)
            case Exactly() | AsOf():
                state, instant = await self._freshness.past(store, demand, seconds)
                return self._pdp.moment_in_the_past(state, instant)

    async def _result(self, moment: Moment, question: pb.Question) -> pb.QuestionResult:
        try:
            decision = await self._decide(moment, question)
        except AuthzError as error:
            return pb.QuestionResult(
                error=pb.QuestionError(
                    code=TABLE[type(error)].value[0],
                    reason=error.reason,
                    message=error.message,
                    field=error.field,
                )
            )
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
