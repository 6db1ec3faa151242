"""Lists over the wire: complete, in pages of one state, and typed errors instead of short ones."""

import base64
import json
import math
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import authz
import grpc
import pytest
from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import list_pb2
from authz.v1.authorization_service_pb2_grpc import AuthorizationServiceStub
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_service.engine.engines import Engine
from authz_service.errors import InvalidPageToken
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.facts.value import Value
from authz_service.pdp import lists
from authz_service.pdp.long_work import Caller, LongBudget
from authz_service.server import cursor
from authz_service.server import lists as list_rpcs
from authz_service.store.fact_store import FactStore

POLICY = """
actor User {}
resource Folder { roles = ["reader"]; }
resource Document {
  permissions = ["read", "edit", "share"];
  roles = ["reader", "editor"];
  relations = { folder: Folder };
  "read" if "reader";
  "read" if "editor";
  "edit" if "editor";
  "reader" if "reader" on "folder";
}
has_permission(_: User, "share", document: Document) if is_public(document) and not is_locked(document);
has_permission(user: User, "share", _: Document) if is_root(user);
has_permission(user: User, "read", document: Document) if is_root(user) and not is_locked(document);
resource Note { permissions = ["see"]; }
has_permission(user: User, "see", _: Note) if not is_banned(user);
"""

IDS = ("", "a", "b", "B", "zz", "Ä", "\U0001f600", "é", "e\u0301", "10", "9", "a b", "a:b")
DOCUMENTS = [identifier for identifier in IDS if identifier]
READS = [
    f'has_role(User:ann, "reader", Document:{json.dumps(one, ensure_ascii=False)})'
    for one in DOCUMENTS
]


def stub(service) -> AuthorizationServiceStub:
    return AuthorizationServiceStub(service.channel)


def request(**fields) -> pb.ListResourcesRequest:
    wanted = {"actor": {"type": "User", "id": "ann"}, "action": "read", "resource_type": "Document"}
    return pb.ListResourcesRequest(**(wanted | fields))


def messages(service, **fields) -> list[list_pb2.ListResourcesResponse]:
    return list(stub(service).ListResources(request(**fields), timeout=20))


def listed(service, **fields) -> list[str]:
    return [one for message in messages(service, **fields) for one in message.resource_ids]


def pages(service, size, *others, **fields) -> list[list_pb2.ListResourcesResponse]:
    """Return all messages of all pages; with `others`, each page comes from the next service."""
    services = [service, *others]
    found = messages(service, page_size=size, **fields)
    while token := found[-1].end.next_page_token:
        services.append(services.pop(0))
        fields.pop("consistency", None)
        found += messages(services[0], page_size=size, page_token=token, **fields)
    return found


def refusal(service, **fields) -> tuple[str, str, str]:
    """Return code, reason and field of the status."""
    with pytest.raises(grpc.RpcError) as caught:
        messages(service, **fields)
    reason = field = ""
    for detail in rpc_status.from_call(caught.value).details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            field = bad.field_violations[0].field
    return caught.value.code().name, reason, field


@pytest.fixture(params=[Engine.COMPILED, Engine.REFERENCE], ids=lambda engine: engine.value)
def filled(start, request):
    service = start(engine=request.param)
    service.client.publish_policy({"policy.polar": POLICY})
    service.client.write_facts(insert=READS)
    return service


@pytest.fixture
def service(start):
    service = start()
    service.client.publish_policy({"policy.polar": POLICY})
    service.client.write_facts(insert=READS)
    return service


def test_a_list_is_what_check_permits_in_the_order_of_bytes(filled):
    found = messages(filled)
    assert [m.resource_ids for m in found] == [sorted(DOCUMENTS, key=str.encode)]
    [message] = found
    assert message.end.complete
    assert message.origin.form == list_pb2.LIST_FORM_ONLY
    assert message.origin.size == len(DOCUMENTS)
    assert message.origin.policy_version == 1
    assert message.origin.consistency_token
    assert message.origin.HasField("age")
    decision = filled.client.authorize("User:ann", "read", authz.Entity("Document", "a"))
    assert decision.consistency_token == message.origin.consistency_token


