"""Writing, importing, exporting and following facts, over a real server."""

import asyncio
import base64
import contextlib
import itertools
import json
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import authz
import grpc
import pytest
from authz import StoredFact, WriteOutcome
from authz.v1 import fact_service_pb2 as pb
from authz.v1.fact_service_pb2_grpc import FactServiceStub
from examples import fact

from authz_service.facts.change import Insert, WriteRequest
from authz_service.store.fact_store import FactStore

POLICY = """actor User {}
resource Doc { roles = ["reader", "writer"]; permissions = ["read"]; "read" if "reader"; "read" if "writer"; }
"""
READS = ("User:ann", "read", "Doc:x")


def role(user: str, name: str = "reader", doc: str = "x") -> str:
    return f'has_role(User:{user}, "{name}", Doc:{doc})'


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture
def client(service):
    service.client.publish_policy({"policy.polar": POLICY})
    return service.client


def facts(client, pattern=None, **options) -> list[str]:
    return sorted(map(str, client.read_facts(pattern, **options)))


# Writing.


def test_deleting_and_replacing_by_pattern(client):
    client.write_facts(insert=[role("ann"), role("bob"), role("ann", "writer", "y")])
    done = client.write_facts(
        delete_matching=["has_role(User:bob, _, _)", "has_role(User:nobody, _, _)"],
        replace={"has_role(User:ann, _, _)": [role("ann"), role("ann", "writer")]},
    )
    assert done.outcomes == (WriteOutcome.DELETED, WriteOutcome.MISSING, WriteOutcome.REPLACED)
    assert [(one.inserted, one.changed, one.deleted) for one in done.counts] == [
        (0, 0, 1),
        (0, 0, 0),
        (1, 0, 1),
    ]
    assert facts(client) == [role("ann"), role("ann", "writer")]


def test_a_fact_counts_until_it_expires(client):
    at = soon(3)
    assert client.write_facts(insert=[StoredFact(role("ann"), at)]).outcomes == (
        WriteOutcome.CREATED,
    )
    assert [one.expires_at for one in client.read_stored_facts()] == [at]
    assert client.authorize(*READS)
    while decision := client.authorize(*READS):
        assert decision.evaluated_at < at
        time.sleep(0.05)
    assert decision.evaluated_at >= at
    assert facts(client) == []


def test_another_expiry_is_a_change(client):
    at = soon(60)
    for expires_at, outcome in (
        (at, WriteOutcome.CREATED),
        (at, WriteOutcome.EXISTED),
        (None, WriteOutcome.CHANGED),
    ):
        done = client.write_facts(insert=[StoredFact(role("ann"), expires_at)])
        assert done.outcomes == (outcome,)
    assert [one.expires_at for one in client.read_stored_facts()] == [None]


def test_preconditions(client):
    client.write_facts(insert=[role("ann")], if_not_exists=["has_role(_, _, Doc:x)"])
    with pytest.raises(authz.PreconditionFailed) as refused:
        client.write_facts(
            insert=[role("bob")], if_exists=["has_role"], if_not_exists=["has_role(_, _, Doc:x)"]
        )
    assert refused.value.field == "preconditions[1]"
    assert facts(client) == [role("ann")]


def test_a_repeated_write_has_one_effect(client):
    def write(fact):
        return client.write_facts(insert=[fact], idempotency_key="k1")

    first = write(role("ann"))
    client.write_facts(delete=[role("ann")])
    assert write(role("ann")) == first
    assert facts(client) == []
    with pytest.raises(authz.InvalidRequest) as refused:
        write(role("bob"))
    assert (refused.value.reason, refused.value.field) == (
        "IDEMPOTENCY_KEY_REUSED",
        "idempotency_key",
    )


def test_everything_about_an_entity_is_deleted(client):
    client.write_facts(insert=[role("ann"), role("ann", "writer", "y"), role("bob")])
    assert client.delete_entity("User:ann").deleted == 2
    assert client.delete_entity("User:ann").deleted == 0
    assert client.delete_entity("Doc:x").deleted == 1
    assert facts(client) == []


