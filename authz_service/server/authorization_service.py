"""AuthorizationService: decode, ask the decision point, encode."""

import asyncio

from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceServicer

from authz_service.errors import AuthzError, DeadlinePassed, RevisionUnknown, TokenOfAnotherStore
from authz_service.pdp.consistency import Freshness
from authz_service.pdp.decide import Decision, Moment, PolicyDecisionPoint
from authz_service.server import codec
from authz_service.server.boundary import Rpc, has_expired
from authz_service.server.demands import TOKENS, consistency
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
        demand = consistency(request.consistency)
        if demand is None:
            return self._pdp.moment(store)
        try:
            applied = await self._freshness.reached(store, demand, rpc.time_remaining())
        except (RevisionUnknown, TokenOfAnotherStore) as error:
            error.field = TOKENS
            raise
        if has_expired(rpc):
            message = "the deadline passed before the demanded state was there"
            raise DeadlinePassed(message)
        return self._pdp.moment_of(store, applied)

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
