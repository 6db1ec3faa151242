"""What a running server promises beside its answers: health, reflection, metrics, pages, deadlines."""

import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import authz
import grpc
import pytest
from authz.v1 import authorization_service_pb2 as pb
from authz.v1 import fact_service_pb2
from authz.v1.fact_service_pb2_grpc import FactServiceStub
from examples import fact_lines, policy_text
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from authz_service.facts.fact import Fact
from authz_service.facts.value import Value, boolean, integer, string

SERVICES = [
    f"authz.v1.{name}"
    for name in ("AuthorizationService", "FactService", "PolicyService", "StoreService")
]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def ready(service):
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    service.client.write_facts(insert=fact_lines("security_company"))
    return service


def health(service, name):
    stub = health_pb2_grpc.HealthStub(service.channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=name)).status


def metrics(service) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.metrics_port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_health_follows_the_policy(service):
    assert [health(service, name) for name in (*SERVICES, "")] == [
        NOT_SERVING,
        NOT_SERVING,
        SERVING,
        SERVING,
        NOT_SERVING,
    ]
    service.client.publish_policy({"policy.polar": policy_text("github")})
    assert {health(service, name) for name in (*SERVICES, "")} == {SERVING}


def test_reflection_is_enough_to_ask(ready):
    """A client without stubs finds the services, builds the messages and gets the decision."""
    stub = reflection_pb2_grpc.ServerReflectionStub(ready.channel)

    def ask(**fields):
        request = reflection_pb2.ServerReflectionRequest(**fields)
        return next(stub.ServerReflectionInfo(iter([request])))

    listed = ask(list_services="").list_services_response.service
    assert set(SERVICES) <= {service.name for service in listed}

    pool = descriptor_pool.DescriptorPool()
    found = ask(file_containing_symbol="authz.v1.AuthorizationService").file_descriptor_response
    files = [descriptor_pb2.FileDescriptorProto.FromString(f) for f in found.file_descriptor_proto]
    known: set[str] = set()
    while files:
        file = files.pop(0)
        missing = set(file.dependency) - known
        for name in missing:
            more = ask(file_by_filename=name).file_descriptor_response.file_descriptor_proto
            files[:0] = [descriptor_pb2.FileDescriptorProto.FromString(f) for f in more]
        if missing:
            files.append(file)
        elif file.name not in known:
            pool.Add(file)
            known.add(file.name)

    method = pool.FindServiceByName("authz.v1.AuthorizationService").FindMethodByName("Authorize")
    request_type = message_factory.GetMessageClass(method.input_type)
    response_type = message_factory.GetMessageClass(method.output_type)
    request = request_type(
        actor={"type": "Employee", "id": "alice"},
        action="disarm",
        resource={"type": "SecuritySystem", "id": "s1"},
    )
    call = ready.channel.unary_unary(
        "/authz.v1.AuthorizationService/Authorize",
        request_serializer=request_type.SerializeToString,
        response_deserializer=response_type.FromString,
    )
    decision = call(request).decision
    assert method.output_type.fields_by_name["decision"].enum_type.values_by_number[
        decision
    ].name == ("DECISION_PERMIT")