ROLE = {
    "predicate": "has_role",
    "args": [
        {"entity": {"type": "User", "id": "a"}},
        {"text": "reader"},
        {"entity": {"type": "Doc", "id": "x"}},
    ],
}
WRONG = {**ROLE, "args": [*ROLE["args"][:2], {"entity": {"type": "Dox", "id": "x"}}]}
BY_NAME = {"predicate": "has_role"}
PAST = {"seconds": 1}


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        (
            {"writes": [{"insert": ROLE, "expires_at": PAST}]},
            "EXPIRY_PASSED",
            "writes[0].expires_at",
        ),
        (
            {"writes": [{"delete": ROLE, "expires_at": PAST}]},
            "MALFORMED_VALUE",
            "writes[0].expires_at",
        ),
        (
            {"writes": [{"insert": ROLE, "expires_at": {"seconds": -1}}]},
            "MALFORMED_VALUE",
            "writes[0].expires_at",
        ),
        (
            {"writes": [{"insert": ROLE, "expires_at": {"nanos": 10**9}}]},
            "MALFORMED_VALUE",
            "writes[0].expires_at",
        ),
        ({"writes": [{"replace": {}}]}, "MISSING_FIELD", "writes[0].replace.pattern"),
        (
            {"writes": [{"replace": {"pattern": BY_NAME, "inserts": [{"fact": WRONG}]}}]},
            "UNKNOWN_TYPE",
            "writes[0].replace.inserts[0].fact.args[2].entity.type",
        ),
        (
            {
                "writes": [
                    {
                        "replace": {
                            "pattern": {"predicate": "other"},
                            "inserts": [{"fact": ROLE}],
                        }
                    }
                ]
            },
            "MALFORMED_VALUE",
            "writes[0].replace.inserts[0]",
        ),
        (
            {"writes": [{"replace": {"pattern": BY_NAME, "inserts": [{"fact": ROLE}] * 1001}}]},
            "REQUEST_TOO_LARGE",
            "writes",
        ),
        (
            {"writes": [{"delete_matching": {"args": [{}]}}]},
            "MISSING_FIELD",
            "writes[0].delete_matching.args[0]",
        ),
        ({"writes": [{}]}, "MISSING_FIELD", "writes[0]"),
        (
            {"writes": [{"insert": ROLE}], "preconditions": [{}]},
            "MISSING_FIELD",
            "preconditions[0]",
        ),
        (
            {"writes": [{"insert": ROLE}], "preconditions": [{"must_exist": {}}] * 101},
            "REQUEST_TOO_LARGE",
            "preconditions",
        ),
        (
            {"writes": [{"insert": ROLE}], "idempotency_key": "k" * 129},
            "MALFORMED_VALUE",
            "idempotency_key",
        ),
    ],
    ids=range(13),
)
def test_bad_writes(service, client, request_, reason, field):
    with pytest.raises(grpc.RpcError) as caught:
        FactServiceStub(service.channel).WriteFacts(pb.WriteFactsRequest(**request_))
    error = authz._status.error_of_call(caught.value, "", 0)
    assert (error.reason, error.field) == (reason, field)
    assert facts(client) == []


@pytest.mark.parametrize("pattern", ["_", "_(_)", "_(_, _, _)"])
def test_a_pattern_that_says_nothing_deletes_nothing(client, pattern):
    """Most likely something was left out; where nothing goes it is a pattern like any other."""
    client.write_facts(insert=[role("ann")], if_not_exists=[pattern])
    for field, write in (
        ("writes[1].delete_matching", {"delete": [role("bob")], "delete_matching": [pattern]}),
        ("writes[0].replace.pattern", {"replace": {pattern: [role("bob")]}}),
    ):
        with pytest.raises(authz.InvalidRequest, match="name a predicate") as refused:
            client.write_facts(**write)
        assert (refused.value.reason, refused.value.field) == ("MISSING_FIELD", field)
    assert facts(client) == [role("ann")]


@pytest.mark.parametrize("pattern", ["has_role", "_(User:_, _, _)", '_(_, "reader", _)'])
def test_a_pattern_that_says_something_deletes(client, pattern):
    client.write_facts(insert=[role("ann")])
    client.write_facts(delete_matching=[pattern])
    assert facts(client) == []


