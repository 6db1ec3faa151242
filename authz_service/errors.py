"""Everything this service raises on purpose.

AuthzError
  InvalidRequest             the request itself is wrong; `field` names the place
    MissingField             a required field is empty
    MalformedValue           an id, name or number that can never be valid
    UnknownField             a field that this server does not know, perhaps from a newer client
    UnreadableRequest        bytes that are no request
    RequestTooLarge          more bytes, items or facts than allowed
    UnknownType              a type that the active policy does not declare or that cannot act
    UnknownAction            an action that the active policy does not know for the type
    UnusableFact             a fact that no rule of the active policy can use
    UnusableCondition        a condition of a query that no rule and no fact can meet
    InvalidPageToken         a page token that this server did not give out for this pattern
    InvalidToken             a consistency token that this service did not give out
    TokenOfAnotherStore      a consistency token of another store
    ExpiryPassed             a fact that would have expired before it is stored
    IdempotencyKeyReused     an idempotency key that was used for another write
  PolicyInvalid              the policy text is wrong (raised by `polar`, with all diagnostics)
    PolicyTestsFailed        the policy compiles, but its own tests fail
  EngineUnsupported          the chosen engine cannot express the policy
  StoreNotFound              no such store
  StoreExists                there is a store of that name already
  StoreProtected             the store cannot be deleted
  PolicyNotFound             no such policy version
  NoPolicy                   the store has no policy yet
  PolicyChanged              other policies were published again and again meanwhile
  FactsOrphaned              a policy that cannot use facts which are stored
  PreconditionFailed         a precondition of a write does not hold
  RevisionUnknown            a revision that this life of the database does not have
  Compacted                  a revision whose history is no longer kept
  VariableUnlimited          the answer to a query that rows cannot say
  EvaluationLimitReached     the question needed more work than allowed
  DeadlinePassed             the caller no longer waits for the answer
  StoreUnavailable           the database cannot be used now
  ReplicaBehind              this process has not reached what the request demands, in time
  ReplicaStale               this process has not heard from the database for too long
  ServiceStopping            what is followed without end, ends with the service
  PreparationFailed          the process that made a policy ready came to an end before that

A decision is never made from one of these: each reaches the caller as a status of its own.
`reason` is the stable machine-readable name; `server.status` gives every class its gRPC code.
"""

from collections.abc import Sequence
from typing import ClassVar


class AuthzError(Exception):
    """The root; `message` is for a person, starts in lower case and says what to do."""

    reason: ClassVar[str]

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidRequest(AuthzError):
    """The request itself is wrong and must not be repeated unchanged."""

    def inside(self, prefix: str) -> "InvalidRequest":
        """Return the same error with `field` placed inside the field `prefix`."""
        return type(self)(self.message, field=f"{prefix}.{self.field}" if self.field else prefix)


class MissingField(InvalidRequest):
    """A required field is empty."""

    reason = "MISSING_FIELD"


class MalformedValue(InvalidRequest):
    """An id, a name or a number that can never be valid."""

    reason = "MALFORMED_VALUE"


class UnknownField(InvalidRequest):
    """The request carries a field that this server does not know."""

    reason = "UNKNOWN_FIELD"


class UnreadableRequest(InvalidRequest):
    """The bytes that came are no request of this protocol."""

    reason = "UNREADABLE_REQUEST"


class RequestTooLarge(InvalidRequest):
    """The request holds more bytes, items or facts than allowed."""

    reason = "REQUEST_TOO_LARGE"


class UnknownType(InvalidRequest):
    """A type that the active policy does not declare, or that cannot act."""

    reason = "UNKNOWN_TYPE"


class UnknownAction(InvalidRequest):
    """An action that the active policy does not know for the resource's type."""

    reason = "UNKNOWN_ACTION"


class UnusableFact(InvalidRequest):
    """A fact that no rule of the active policy can use."""

    reason = "UNUSABLE_FACT"


class UnusableCondition(InvalidRequest):
    """A condition of a query that no rule and no fact of the active policy can meet."""

    reason = "UNUSABLE_CONDITION"