def test_metrics(ready):
    ready.client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
    ready.client.authorize("Employee:bob", "disarm", "SecuritySystem:s1")
    with pytest.raises(authz.InvalidRequest):
        ready.client.authorize("Employee:bob", "disram", "SecuritySystem:s1")
    # An RPC is counted when it has ended, and its caller may know of that a moment earlier.
    end = time.monotonic() + 10
    found = metrics(ready)
    while not any("INVALID_ARGUMENT" in key for key in found) and time.monotonic() < end:
        found = metrics(ready)
    rpc = 'grpc_service="authz.v1.AuthorizationService",grpc_method="Authorize"'
    swapped = 'grpc_method="Authorize",grpc_service="authz.v1.AuthorizationService"'

    def value(name: str, *labels: str) -> float:
        [number] = [
            v for key, v in found.items() if key.startswith(name) and all(x in key for x in labels)
        ]
        return number

    assert value("authz_decisions_total", 'store="default"', 'outcome="permit"') == 1
    assert value("authz_decisions_total", 'store="default"', 'outcome="deny"') == 1
    assert value("authz_decisions_total", 'store="default"', 'outcome="error"') == 1
    assert value("authz_facts", 'store="default"') == len(fact_lines("security_company"))
    assert value("authz_revision") == 2
    assert value("authz_policy_version") == 1
    assert value("grpc_server_handled_total", 'grpc_method="Authorize"', 'grpc_code="OK"') == 2
    assert value("grpc_server_handled_total", '="Authorize"', '="INVALID_ARGUMENT"') == 1
    assert value("grpc_server_handling_seconds_count", 'grpc_method="Authorize"') == 3
    assert value("grpc_server_handling_seconds_sum", 'grpc_method="Authorize"') > 0
    assert any(rpc in name or swapped in name for name in found)


def test_answers_say_what_they_are_based_on(ready):
    before = time.time()
    first = ready.client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
    second = ready.client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
    assert (
        before <= first.evaluated_at.timestamp() <= second.evaluated_at.timestamp() <= time.time()
    )
    assert first.id != second.id
    assert first.policy_version == 1
    assert first.consistency_token == second.consistency_token
    written = ready.client.write_facts(insert=["is_suspended(Employee:alice)"])
    third = ready.client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
    assert not third
    assert third.consistency_token == written.consistency_token != first.consistency_token


def test_outcomes_of_writes(ready):
    fact = 'has_role(Employee:new, "viewer", Customer:acme)'
    outcomes = [outcome.value for outcome in ready.client.write_facts(insert=[fact, fact]).outcomes]
    assert outcomes == ["created", "existed"]
    outcomes = [outcome.value for outcome in ready.client.write_facts(delete=[fact, fact]).outcomes]
    assert outcomes == ["deleted", "missing"]


def test_publishing_the_same_text_changes_nothing(ready):
    again = ready.client.publish_policy({"policy.polar": policy_text("security_company")})
    assert again.version == 1
    other = ready.client.publish_policy(
        {"policy.polar": policy_text("security_company") + "# new\n"}
    )
    assert other.version == 2
    assert ready.client.get_policy(1).files == {"policy.polar": policy_text("security_company")}
    assert ready.client.get_policy().version == 2
    with pytest.raises(authz.NotFound):
        ready.client.get_policy(3)


def test_pages_hold_every_fact_once(ready):
    roles = [f'has_role(Employee:e{i}, "viewer", Customer:acme)' for i in range(25)]
    ready.client.write_facts(insert=roles)
    wanted = {str(authz.Fact.parse(role)) for role in roles}
    for size in (1, 7, 25, 1000):
        read = [
            str(fact)
            for fact in ready.client.read_facts(
                'has_role(_, "viewer", Customer:acme)', page_size=size
            )
        ]
        assert len(read) == len(set(read))
        assert wanted <= set(read)
    everything = {str(fact) for fact in ready.client.read_facts()}
    assert everything == {str(fact) for fact in fact_lines("security_company")} | wanted


def test_a_page_token_belongs_to_its_pattern(ready):

    call = FactServiceStub(ready.channel).ReadFacts
    token = call(fact_service_pb2.ReadFactsRequest(page_size=1)).next_page_token
    other = fact_service_pb2.ReadFactsRequest(page_token=token, pattern={"predicate": "has_role"})
    with pytest.raises(grpc.RpcError, match="page token"):
        call(other)