def test_pages_of_every_size_are_the_list(service):
    whole = listed(service)
    for size in range(1, len(whole) + 2):
        found = pages(service, size)
        assert [one for message in found for one in message.resource_ids] == whole
        assert all(len(message.resource_ids) <= size for message in found)
        assert len({message.origin.SerializeToString() for message in found}) == 1


def test_long_lists_come_in_parts(service):
    ids = [f"d{number:05}" for number in range(2500)]
    service.client.import_facts(
        f'has_role(User:bob, "reader", Document:{one})' for one in reversed(ids)
    )
    found = messages(service, actor={"type": "User", "id": "bob"})
    assert [len(message.resource_ids) for message in found] == [1000, 1000, 500]
    assert [message.HasField("origin") for message in found] == [True, False, False]
    assert [message.HasField("end") for message in found] == [False, False, True]
    assert [one for message in found for one in message.resource_ids] == ids
    big_pages = pages(service, 1200, actor={"type": "User", "id": "bob"})
    assert [len(message.resource_ids) for message in big_pages] == [1000, 200, 1000, 200, 100]


def test_an_empty_list_has_a_beginning_and_an_end(service):
    [message] = messages(service, actor={"type": "User", "id": "nobody"})
    assert message.HasField("origin")
    assert message.origin.size == 0
    assert message.end.complete


def test_any_value_but_some_is_told_apart_from_results(filled):
    filled.client.write_facts(insert=["is_root(User:root)", "is_locked(Document:b)"])
    root = {"type": "User", "id": "root"}
    [message] = messages(filled, actor=root)
    assert message.origin.form == list_pb2.LIST_FORM_ANY_EXCEPT
    assert not message.resource_ids
    assert list(message.excepted_resource_ids) == ["b"]
    assert message.origin.size == 1
    [message] = messages(filled, actor=root, action="share")
    assert (message.origin.form, message.origin.size) == (list_pb2.LIST_FORM_ANY_EXCEPT, 0)
    found = pages(filled, 1, actor=root, context_facts=[fact("is_locked", "Document:a")])
    assert [list(message.excepted_resource_ids) for message in found] == [["a"], ["b"]]


def fact(predicate: str, *args: str) -> dict:
    return {
        "predicate": predicate,
        "args": [
            {"entity": dict(zip(("type", "id"), arg.split(":"), strict=True))} for arg in args
        ],
    }


def test_actors(filled):
    filled.client.write_facts(
        insert=['has_role(User:bob, "editor", Document:a)', "is_banned(User:eve)"]
    )
    asked = {"actor_type": "User", "action": "read", "resource": {"type": "Document", "id": "a"}}
    [message] = stub(filled).ListActors(pb.ListActorsRequest(**asked))
    assert list(message.actor_ids) == ["ann", "bob"]
    assert message.end.complete
    first, second = (
        stub(filled).ListActors(pb.ListActorsRequest(**asked, page_size=1, page_token=token))
        for token in (
            "",
            next(
                stub(filled).ListActors(pb.ListActorsRequest(**asked, page_size=1))
            ).end.next_page_token,
        )
    )
    assert [list(m.actor_ids) for m in (*first, *second)] == [["ann"], ["bob"]]
    asked = {"actor_type": "User", "action": "see", "resource": {"type": "Note", "id": "n"}}
    [message] = stub(filled).ListActors(pb.ListActorsRequest(**asked))
    assert message.origin.form == list_pb2.LIST_FORM_ANY_EXCEPT
    assert (list(message.actor_ids), list(message.excepted_actor_ids)) == ([], ["eve"])


def test_actions(filled):
    filled.client.write_facts(insert=['has_role(User:bob, "editor", Document:a)'])
    assert list(filled.client.list_actions("User:bob", "Document:a")) == ["edit", "read"]
    assert list(filled.client.list_actions("User:bob", "Document:b")) == []
    with_context = filled.client.list_actions(
        "User:bob", "Document:b", context_facts=["is_public(Document:b)"]
    )
    assert list(with_context) == ["share"]
    assert with_context.origin.size == 1


def first_token(service, **fields) -> str:
    return messages(service, page_size=2, **fields)[-1].end.next_page_token


