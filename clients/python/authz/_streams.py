"""The calls that are streams: imports, exports, watching. What they send, and what they make of what comes.

Nothing here knows of channels, so that both clients share it.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from authz._call import Call, reading, refusing_the_unrepresentable, stated_text, stated_time
from authz._fact import AnyFact, FactPattern, StoredFact, to_stored
from authz._results import FactChange, ImportResult, StoreEvent
from authz._wire import Moment, pattern_message, read_fact, read_stored, set_moment, stored_message
from authz.errors import UnexpectedAnswer
from authz.v1 import fact_service_pb2 as pb

IMPORT: Final = "/authz.v1.FactService/ImportFacts"

CHUNK: Final = 1000
"""So many facts go in one request of an import; the service commits each of them whole."""

_EVENTS: Final = {
    pb.STORE_EVENT_UNSPECIFIED: None,
    pb.STORE_EVENT_CREATED: StoreEvent.CREATED,
    pb.STORE_EVENT_DELETED: StoreEvent.DELETED,
}


def import_requests(store: str, facts: Iterable[AnyFact]) -> Iterator[bytes]:
    """Yield at least one request, as the first one names the store."""
    remaining = to_stored(facts)
    chunk = list(islice(remaining, CHUNK))
    while True:
        yield import_request(store, chunk)
        chunk = list(islice(remaining, CHUNK))
        if not chunk:
            return


@refusing_the_unrepresentable()
def import_request(store: str, chunk: Iterable[StoredFact]) -> bytes:
    request = pb.ImportFactsRequest(store=store, facts=map(stored_message, chunk))
    return request.SerializeToString()


def _import_result(response: pb.ImportFactsResponse) -> ImportResult:
    return ImportResult(
        response.created,
        response.existed,
        response.changed,
        stated_text(response.consistency_token, "consistency_token"),
    )


read_import_result: Final = reading(pb.ImportFactsResponse, _import_result)


@refusing_the_unrepresentable()
def export_facts(
    store: str, pattern: FactPattern | None, at: Moment
) -> Call[tuple[str, list[StoredFact]]]:
    """Return the call whose answers are each a token, which may be empty, and facts."""
    wanted = None if pattern is None else pattern_message(pattern)
    request = pb.ExportFactsRequest(store=store, pattern=wanted)
    set_moment(request, at)
    return Call(
        "/authz.v1.FactService/ExportFacts",
        request.SerializeToString(),
        reading(
            pb.ExportFactsResponse,
            lambda response: (response.consistency_token, list(map(read_stored, response.facts))),
        ),
        repeatable=False,
    )


class Following:
    """Where a watcher is: what it asks for next, and what it makes of the answers.

    A revision that comes in parts is put together, so that a change is always a whole revision.
    """

    def __init__(self, store: str, start_token: str) -> None:
        self._store = store
        self._token = start_token
        self._parts: list[pb.WatchFactsResponse] = []
        self._is_over = False

    @refusing_the_unrepresentable()
    def call(self) -> Call[FactChange | None]:
        """Return the call that goes on from here. Parts of a revision that is not whole are asked for again."""
        self._parts.clear()
        request = pb.WatchFactsRequest(store=self._store, start_token=self._token)
        return Call(
            "/authz.v1.FactService/WatchFacts",
            request.SerializeToString(),
            reading(pb.WatchFactsResponse, self._read),
            repeatable=True,
        )

    def _read(self, response: pb.WatchFactsResponse) -> FactChange | None:
        """Return a change once it is whole; a checkpoint where this watcher is already tells nothing."""
        self._parts.append(response)
        token = response.consistency_token
        if not token or (token == self._token and not response.HasField("committed_at")):
            return None
        change = _change(self._parts)
        self._parts.clear()
        self._token = token
        self._is_over = change.store_event is StoreEvent.DELETED
        return change

    def check_end(self) -> None:
        """Raise unless the store is gone: whoever follows it must not take another end for that."""
        if not self._is_over:
            raise UnexpectedAnswer(
                "the service stopped telling what happens, though the store is there"
            )


def _change(parts: list[pb.WatchFactsResponse]) -> FactChange:
    last = parts[-1]
    if last.store_event not in _EVENTS:
        raise UnexpectedAnswer(f"expected what became of the store, found {last.store_event}")
    return FactChange(
        consistency_token=last.consistency_token,
        committed_at=stated_time(last, "committed_at") if last.HasField("committed_at") else None,
        inserted=tuple(read_stored(one) for part in parts for one in part.inserted),
        changed=tuple(read_stored(one) for part in parts for one in part.changed),
        deleted=tuple(read_fact(one) for part in parts for one in part.deleted),
        expired=tuple(read_fact(one) for part in parts for one in part.expired),
        policy_version=last.policy_version,
        store_event=_EVENTS[last.store_event],
    )