# Import and export.


def test_an_import_is_exported_again(client):
    at = soon(3600)
    everything = {f"u{n}": (at if n % 2 else None) for n in range(2500)}
    result = client.import_facts(StoredFact(role(u), at) for u, at in everything.items())
    assert (result.created, result.existed, result.changed) == (2500, 0, 0)
    export = client.export_facts()
    assert {str(one.fact): one.expires_at for one in export} == {
        role(user): at for user, at in everything.items()
    }
    again = client.import_facts(StoredFact(role(u), None) for u in everything)
    assert (again.created, again.existed, again.changed) == (0, 1250, 1250)


def test_an_export_is_of_one_state(client):
    client.import_facts(role(f"u{n}") for n in range(3000))
    export = client.export_facts("has_role(_, _, Doc:x)")
    first = next(export)
    changed = client.write_facts(delete_matching=["has_role"], insert=[role("new")])
    assert len({str(one.fact) for one in [first, *export]}) == 3000
    assert export.consistency_token != changed.consistency_token
    assert len(facts(client, at=export.consistency_token)) == 3000
    assert facts(client) == [role("new")]


def test_an_export_is_of_the_life_in_which_its_state_was_found(client, monkeypatch):
    """Its revision is another one after a restore."""
    token = client.write_facts(insert=[role("ann")]).consistency_token
    export = FactStore.export

    def restored(self, *arguments, **options):
        self.begin_life()
        return export(self, *arguments, **options)

    monkeypatch.setattr(FactStore, "export", restored)
    with pytest.raises(authz.Refused, match="restored meanwhile"):
        list(client.export_facts(at=token))


def test_an_import_that_is_refused_names_the_fact(client):
    wrong = [*(role(f"u{n}") for n in range(1500)), 'has_role(User:a, "owner", Doc:x)']
    with pytest.raises(authz.InvalidRequest) as refused:
        client.import_facts(wrong)
    assert refused.value.field == "requests[1].facts[500].fact.args[1]"
    assert len(facts(client)) == 1000
    with pytest.raises(authz.InvalidRequest) as refused:
        client.import_facts([StoredFact(role("late"), soon(-1))])
    assert refused.value.field == "requests[0].facts[0].expires_at"


def test_an_import_whose_facts_fail_is_given_up(client):
    def broken():
        yield from (role(f"u{n}") for n in range(1100))
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        client.import_facts(broken())
    with pytest.raises(authz.InvalidRequest, match="column"):
        client.import_facts(["has_role("])
    assert len(facts(client)) in (0, 1000)
    assert client.import_facts([]).created == 0


@pytest.mark.usefixtures("client")
def test_asyncio_clients_import_and_export(service):
    async def main():
        async def some():
            for number in range(1001):
                yield role(f"u{number}")

        async with authz.AsyncClient(service.target, timeout=10) as other:
            assert (await other.import_facts(some())).created == 1001
            assert (await other.import_facts([role("ann")])).created == 1
            with pytest.raises(authz.InvalidRequest):
                await other.import_facts(['has_role(User:a, "owner", Doc:x)'] * 5000)
            export = await other.export_facts()
            assert len([one async for one in export]) == 1002
            assert export.consistency_token

    asyncio.run(main())


# The past.


def test_facts_of_an_earlier_moment(client):
    first = client.write_facts(insert=[role("ann")]).consistency_token
    between = datetime.now(UTC)
    client.write_facts(delete=[role("ann")], insert=[role("bob"), role("cyd")])
    for at in (first, between):
        assert facts(client, at=at) == [role("ann")]
        assert [str(one.fact) for one in client.export_facts(at=at)] == [role("ann")]
    assert facts(client, page_size=1) == [role("bob"), role("cyd")]
    assert facts(client, at=datetime(2001, 1, 1, tzinfo=UTC)) == []
    with pytest.raises(authz.InvalidRequest, match="not past") as refused:
        facts(client, at=soon(60))
    assert refused.value.field == "at_time"
    with pytest.raises(authz.InvalidRequest) as refused:
        facts(client, at="nonsense")
    assert (refused.value.reason, refused.value.field) == ("INVALID_TOKEN", "at_token")