def test_pages_are_of_one_state_whatever_is_written_or_published(service):
    whole = listed(service)
    token = first_token(service)
    [origin] = [message.origin for message in messages(service, page_size=2) if message.origin.size]
    service.client.write_facts(
        delete=READS[3:], insert=['has_role(User:ann, "reader", Document:new)']
    )
    service.client.publish_policy(
        {"policy.polar": POLICY.replace('"reader" if "reader" on', '"editor" if "reader" on')}
    )
    [message] = messages(service, page_token=token)
    assert list(message.resource_ids) == whole[2:]
    assert message.origin.consistency_token == origin.consistency_token
    assert message.origin.policy_version == 1
    assert "new" in listed(service)


def test_a_list_that_is_not_kept_any_more_is_made_again(service, monkeypatch):
    monkeypatch.setattr(lists, "_KEPT_SECONDS", 0.0)
    whole = listed(service)
    token = first_token(service)
    service.client.write_facts(delete=READS)
    time.sleep(0.6)
    assert listed(service, page_token=token) == whole[2:]


def test_facts_that_expire_between_pages_are_still_there(service):
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    service.client.write_facts(
        insert=[
            authz.StoredFact(f'has_role(User:bob, "reader", Document:{n})', soon) for n in "abcd"
        ]
    )
    bob = {"type": "User", "id": "bob"}
    token = first_token(service, actor=bob)
    before = messages(service, page_token=token, actor=bob)
    time.sleep(2.2)
    assert listed(service, actor=bob) == []
    after = messages(service, page_token=token, actor=bob)
    assert [list(m.resource_ids) for m in after] == [["c", "d"]]
    assert after == before


def test_another_process_goes_on_and_so_does_one_after_a_restart(service, start):
    other = start()
    whole = [list(message.resource_ids) for message in pages(service, 3)]
    assert [list(message.resource_ids) for message in pages(service, 3, other)] == whole
    token = first_token(service)
    service.client.write_facts(delete=READS)
    service.stop()
    other.stop()
    assert listed(start(), page_token=token) == [one for page in whole for one in page][2:]


def test_a_page_waits_for_a_process_that_lags(service, start, monkeypatch):
    other = start()
    monkeypatch.setattr("authz_service.replica.follower._LOOK_SECONDS", 3600.0)
    time.sleep(0.1)
    service.client.write_facts(insert=['has_role(User:ann, "reader", Document:zzz)'])
    whole = listed(service)
    assert "zzz" in whole
    assert listed(other, page_token=first_token(service)) == whole[2:]


REFUSED = ("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN", "page_token")


def test_a_page_token_that_was_changed_is_refused(service):
    token = first_token(service)
    for place in range(0, len(token), 7):
        other = "A" if token[place] != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        assert refusal(service, page_token=changed) == REFUSED
    last = chr(ord(token[-1]) + 1)
    for changed in (
        token[:-1],
        token[1:],
        token + "A",
        token[:-1] + last,
        "x",
        "W10",
        "bnVsbA",
        "WyIiXQ",
        "[" * 999,
    ):
        assert refusal(service, page_token=changed) == REFUSED
    data = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for place, value in enumerate([*data]):
        other = data.copy()
        other[place] = value + 1 if isinstance(value, int | float) else f"{value}x"
        text = base64.urlsafe_b64encode(json.dumps(other, ensure_ascii=False).encode()).rstrip(b"=")
        assert refusal(service, page_token=text.decode()) == REFUSED


@pytest.mark.parametrize(
    "other",
    [
        {"actor": {"type": "User", "id": "bob"}},
        {"action": "edit"},
        {"resource_type": "Note", "action": "see"},
        {"context_facts": [fact("is_locked", "Document:b")]},
    ],
    ids=str,
)
def test_a_page_token_of_another_request_is_refused(service, other):
    assert refusal(service, page_token=first_token(service), **other) == REFUSED


def test_a_page_token_of_another_form_is_refused():
    """Such as one that an earlier version has signed."""
    wanted = lists.ResourceList(Value("User", "u"), "read", "Document")
    key = lists.ListKey(ConsistencyToken("0" * 16, 1, Revision(1)), Instant(5), wanted, ())
    token = cursor.cursor_text(cursor.Cursor(key, None, "d"), b"key")
    assert cursor.read_cursor(token, b"key", wanted, ()).key == key
    place = [str(key.state), 5, None, "d"]
    signature = cursor._signature(b"key", place, wanted, ())
    earlier = cursor._encoded(json.dumps([signature, *place]).encode())
    with pytest.raises(InvalidPageToken):
        cursor.read_cursor(earlier, b"key", wanted, ())


