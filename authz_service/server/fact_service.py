"""FactService: decode, ask the administration point or read the replica, encode."""

from authz.v1 import fact_service_pb2 as pb
from authz.v1.fact_service_pb2_grpc import FactServiceServicer

from authz_service.engine.engines import LoadedPolicy
from authz_service.facts.change import WriteRequest
from authz_service.facts.instant import instant_of
from authz_service.facts.page import page_of
from authz_service.pap.administration import PolicyAdministrationPoint
from authz_service.pdp.decide import utc_now
from authz_service.replica.replica import Replica
from authz_service.server import codec
from authz_service.server.boundary import Rpc


class FactService(FactServiceServicer):
    """The RPCs that write and read facts."""

    def __init__(self, pap: PolicyAdministrationPoint, replica: Replica[LoadedPolicy]) -> None:
        self._pap = pap
        self._replica = replica

    async def WriteFacts(  # noqa: N802 - the name is the contract's
        self,
        request: pb.WriteFactsRequest,
        context: Rpc,  # noqa: ARG002 - the generated signature
    ) -> pb.WriteFactsResponse:
        store = codec.store_name(request.store)
        written = await self._pap.write_facts(store, WriteRequest(codec.writes(request)))
        return pb.WriteFactsResponse(
            outcomes=codec.outcome_messages(written.results),
            consistency_token=str(written.token),
            policy_version=written.policy_version,
        )

    async def ReadFacts(  # noqa: N802
        self,
        request: pb.ReadFactsRequest,
        context: Rpc,  # noqa: ARG002
    ) -> pb.ReadFactsResponse:
        store = codec.store_name(request.store)
        pattern = codec.pattern(request.pattern)
        size = codec.page_size(request.page_size)
        after = codec.after_page(request.page_token, store, pattern)
        state = self._replica.state(store)
        page = page_of(state.facts_at(instant_of(utc_now())), pattern, size, after)
        return pb.ReadFactsResponse(
            facts=map(codec.fact_message, page.facts),
            next_page_token=(
                codec.page_token(store, pattern, page.facts[-1]) if page.has_more else ""
            ),
            consistency_token=str(state.token),
            policy_version=state.policy.version.version if state.policy else 0,
        )