def test_reading_holds_up_no_question(client, monkeypatch):
    client.write_facts(insert=[role("ann")])
    assert client.authorize(*READS)
    read = FactStore.read

    def slowly(*args, **options):
        time.sleep(1)
        return read(*args, **options)

    monkeypatch.setattr(FactStore, "read", slowly)
    with ThreadPoolExecutor() as pool:
        before = time.monotonic()
        reading = [pool.submit(facts, client), pool.submit(facts, client, at=soon(-0.001))]
        while not all(one.done() for one in reading):
            assert client.authorize(*READS, timeout=0.8)
        assert time.monotonic() - before >= 1
    assert reading[0].result() == [role("ann")]


def test_pages_of_a_past_time_are_of_one_revision(client, tmp_path):
    """Though a process whose clock is slow commits more in the past meanwhile."""
    client.write_facts(insert=[role("ann"), role("bob")])
    at = datetime.now(UTC)
    reading = client.read_facts(at=at, page_size=1)
    read = [str(next(reading))]
    store = FactStore.open(f"sqlite:///{tmp_path / 'authz.db'}", clock=lambda: at)
    late = fact(role("cyd"))
    store.write("default", WriteRequest([Insert(late)]))
    store.close()
    assert [*read, *map(str, reading)] == [role("ann"), role("bob")]
    assert facts(client, at=at) == [role("ann"), role("bob"), role("cyd")]


def page(service, **request):
    return FactServiceStub(service.channel).ReadFacts(pb.ReadFactsRequest(**request))


def test_page_tokens_of_other_reads_and_changed_ones(service, client):
    """Of another store of the same name, pattern or moment, or with any part changed."""
    client.create_store("other")
    now = {"store": "other", "page_size": 1}
    with authz.Client(service.target, store="other", timeout=10) as other:
        other.publish_policy({"policy.polar": POLICY})
        first = other.write_facts(insert=[role("ann"), role("bob")]).consistency_token
        client.write_facts(insert=[role("ann"), role("bob")])
        past = {**now, "at_token": first}
        tokens = {
            name: page(service, **read).next_page_token
            for name, read in {"now": now, "past": past}.items()
        }
        assert len(page(service, **now, page_token=tokens["now"]).facts) == 1
        assert len(page(service, **past, page_token=tokens["past"]).facts) == 1
        wrong = [
            {**now, "page_token": tokens["past"]},
            {**past, "page_token": tokens["now"]},
            {**now, "store": "default", "page_token": tokens["now"]},
            {**now, "pattern": {"predicate": "has_role"}, "page_token": tokens["now"]},
            {**now, "page_token": changed_place(tokens["now"], "eve")},
            {**now, "page_token": changed_place(tokens["now"], "\ud800")},
            {**now, "page_token": changed_place(tokens["now"], "a\0b")},
            {**now, "page_token": changed_place(tokens["now"], 5)},
            {**now, "page_token": encoded("[" * 100_000)},
            {**now, "page_token": tokens["now"][:-4]},
        ]
        for request in wrong:
            assert_page_token_refused(service, request)
        client.delete_store("other")
        client.create_store("other")
        other.publish_policy({"policy.polar": POLICY})
        other.write_facts(insert=[role("ann"), role("bob")])
        assert_page_token_refused(service, {**now, "page_token": tokens["now"]})


def assert_page_token_refused(service, request):
    with pytest.raises(grpc.RpcError) as caught:
        page(service, **request)
    error = authz._status.error_of_call(caught.value, "", 0)
    assert (error.reason, error.field) == ("INVALID_PAGE_TOKEN", "page_token"), request


def changed_place(token: str, identifier: object) -> str:
    place = json.loads(base64.urlsafe_b64decode(token))
    place[3][1] = identifier
    return encoded(json.dumps(place))


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def test_history_that_is_no_longer_kept(client, tmp_path):
    first = client.write_facts(insert=[role("ann")]).consistency_token
    client.write_facts(insert=[role("bob")])
    store = FactStore.open(f"sqlite:///{tmp_path / 'authz.db'}")
    store.compact(timedelta(0))
    store.close()
    for ask in (
        lambda: facts(client, at=first),
        lambda: list(client.export_facts(at=first)),
        lambda: next(client.watch_facts(first)),
    ):
        with pytest.raises(authz.Compacted) as gone:
            ask()
        assert gone.value.reason == "COMPACTED"


