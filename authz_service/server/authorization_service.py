"""AuthorizationService: decode, ask the decision point, encode."""

import asyncio

from authz.v1 import authorization_service_pb2 as pb
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceServicer

from authz_service.errors import AuthzError, DeadlinePassed
from authz_service.pdp.decide import Decision, Moment, PolicyDecisionPoint
from authz_service.server import codec
from authz_service.server.boundary import Rpc, has_expired
from authz_service.server.status import TABLE
from authz_service.telemetry import Telemetry


class AuthorizationService(AuthorizationServiceServicer):
    """The RPCs that decide."""

    def __init__(
        self,
        pdp: PolicyDecisionPoint,
        telemetry: Telemetry,
        *,
        max_batch_questions: int,
    ) -> None:
        self._pdp = pdp
        self._telemetry = telemetry
        self._max_batch_questions = max_batch_questions

    async def Authorize(  # noqa: N802 - the name is the contract's
        self,
        request: pb.AuthorizeRequest,
        context: Rpc,  # noqa: ARG002 - the generated signature
    ) -> pb.AuthorizeResponse:
        store = codec.store_name(request.store)
        moment = self._pdp.moment(store)
        decision = await self._decide(moment, request)
        return pb.AuthorizeResponse(
            decision=_decision(decision),
            consistency_token=str(moment.state.token),
            policy_version=moment.policy.version.version,
            evaluated_at=codec.timestamp(moment.evaluated_at),
            decision_id=decision.decision_id,
        )

    async def BatchAuthorize(  # noqa: N802
        self, request: pb.BatchAuthorizeRequest, context: Rpc
    ) -> pb.BatchAuthorizeResponse:
        store = codec.store_name(request.store)
        codec.check_count(len(request.questions), self._max_batch_questions, "questions")
        moment = self._pdp.moment(store)
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
        )

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