class InvalidPageToken(InvalidRequest):
    """A page token that this server did not give out for this pattern."""

    reason = "INVALID_PAGE_TOKEN"


class InvalidToken(InvalidRequest):
    """A consistency token that was changed on its way, or is none of ours."""

    reason = "INVALID_TOKEN"


class TokenOfAnotherStore(InvalidRequest):
    """A consistency token of another store than the request is about."""

    reason = "TOKEN_OF_ANOTHER_STORE"


class ExpiryPassed(InvalidRequest):
    """A fact that would have expired before it is stored."""

    reason = "EXPIRY_PASSED"


class IdempotencyKeyReused(InvalidRequest):
    """The idempotency key belongs to a write with another content."""

    reason = "IDEMPOTENCY_KEY_REUSED"


class EngineUnsupported(AuthzError):
    """The chosen engine cannot express the policy."""

    reason = "ENGINE_UNSUPPORTED"


class StoreNotFound(AuthzError):
    """No store has this name."""

    reason = "STORE_NOT_FOUND"


class StoreExists(AuthzError):
    """A store of this name exists already."""

    reason = "STORE_EXISTS"


class StoreProtected(AuthzError):
    """The store is always there and cannot be deleted."""

    reason = "STORE_PROTECTED"


class PolicyNotFound(AuthzError):
    """The store has no such policy version."""

    reason = "POLICY_NOT_FOUND"


class NoPolicy(AuthzError):
    """The store has no policy yet, so there is nothing to decide by."""

    reason = "NO_POLICY"


class PolicyChanged(AuthzError):
    """Another policy was published since the write was checked; nothing was written."""

    reason = "POLICY_CHANGED"


class FactsOrphaned(AuthzError):
    """The policy cannot use facts that the one before could; `facts` are the first ones, as text."""

    reason = "FACTS_ORPHANED"

    def __init__(self, facts: Sequence[str], count: int) -> None:
        self.facts = tuple(facts)
        self.count = count
        more = ", and others" if count > len(self.facts) else ""
        super().__init__(
            f"the policy cannot use {count} of the stored facts, and they would count no more: "
            f"{', '.join(self.facts)}{more}; delete them, or force the policy"
        )

    def __reduce__(self) -> tuple[type["FactsOrphaned"], tuple[object, ...]]:
        return type(self), (self.facts, self.count)


class PreconditionFailed(AuthzError):
    """A precondition does not hold, so nothing was written."""

    reason = "PRECONDITION_FAILED"


class RevisionUnknown(AuthzError):
    """A revision that is not, or no longer, one of this database."""

    reason = "REVISION_UNKNOWN"


class Compacted(AuthzError):
    """The history of the revision is no longer kept; begin anew with what is there now."""

    reason = "COMPACTED"


class VariableUnlimited(AuthzError):
    """A variable of a query can have values without end, and they cannot be said in rows."""

    reason = "VARIABLE_UNLIMITED"


class EvaluationLimitReached(AuthzError):
    """The question needed more work than allowed; it says nothing about the answer."""

    reason = "EVALUATION_LIMIT_REACHED"


class DeadlinePassed(AuthzError):
    """The caller no longer waits for the answer, so nothing was evaluated."""

    reason = "DEADLINE_PASSED"


class StoreUnavailable(AuthzError):
    """The database cannot be used now; what was asked has not been acknowledged."""

    reason = "STORE_UNAVAILABLE"


class ReplicaBehind(AuthzError):
    """The copy in memory is not as new as demanded, and did not become so in time; nothing was evaluated."""

    reason = "REPLICA_BEHIND"


class ReplicaStale(AuthzError):
    """The copy in memory may lack what was committed longer ago than is allowed; nothing was evaluated."""

    reason = "REPLICA_STALE"


class ServiceStopping(AuthzError):
    """The service stops; whoever follows something goes on from where it is, elsewhere or later."""

    reason = "SERVICE_STOPPING"


class PreparationFailed(AuthzError):
    """The process that made a policy ready came to an end before that; nothing is wrong with the policy."""

    reason = "PREPARATION_FAILED"