def test_context_facts_must_be_the_same_on_every_page(service):
    context = [fact("is_root", "User:ann")]
    token = messages(service, page_size=2, context_facts=[fact("is_locked", "Document:b")])[-1].end
    assert refusal(service, page_token=token.next_page_token, context_facts=context) == REFUSED
    assert refusal(service, page_token=token.next_page_token) == REFUSED


def test_a_token_for_actors_is_none_for_resources(service):
    service.client.write_facts(insert=['has_role(User:bob, "reader", Document:a)'])
    asked = pb.ListActorsRequest(
        actor_type="User", action="read", resource={"type": "Document", "id": "a"}, page_size=1
    )
    [message] = stub(service).ListActors(asked)
    assert refusal(service, page_token=message.end.next_page_token) == REFUSED


def test_a_page_token_of_another_store_is_refused(service):
    token = first_token(service)
    service.client.create_store("other")
    with authz.Client(service.target, store="other", timeout=10) as client:
        client.publish_policy({"policy.polar": POLICY})
        client.write_facts(insert=READS)
    assert refusal(service, page_token=token, store="other") == REFUSED
    token = first_token(service, store="other")
    service.client.delete_store("other")
    assert refusal(service, page_token=token, store="other")[:2] == ("NOT_FOUND", "STORE_NOT_FOUND")
    service.client.create_store("other")
    assert refusal(service, page_token=token, store="other") == REFUSED


def test_a_page_token_of_a_life_before_is_refused(service, start, tmp_path):
    token = first_token(service)
    service.stop()
    store = FactStore.open(f"sqlite:///{tmp_path / 'authz.db'}")
    store.begin_life()
    store.close()
    expected = ("FAILED_PRECONDITION", "REVISION_UNKNOWN", "page_token")
    assert refusal(start(), page_token=token) == expected


def test_a_page_token_of_what_the_database_has_lost_is_refused(service, tmp_path):
    """Also by the process that keeps the list, though nothing was written since the database was restored."""

    def copy(source: str, target: str) -> None:
        with (
            closing(sqlite3.connect(tmp_path / source, timeout=20)) as one,
            closing(sqlite3.connect(tmp_path / target, timeout=20)) as other,
        ):
            one.backup(other)

    copy("authz.db", "backup.db")
    service.client.write_facts(insert=['has_role(User:ann, "reader", Document:lost)'])
    token = first_token(service)
    assert "lost" in listed(service)
    copy("backup.db", "authz.db")
    end = time.monotonic() + 20
    while "lost" in listed(service):
        assert time.monotonic() < end
        time.sleep(0.05)
    expected = ("FAILED_PRECONDITION", "REVISION_UNKNOWN", "page_token")
    assert refusal(service, page_token=token) == expected


def test_a_page_token_of_another_database_is_refused(service, start, tmp_path):
    other = start(database_url=f"sqlite:///{tmp_path / 'other.db'}")
    other.client.publish_policy({"policy.polar": POLICY})
    assert refusal(other, page_token=first_token(service)) == REFUSED


def test_history_that_is_gone_is_compacted(service, start, tmp_path):
    token = first_token(service)
    service.client.write_facts(delete=READS)
    service.stop()
    store = FactStore.open(
        f"sqlite:///{tmp_path / 'authz.db'}", clock=lambda: datetime.now(UTC) + timedelta(days=40)
    )
    store.compact(timedelta(days=30))
    store.close()
    assert refusal(start(), page_token=token) == ("OUT_OF_RANGE", "COMPACTED", "page_token")