# Following.


def changes(watching, count: int) -> list[authz.FactChange]:
    return list(itertools.islice((one for one in watching if not one.is_checkpoint), count))


def test_every_token_is_told(client):
    start = next(client.watch_facts()).consistency_token
    at = soon(3600)
    tokens = [
        client.write_facts(insert=[role("ann"), StoredFact(role("bob"), at)]).consistency_token,
        client.write_facts(insert=[role("ann")]).consistency_token,
        client.write_facts(insert=[role("bob")], delete=[role("ann")]).consistency_token,
        client.publish_policy({"policy.polar": POLICY + "# new\n"}).consistency_token,
    ]
    told = changes(client.watch_facts(start), 3)
    assert [one.consistency_token for one in told] == [tokens[0], *tokens[2:]]
    assert tokens[1] == tokens[0]
    assert set(told[0].inserted) == {StoredFact(role("ann")), StoredFact(role("bob"), at)}
    assert told[1].deleted == (authz.Fact.parse(role("ann")),)
    assert told[1].changed == (StoredFact(role("bob")),)
    assert told[2].policy_version == 2
    assert changes(client.watch_facts(told[1].consistency_token), 1) == told[2:]


def test_expiry_is_told_apart_from_deletion(client):
    watching = client.watch_facts()
    next(watching)
    client.write_facts(insert=[StoredFact(role("ann"), soon(2))])
    _, gone = changes(watching, 2)
    assert (gone.expired, gone.deleted) == ((authz.Fact.parse(role("ann")),), ())


def test_a_large_revision_is_told_whole(client):
    client.import_facts(role(f"u{n}") for n in range(2500))
    watching = client.watch_facts()
    next(watching)
    client.write_facts(delete_matching=["has_role"])
    [change] = changes(watching, 1)
    assert len(set(change.deleted)) == 2500


def test_other_stores_are_not_told_and_the_end_of_a_store_is(service, client):
    client.create_store("other")
    with authz.Client(service.target, store="other", timeout=10) as other:
        other.publish_policy({"policy.polar": POLICY})
        watching, mine = other.watch_facts(), client.watch_facts()
        next(watching), next(mine)
        client.write_facts(insert=[role("ann")])
        other.write_facts(insert=[role("eve")])
        gone = client.delete_store("other")
        first, last = (one for one in watching if not one.is_checkpoint)
        assert first.inserted == (StoredFact(role("eve")),)
        assert last.store_event is authz.StoreEvent.DELETED
        assert last.consistency_token == gone
        assert changes(mine, 1)[0].inserted == (StoredFact(role("ann")),)
        client.create_store("other")
        with pytest.raises(authz.InvalidRequest) as refused:
            next(other.watch_facts(gone))
        assert (refused.value.reason, refused.value.field) == (
            "TOKEN_OF_ANOTHER_STORE",
            "start_token",
        )


def test_a_watcher_goes_on_when_the_service_comes_back(start):
    """Nothing is missing and nothing comes twice; the stop does not wait for watchers."""
    first = start(shutdown_seconds=30)
    port = int(first.target.rpartition(":")[2])
    first.client.publish_policy({"policy.polar": POLICY})
    told: list[authz.FactChange] = []
    began = threading.Event()

    def watch():
        with authz.Client(first.target, timeout=20) as client:
            for change in client.watch_facts():
                began.set()
                if not change.is_checkpoint:
                    told.append(change)
                if len(told) == 3:
                    return

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert began.wait(10)
    first.client.write_facts(insert=[role("ann")])
    before = time.monotonic()
    first.stop()
    assert time.monotonic() - before < 10
    second = start(listen=f"127.0.0.1:{port}")
    second.client.write_facts(insert=[role("bob")])
    second.client.write_facts(insert=[role("cyd")])
    watcher.join(20)
    assert [[str(one.fact) for one in change.inserted] for change in told] == [
        [role("ann")],
        [role("bob")],
        [role("cyd")],
    ]


