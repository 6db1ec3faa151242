"""StoreService: decode, ask the administration point, encode."""

from authz.v1 import store_service_pb2 as pb
from authz.v1.store_service_pb2_grpc import StoreServiceServicer

from authz_service.pap.administration import PolicyAdministrationPoint
from authz_service.server import codec
from authz_service.server.boundary import Rpc


class StoreService(StoreServiceServicer):
    """The RPCs that make, list and delete stores."""

    def __init__(self, pap: PolicyAdministrationPoint) -> None:
        self._pap = pap

    async def CreateStore(  # noqa: N802 - the name is the contract's
        self,
        request: pb.CreateStoreRequest,
        context: Rpc,  # noqa: ARG002 - the generated signature
    ) -> pb.CreateStoreResponse:
        token = await self._pap.create_store(codec.new_store_name(request.store))
        return pb.CreateStoreResponse(consistency_token=str(token))

    async def ListStores(  # noqa: N802
        self,
        request: pb.ListStoresRequest,  # noqa: ARG002
        context: Rpc,  # noqa: ARG002
    ) -> pb.ListStoresResponse:
        names = await self._pap.stores()
        return pb.ListStoresResponse(stores=[pb.Store(name=name) for name in names])

    async def DeleteStore(  # noqa: N802
        self,
        request: pb.DeleteStoreRequest,
        context: Rpc,  # noqa: ARG002
    ) -> pb.DeleteStoreResponse:
        token = await self._pap.delete_store(codec.new_store_name(request.store))
        return pb.DeleteStoreResponse(consistency_token=str(token))