def test_wrong_requests(service):
    assert refusal(service, page_size=-1) == ("INVALID_ARGUMENT", "MALFORMED_VALUE", "page_size")
    both = {"page_token": first_token(service), "consistency": {"fully_consistent": True}}
    assert refusal(service, **both) == ("INVALID_ARGUMENT", "MALFORMED_VALUE", "consistency")
    assert refusal(service, resource_type="") == (
        "INVALID_ARGUMENT",
        "MISSING_FIELD",
        "resource_type",
    )
    assert refusal(service, resource_type="Docment") == (
        "INVALID_ARGUMENT",
        "UNKNOWN_TYPE",
        "resource_type",
    )
    assert refusal(service, action="raed") == ("INVALID_ARGUMENT", "UNKNOWN_ACTION", "action")
    assert refusal(service, actor={"type": "Document", "id": "x"})[1:] == (
        "UNKNOWN_TYPE",
        "actor.type",
    )
    assert refusal(service, context_facts=[fact("nonsense", "User:x")]) == (
        *("INVALID_ARGUMENT", "UNUSABLE_FACT"),
        "context_facts[0].predicate",
    )
    assert refusal(service, store="none")[1] == "STORE_NOT_FOUND"
    assert refusal(service, consistency={"exactly": "x"})[1] == "INVALID_TOKEN"


def test_a_demand_holds_for_lists(service, start, monkeypatch):
    monkeypatch.setattr("authz_service.replica.follower._LOOK_SECONDS", 3600.0)
    other = start()
    written = service.client.write_facts(delete=READS[:1])
    token = written.consistency_token
    assert len(listed(other)) == len(DOCUMENTS)
    demand = {"at_least_as_fresh": {"consistency_tokens": [token]}}
    assert len(listed(other, consistency=demand)) == len(DOCUMENTS) - 1
    service.client.write_facts(delete=READS)
    assert listed(other, consistency={"fully_consistent": True}) == []
    found = pages(other, 2, consistency={"exactly": token})
    assert len([one for message in found for one in message.resource_ids]) == len(DOCUMENTS) - 1
    assert not found[0].origin.HasField("age")


def test_a_limit_ends_a_list_with_an_error(start):
    service = start(list_steps=5)
    service.client.publish_policy({"policy.polar": POLICY})
    service.client.write_facts(insert=READS)
    with pytest.raises(authz.LimitReached, match="list_steps") as caught:
        list(service.client.list_resources("User:ann", "read", "Document"))
    assert caught.value.reason == "EVALUATION_LIMIT_REACHED"


def test_a_deadline_in_the_middle_ends_a_list_with_an_error(service, monkeypatch):
    """The reader takes so long that the deadline passes between two parts."""
    monkeypatch.setattr(list_rpcs, "_IDS_IN_A_MESSAGE", 1)
    checks = []

    def expires(rpc) -> bool:
        checks.append(rpc)
        return len(checks) > 4

    monkeypatch.setattr(list_rpcs, "has_expired", expires)
    taken = []
    with pytest.raises(grpc.RpcError) as caught:
        taken.extend(stub(service).ListResources(request(), timeout=20))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "DEADLINE_PASSED" in str(caught.value.trailing_metadata())
    assert not taken or not taken[-1].HasField("end")


def test_work_for_a_list_ends_when_its_caller_leaves():
    caller = Caller(None)
    caller._began = math.inf  # it never gives way
    budget = LongBudget(10_000_000, caller, "")
    steps = iter(budget.each)
    assert [next(steps) for _ in range(3)] == [0, 1, 2]
    caller.has_left = True
    assert len(list(steps)) < 5000
    assert list(iter(budget.each)) == []
    whole = LongBudget(10_000, caller, "")
    caller.has_left = False
    assert list(whole.each) == list(whole.each) == list(range(10_000))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1), unique=True))
def test_the_order_is_that_of_bytes(ids):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "_AT_ONCE", 3)
        found = lists.in_order(ids, lambda: None)
        assert found == tuple(sorted(ids, key=str.encode))


def made(count: int, policy_version: int = 1) -> lists.List:
    ids = tuple(map(str, range(count)))
    return lists.List(ids, is_any_except=False, policy_version=policy_version, memory=100 * count)


def test_what_is_kept_is_bounded():
    now = [0.0]
    kept = lists.Lists(None, list_steps=1, kept_bytes=1000, clock=lambda: now[0])
    for name in range(50):
        kept.keep(name, made(3))
        assert kept.kept_bytes <= 1000
    assert [name for name in range(50) if kept.kept(name)] == [47, 48, 49]
    kept.keep("huge", made(11))
    assert kept.kept("huge") is None
    kept.kept(47)
    kept.keep("new", made(3))
    assert kept.kept(48) is None
    assert kept.kept(47)
    now[0] = 61.0
    kept.forget_idle()
    assert kept.kept_bytes == 0
    assert kept.kept(47) is None