def test_a_watcher_learns_of_a_restore(client, tmp_path):
    watching = client.watch_facts(timeout=1)
    token = next(watching).consistency_token
    store = FactStore.open(f"sqlite:///{tmp_path / 'authz.db'}")
    store.begin_life()
    store.close()
    with pytest.raises(authz.Refused) as refused:
        next(watching)
    assert refused.value.reason == "REVISION_UNKNOWN"
    with pytest.raises(authz.Refused):
        next(client.watch_facts(token))


class Relay:
    """Passes bytes on between clients and a target, until `lose` drops without a word what its connections carry."""

    def __init__(self, target: str) -> None:
        self._address = target.split(":")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._lost = threading.Event()
        self._ended = threading.Semaphore(0)
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self) -> None:
        self._lost.set()
        self._lost = threading.Event()

    def close(self) -> None:
        """Call when the clients are closed."""
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for _ in self._sockets:
            self._ended.acquire(timeout=5)
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._address)
                self._sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(
                        target=self._pass, args=(*pair, self._lost), daemon=True
                    ).start()

    def _pass(self, source, to, lost) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not lost.is_set():
                    to.sendall(data)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_RDWR)
        self._ended.release()


def test_a_watcher_finds_out_that_its_connection_was_lost(service, client, monkeypatch):
    """No end of the stream tells it; and as long as it is quiet and not lost, nothing ends it."""
    quick = {
        "grpc.keepalive_time_ms": 1500,
        "grpc.keepalive_timeout_ms": 1000,
        "grpc.http2.ping_timeout_ms": 1000,
    }
    options = {**dict(authz._client.CHANNEL_OPTIONS), **quick}
    assert options.keys() == dict(authz._client.CHANNEL_OPTIONS).keys()
    monkeypatch.setattr("authz._client.CHANNEL_OPTIONS", tuple(options.items()))
    relay = Relay(service.target)
    with authz.Client(relay.target, timeout=10) as other:
        watching = other.watch_facts()
        next(watching)
        time.sleep(7)
        assert "WatchFacts" not in "".join(
            line for line in metrics(service) if "handled_total" in line
        )
        relay.lose()
        client.write_facts(insert=[role("ann")])
        [change] = changes(watching, 1)
        assert change.inserted == (StoredFact(role("ann")),)
        watching.close()
    relay.close()


def metrics(service) -> list[str]:
    url = f"http://127.0.0.1:{service.metrics_port}/metrics"
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode().splitlines()


@pytest.mark.usefixtures("client")
def test_asyncio_clients_watch(service):
    async def main():
        async with authz.AsyncClient(service.target, timeout=10) as other:
            watching = other.watch_facts()
            assert (await anext(watching)).is_checkpoint
            await other.write_facts(insert=[role("ann")])
            change = await anext(watching)
            assert change.inserted == (StoredFact(role("ann")),)
            await watching.aclose()

    asyncio.run(main())


# Stores.


def test_stores_are_isolated(service, client):
    token = client.create_store("other")
    assert token
    assert client.list_stores() == ["default", "other"]
    with pytest.raises(authz.AlreadyExists) as refused:
        client.create_store("other")
    assert (refused.value.reason, refused.value.field) == ("STORE_EXISTS", "store")
    with authz.Client(service.target, store="other", timeout=10) as other:
        with pytest.raises(authz.NotReady):
            other.authorize(*READS)
        other.publish_policy({"policy.polar": POLICY})
        other.write_facts(insert=[role("ann")])
        assert other.authorize(*READS)
        assert not client.authorize(*READS)
        client.delete_store("other")
        with pytest.raises(authz.NotFound):
            other.authorize(*READS)
    with pytest.raises(authz.NotFound):
        client.delete_store("other")
    with pytest.raises(authz.Refused) as refused:
        client.delete_store("default")
    assert refused.value.reason == "STORE_PROTECTED"
    for name in ("", "a\n", "x" * 129):
        with pytest.raises(authz.InvalidRequest):
            client.create_store(name)
    assert client.list_stores() == ["default"]
