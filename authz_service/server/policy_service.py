"""PolicyService: decode, ask the administration point, encode."""

from collections.abc import Awaitable, Callable

from authz.v1 import policy_service_pb2 as pb
from authz.v1.policy_service_pb2_grpc import PolicyServiceServicer

from authz_service.errors import MalformedValue
from authz_service.pap.administration import PolicyAdministrationPoint
from authz_service.server import codec
from authz_service.server.boundary import Rpc
from authz_service.server.status import findings_message


class PolicyService(PolicyServiceServicer):
    """The RPCs that publish and return policies. `on_published` runs before the caller hears of it."""

    def __init__(
        self,
        pap: PolicyAdministrationPoint,
        on_published: Callable[[], Awaitable[None]],
    ) -> None:
        self._pap = pap
        self._on_published = on_published

    async def PublishPolicy(  # noqa: N802 - the name is the contract's
        self,
        request: pb.PublishPolicyRequest,
        context: Rpc,  # noqa: ARG002 - the generated signature
    ) -> pb.PublishPolicyResponse:
        store = codec.store_name(request.store)
        published = await self._pap.publish(
            store,
            codec.policy_files(request),
            skip_tests=request.skip_tests,
            force=request.force,
        )
        await self._on_published()
        return pb.PublishPolicyResponse(
            policy_version=published.version.version,
            consistency_token=str(published.token),
            warnings=findings_message(published.warnings),
            tests=published.tests,
        )

    async def GetPolicy(  # noqa: N802
        self,
        request: pb.GetPolicyRequest,
        context: Rpc,  # noqa: ARG002
    ) -> pb.GetPolicyResponse:
        store = codec.store_name(request.store)
        if request.policy_version < 0:
            message = "versions count from 1; 0 means the active one"
            raise MalformedValue(message, field="policy_version")
        found = await self._pap.published(store, request.policy_version or None)
        version = found.version
        return pb.GetPolicyResponse(
            files=[pb.PolicyFile(name=file.name, text=file.text) for file in version.files],
            policy_version=version.version,
            published_at=codec.timestamp(version.published_at),
            consistency_token=str(found.token),
        )
