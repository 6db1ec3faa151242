"""The client of the authorization service.

    import authz

    with authz.Client("127.0.0.1:50051") as client:
        client.write_facts(insert=['has_role(Employee:alice, "admin", Customer:acme)'])
        if client.authorize("Employee:alice", "disarm", "SecuritySystem:s1"):
            ...  # permitted
        else:
            ...  # denied: the policy does not permit it

A decision is true only if the service has permitted. Whatever goes wrong raises an `AuthzError`: an
error is never a decision. `AsyncClient` is the same for asyncio.
"""

from authz._aio import AsyncClient
from authz._argument import AnyOf
from authz._client import Client
from authz._decision import Answer, Decision, Question
from authz._entity import Entity
from authz._fact import Fact, FactPattern, parse_facts
from authz._results import Policy, PublishedPolicy, WriteOutcome, WriteResult
from authz.errors import (
    AuthzError,
    DeadlineExceeded,
    Diagnostic,
    InvalidRequest,
    LimitReached,
    NotFound,
    NotReady,
    PolicyRejected,
    ServiceError,
    Unavailable,
    UnexpectedAnswer,
)

__all__ = [
    "Answer",
    "AnyOf",
    "AsyncClient",
    "AuthzError",
    "Client",
    "DeadlineExceeded",
    "Decision",
    "Diagnostic",
    "Entity",
    "Fact",
    "FactPattern",
    "InvalidRequest",
    "LimitReached",
    "NotFound",
    "NotReady",
    "Policy",
    "PolicyRejected",
    "PublishedPolicy",
    "Question",
    "ServiceError",
    "Unavailable",
    "UnexpectedAnswer",
    "WriteOutcome",
    "WriteResult",
    "parse_facts",
]
