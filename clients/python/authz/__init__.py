"""Python client of the authorization service.

    from authz import Client

    with Client("127.0.0.1:50051") as client:
        client.publish_policy({"policy.polar": POLICY})
        client.write_facts(insert=['has_role(User:alice, "owner", Organization:acme)'])
        if client.authorize("User:alice", "read", "Organization:acme"):
            print("alice may read acme")
        for fact in client.read_facts("has_role(_, _, Organization:acme)"):
            print(fact)

A decision is true exactly if it permits. Whatever is not a decision raises an AuthzError; see
`authz.errors`. AsyncClient has the same calls for asyncio.
"""

from authz._argument import ANY, AnyOf, Value
from authz._async_client import AsyncClient
from authz._client import Client
from authz._decision import Answer, Decision, Question
from authz._entity import Entity
from authz._fact import Fact, FactPattern, parse_facts
from authz._pending import Pending
from authz._results import Policy, PublishedPolicy, WriteOutcome, WriteResult
from authz.errors import (
    AlreadyExists,
    AuthzError,
    Compacted,
    DeadlineExceeded,
    Diagnostic,
    FactsOrphaned,
    InvalidRequest,
    LimitReached,
    NotFound,
    NotReady,
    PolicyRejected,
    PreconditionFailed,
    Refused,
    ServiceError,
    Unavailable,
    UnexpectedAnswer,
)

__all__ = [
    "ANY",
    "AlreadyExists",
    "Answer",
    "AnyOf",
    "AsyncClient",
    "AuthzError",
    "Client",
    "Compacted",
    "DeadlineExceeded",
    "Decision",
    "Diagnostic",
    "Entity",
    "Fact",
    "FactPattern",
    "FactsOrphaned",
    "InvalidRequest",
    "LimitReached",
    "NotFound",
    "NotReady",
    "Pending",
    "Policy",
    "PolicyRejected",
    "PreconditionFailed",
    "PublishedPolicy",
    "Question",
    "Refused",
    "ServiceError",
    "Unavailable",
    "UnexpectedAnswer",
    "Value",
    "WriteOutcome",
    "WriteResult",
    "parse_facts",
]