def test_nothing_is_evaluated_after_the_deadline(start):
    """A batch that would take seconds stops soon after its caller has gone."""
    ready = start(engine="reference")
    ready.client.publish_policy({"policy.polar": policy_text("security_company")})
    ready.client.write_facts(insert=fact_lines("security_company"))
    question = pb.Question(
        actor={"type": "Employee", "id": "alice"},
        action="disarm",
        resource={"type": "SecuritySystem", "id": "s1"},
    )
    call = pb.BatchAuthorizeRequest(questions=[question] * 1000)
    stub = ready.channel.unary_unary(
        "/authz.v1.AuthorizationService/BatchAuthorize",
        request_serializer=pb.BatchAuthorizeRequest.SerializeToString,
        response_deserializer=pb.BatchAuthorizeResponse.FromString,
    )
    with pytest.raises(grpc.RpcError) as caught:
        stub(call, timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    def decided() -> float:
        return sum(
            v for name, v in metrics(ready).items() if name.startswith("authz_decisions_total")
        )

    count = decided()
    ready.client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
    assert decided() <= count + 2
    assert count < 1000


def test_a_runaway_question_is_an_error(start):
    service = start(evaluation_steps=1)
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    service.client.write_facts(insert=fact_lines("security_company"))
    with pytest.raises(authz.LimitReached, match="evaluation_steps") as caught:
        service.client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
    assert caught.value.reason == "EVALUATION_LIMIT_REACHED"


def test_reads_during_writes_see_whole_writes(ready):
    """Two facts that are always written together are never seen apart."""
    pair = ["is_suspended(Employee:x1)", "is_suspended(Employee:x2)"]
    seen = set()

    def read():
        for _ in range(60):
            facts = [str(f) for f in ready.client.read_facts("is_suspended")]
            seen.add(sum(f in facts for f in pair))

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for _ in range(30):
            ready.client.write_facts(insert=pair)
            ready.client.write_facts(delete=pair)
        for reader in readers:
            reader.result()
    assert seen <= {0, 2}


def test_engine_oso_serves(start):
    service = start(engine="oso")
    service.client.publish_policy({"policy.polar": policy_text("security_company")})
    service.client.write_facts(insert=fact_lines("security_company"))
    assert service.client.authorize("Employee:alice", "disarm", "SecuritySystem:s1")
    assert not service.client.authorize("Employee:bob", "disarm", "SecuritySystem:s1")


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)


@given(
    st.lists(
        st.builds(Value, st.just("Doc"), texts)
        | texts.map(string)
        | st.booleans().map(boolean)
        | st.integers(-(2**63), 2**63 - 1).map(integer),
        min_size=1,
        max_size=5,
    )
)
def test_the_client_reads_facts_as_the_service_writes_them(args):
    fact = Fact("p", tuple(args))
    parsed = authz.Fact.parse(str(fact))
    assert parsed.predicate == "p"
    for value, arg in zip(args, parsed.args, strict=True):
        match arg:
            case authz.Entity():
                assert value == Value(arg.type, arg.id)
            case bool():
                assert value == boolean(arg)
            case int():
                assert value == integer(arg)
            case _:
                assert value == string(arg)


TESTED = """actor User {}
resource Doc { roles = ["viewer"]; permissions = ["read"]; "read" if "viewer"; }
test "viewers" {
  setup { has_role(User{"ann"}, "viewer", Doc{"d"}); }
  assert allow(User{"ann"}, "read", Doc{"d"});
}
"""


def test_a_policy_is_published_only_if_its_tests_pass(service):
    first = service.client.publish_policy({"policy.polar": TESTED})
    assert (first.version, first.tests, first.warnings) == (1, 1, ())
    broken = TESTED.replace("assert", "assert_not")
    with pytest.raises(authz.PolicyRejected) as caught:
        service.client.publish_policy({"policy.polar": broken})
    assert caught.value.reason == "POLICY_TESTS_FAILED"
    [finding] = caught.value.diagnostics
    assert (finding.code, finding.line, finding.message) == (
        "P510",
        5,
        'in test "viewers": holds',
    )
    assert service.client.get_policy().version == 1
    assert service.client.publish_policy({"policy.polar": broken}, skip_tests=True).version == 2


