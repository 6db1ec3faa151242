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
from authz._async_client import AsyncClient, AsyncExport, AsyncRows
from authz._client import Client, Export, Rows
from authz._consistency import (
    AsOf,
    AtLeastAsFresh,
    Consistency,
    Exactly,
    FullyConsistent,
    MinimizeLatency,
)
from authz._decision import Answer, Decision, Question
from authz._entity import Entity
from authz._entity_list import AsyncEntityList, EntityList
from authz._explain import (
    MARKS,
    Attempt,
    Change,
    Explanation,
    Line,
    MissedGoal,
    Misses,
    NearestChanges,
    Outcome,
    PolicyRule,
    Premise,
    Proof,
    ProofStep,
    RuleCondition,
    UsedFact,
)
from authz._fact import Fact, FactPattern, StoredFact, parse_facts
from authz._lists import ActionList, EntityPage, ListOrigin
from authz._pending import Pending
from authz._query import Among, Condition, Row, Var, parse_query
from authz._results import (
    EntityDeleted,
    FactChange,
    ImportResult,
    Policy,
    PublishedPolicy,
    StoreEvent,
    WriteCounts,
    WriteOutcome,
    WriteResult,
)
from authz.errors import (
    AlreadyExists,
    AuthzError,
    Compacted,
    DeadlineExceeded,
    Diagnostic,
    FactsOrphaned,
    InvalidRequest,
    LimitReached,
    NotEnumerable,
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
    "MARKS",
    "ActionList",
    "AlreadyExists",
    "Among",
    "Answer",
    "AnyOf",
    "AsOf",
    "AsyncClient",
    "AsyncEntityList",
    "AsyncExport",
    "AsyncRows",
    "AtLeastAsFresh",
    "Attempt",
    "AuthzError",
    "Change",
    "Client",
    "Compacted",
    "Condition",
    "Consistency",
    "DeadlineExceeded",
    "Decision",
    "Diagnostic",
    "Entity",
    "EntityDeleted",
    "EntityList",
    "EntityPage",
    "Exactly",
    "Explanation",
    "Export",
    "Fact",
    "FactChange",
    "FactPattern",
    "FactsOrphaned",
    "FullyConsistent",
    "ImportResult",
    "InvalidRequest",
    "LimitReached",
    "Line",
    "ListOrigin",
    "MinimizeLatency",
    "MissedGoal",
    "Misses",
    "NearestChanges",
    "NotEnumerable",
    "NotFound",
    "NotReady",
    "Outcome",
    "Pending",
    "Policy",
    "PolicyRejected",
    "PolicyRule",
    "PreconditionFailed",
    "Premise",
    "Proof",
    "ProofStep",
    "PublishedPolicy",
    "Question",
    "Refused",
    "Row",
    "Rows",
    "RuleCondition",
    "ServiceError",
    "StoreEvent",
    "StoredFact",
    "Unavailable",
    "UnexpectedAnswer",
    "UsedFact",
    "Value",
    "Var",
    "WriteCounts",
    "WriteOutcome",
    "WriteResult",
    "parse_facts",
    "parse_query",
]
