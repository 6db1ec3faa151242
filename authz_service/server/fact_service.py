"""FactService: decode, ask the administration point, the replica or the store, encode.

Facts are read from the database, which finds a page without a look at all the others. Streams go page by
page, at the pace of the caller, in threads: no page is made before the one before it was taken.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from authz.v1 import fact_service_pb2 as pb
from authz.v1.fact_service_pb2_grpc import FactServiceServicer

from authz_service.engine.engines import LoadedPolicy
from authz_service.errors import (
    AuthzError,
    MalformedValue,
    MissingField,
    RevisionUnknown,
    TokenOfAnotherStore,
)
from authz_service.facts.change import (
    About,
    DeleteMatching,
    WriteOutcome,
    WriteRequest,
)
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.pap.administration import FactsWritten, PolicyAdministrationPoint
from authz_service.pdp.decide import instant_now
from authz_service.replica.follower import Follower
from authz_service.replica.replica import Replica
from authz_service.server import codec
from authz_service.server.boundary import Rpc
from authz_service.server.watch import Watch
from authz_service.store.fact_store import FactStore
from authz_service.store.reading import check_same

_WRITE = re.compile(r"writes\[(\d+)\](\.insert)?")


class FactService(FactServiceServicer):
    """The RPCs that write, read and follow facts."""

    def __init__(
        self,
        pap: PolicyAdministrationPoint,
        facts: FactStore,
        replica: Replica[LoadedPolicy],
        follower: Follower,
    ) -> None:
        self._pap = pap
        self._facts = facts
        self._replica = replica
        self._follower = follower

    async def WriteFacts(  # noqa: N802 - the name is the contract's
        self,
        request: pb.WriteFactsRequest,
        context: Rpc,  # noqa: ARG002 - the generated signature
    ) -> pb.WriteFactsResponse:
        store = codec.store_name(request.store)
        written = await self._pap.write_facts(store, codec.write_request(request))
        return pb.WriteFactsResponse(
            outcomes=codec.outcome_messages(written.results),
            consistency_token=str(written.token),
            policy_version=written.policy_version,
            counts=codec.count_messages(written.results),
        )

    async def DeleteEntity(  # noqa: N802
        self,
        request: pb.DeleteEntityRequest,
        context: Rpc,  # noqa: ARG002
    ) -> pb.DeleteEntityResponse:
        everything = DeleteMatching(About(codec.entity(request)))
        key = codec.idempotency_key(request.idempotency_key)
        wanted = WriteRequest([everything], idempotency_key=key)
        written = await self._pap.write_facts(codec.store_name(request.store), wanted)
        return pb.DeleteEntityResponse(
            deleted=written.results[0].deleted, consistency_token=str(written.token)
        )

    async def ImportFacts(  # noqa: N802
        self,
        request_iterator: AsyncIterator[pb.ImportFactsRequest],
        context: Rpc,  # noqa: ARG002
    ) -> pb.ImportFactsResponse:
        outcomes: Counter[WriteOutcome] = Counter()
        store: str | None = None
        written: FactsWritten | None = None
        number = 0
        async for request in request_iterator:
            place = f"requests[{number}]"
            if store is None:
                store = codec.store_name(request.store)
            elif request.store and request.store != store:
                message = "an import goes to one store; begin another one for this"
                raise MalformedValue(message, field=f"{place}.store")
            written = await self._import(store, request, place)
            outcomes.update(result.outcome for result in written.results)
            number += 1
        if written is None:
            message = "the import has no requests; send at least one, which may be without facts"
            raise MissingField(message, field="requests[0]")
        return pb.ImportFactsResponse(
            created=outcomes[WriteOutcome.CREATED],
            existed=outcomes[WriteOutcome.EXISTED],
            changed=outcomes[WriteOutcome.CHANGED],
            consistency_token=str(written.token),
        )

    async def ReadFacts(  # noqa: N802
        self,
        request: pb.ReadFactsRequest,
        context: Rpc,  # noqa: ARG002
    ) -> pb.ReadFactsResponse:
        return await asyncio.to_thread(self._read, request)

    async def ExportFacts(  # noqa: N802
        self,
        request: pb.ExportFactsRequest,
        context: Rpc,  # noqa: ARG002
    ) -> AsyncIterator[pb.ExportFactsResponse]:
        store = codec.store_name(request.store)
        pattern = codec.pattern(request.pattern)
        moment = codec.moment(request, instant_now())
        now = await asyncio.to_thread(self._facts.token, store)
        revision, instant = await asyncio.to_thread(self._when, store, moment)
        export = await asyncio.to_thread(
            self._facts.export, store, pattern, revision=revision, instant=instant
        )
        check_same(store, now, export.token)
        yield pb.ExportFactsResponse(consistency_token=str(export.token))
        messages = codec.export_messages(export)
        while message := await asyncio.to_thread(_next_message, messages):
            yield message

    async def WatchFacts(  # noqa: N802
        self,
        request: pb.WatchFactsRequest,
        context: Rpc,  # noqa: ARG002
    ) -> AsyncIterator[pb.WatchFactsResponse]:
        store = codec.store_name(request.store)
        if request.start_token:
            start = codec.token(request.start_token, "start_token")
            await asyncio.to_thread(self._check_token, store, start, "start_token")
        else:
            start = await asyncio.to_thread(self._facts.token, store)
        watch = Watch(self._facts, self._replica, self._follower, store, start)
        async with aclosing(watch.messages()) as messages:
            async for message in messages:
                yield message

    async def _import(self, store: str, request: pb.ImportFactsRequest, place: str) -> FactsWritten:
        try:
            inserts = await asyncio.to_thread(codec.inserts, request)
            return await self._pap.write_facts(store, WriteRequest(inserts))
        except AuthzError as error:
            error.field = _place_in_import(error.field, place)
            raise

    def _read(self, request: pb.ReadFactsRequest) -> pb.ReadFactsResponse:
        """Return the page that is asked for: of one revision, and of the store that has the name now."""
        store = codec.store_name(request.store)
        size = codec.page_size(request.page_size)
        pattern = codec.pattern(request.pattern)
        moment = codec.moment(request, instant_now())
        now = self._facts.token(store)
        read = (now.incarnation, now.store, pattern, moment)
        revision, instant = self._when(store, moment)
        after = None
        if (place := codec.after_page(request.page_token, read)) is not None:
            revision, after = place
        page = self._facts.read(
            store, pattern, revision=revision, instant=instant, after=after, size=size
        )
        policy = self._facts.policy_at(store, page.revision)
        check_same(store, now, self._facts.token(store))
        response = pb.ReadFactsResponse(
            facts=[codec.fact_message(stored.fact) for stored in page.facts],
            consistency_token=str(page.token),
            policy_version=policy.version if policy else 0,
        )
        if page.has_more:
            response.next_page_token = codec.page_token(read, revision, page.facts[-1].fact)
        for number, stored in enumerate(page.facts):
            if (expires_at := codec.instant_message(stored.expires_at)) is not None:
                response.expires_at[number].CopyFrom(expires_at)
        return response

    def _when(self, store: str, moment: codec.Moment) -> tuple[Revision | None, Instant | None]:
        """Return revision and instant to read at; None for now, or for when the revision was made."""
        match moment:
            case None:
                return None, None
            case ConsistencyToken():
                return self._check_token(store, moment, "at_token"), None
            case instant:
                return self._facts.revision_at(instant), instant

    def _check_token(self, store: str, token: ConsistencyToken, field: str) -> Revision:
        try:
            return self._facts.check_token(store, token)
        except (RevisionUnknown, TokenOfAnotherStore) as error:
            error.field = field
            raise


def _place_in_import(field: str, place: str) -> str:
    """Return what a field of a write, or of a request alone, is called in the whole import."""
    found = _WRITE.match(field)
    if found is None:
        return f"{place}.{field}" if field else place
    fact = ".fact" if found[2] else ""
    return f"{place}.facts[{found[1]}]{fact}{field[found.end() :]}"


def _next_message(messages: Iterator[pb.ExportFactsResponse]) -> pb.ExportFactsResponse | None:
    return next(messages, None)