def test_tests_that_nobody_waits_for_end(start):
    """The caller has gone; other policies and writes go on at once, and the server stops."""
    service = start(shutdown_seconds=1)
    service.client.publish_policy({"policy.polar": TESTED})
    many = "".join(f'has_role(User{{"u{n}"}}, "viewer", Doc{{"d"}});\n' for n in range(1500))
    many += "".join(
        f'test "t{n}" {{ assert allow(User{{"u{n}"}}, "read", Doc{{"d"}}); }}\n'
        for n in range(1500)
    )
    with pytest.raises(authz.DeadlineExceeded):
        service.client.publish_policy({"policy.polar": TESTED + many}, timeout=3)
    assert service.client.publish_policy({"policy.polar": TESTED + "\n"}, timeout=5).version == 2
    service.client.write_facts(insert=['has_role(User:bob, "viewer", Doc:d)'])


def test_warnings_come_with_the_version(service):
    published = service.client.publish_policy({"policy.polar": TESTED + "f(u: User) if true;\n"})
    places = [(warning.code, warning.line, warning.column) for warning in published.warnings]
    assert places == [("P602", 7, 1), ("P601", 7, 3)]


def test_facts_of_a_declared_permission_count_and_others_are_refused(service):
    declared = TESTED + "declare has_permission(User, String, Doc);\n"
    service.client.publish_policy({"policy.polar": declared})
    service.client.write_facts(insert=['has_permission(User:bob, "read", Doc:x)'])
    assert service.client.authorize("User:bob", "read", "Doc:x")
    with pytest.raises(authz.AuthzError, match="cannot use 1 of the stored facts") as refused:
        service.client.publish_policy({"policy.polar": TESTED})
    assert refused.value.reason == "FACTS_ORPHANED"
    assert refused.value.facts == ('has_permission(User:bob, "read", Doc:x)',)
    assert refused.value.count == 1
    assert service.client.authorize("User:bob", "read", "Doc:x")
    service.client.write_facts(delete=['has_permission(User:bob, "read", Doc:x)'])
    service.client.publish_policy({"policy.polar": TESTED})
    assert not service.client.authorize("User:bob", "read", "Doc:x")
    with pytest.raises(authz.InvalidRequest, match="or `declare has_permission"):
        service.client.write_facts(insert=['has_permission(User:eve, "read", Doc:x)'])


def test_facts_orphaned_by_force_stay_stored_and_do_not_count(service):
    declared = TESTED + "declare has_permission(User, String, Doc);\n"
    service.client.publish_policy({"policy.polar": declared})
    orphan = 'has_permission(User:bob, "read", Doc:x)'
    service.client.write_facts(insert=[orphan])
    assert service.client.publish_policy({"policy.polar": TESTED}, force=True).version == 2
    assert [str(fact) for fact in service.client.read_facts()] == [orphan]
    assert not service.client.authorize("User:bob", "read", "Doc:x")
    service.client.publish_policy({"policy.polar": declared})
    assert service.client.authorize("User:bob", "read", "Doc:x")


def test_the_current_time_is_the_time_of_the_answer(service):
    policy = """actor User {}
    resource Doc { permissions = ["read"]; }
    has_permission(u: User, "read", d: Doc) if opens(u, d, t) and t <= @current_unix_time;"""
    service.client.publish_policy({"policy.polar": policy})
    soon = int(time.time()) + 2
    service.client.write_facts(insert=[f"opens(User:ann, Doc:d, {soon})"])
    answers = []
    while not answers or not answers[-1]:
        answers.append(service.client.authorize("User:ann", "read", "Doc:d"))
    assert len(answers) > 1
    assert all(answer.evaluated_at.timestamp() < soon for answer in answers[:-1])
    assert answers[-1].evaluated_at.timestamp() >= soon
