"""Everything this client raises on purpose.

AuthzError
  InvalidRequest     INVALID_ARGUMENT, or text that cannot be read here; also a ValueError
    PolicyRejected   the policy has errors, or its tests fail; carries the diagnostics
  NotFound           NOT_FOUND: no such store or policy version
  AlreadyExists      ALREADY_EXISTS: there is a store of that name
  Refused            FAILED_PRECONDITION: what is stored does not allow it
    NotReady           the store has no policy yet
    PreconditionFailed a precondition of a write does not hold
    FactsOrphaned      the policy cannot use stored facts; names them
  Compacted          OUT_OF_RANGE: that part of history is no longer kept
  LimitReached       RESOURCE_EXHAUSTED: the evaluation, or a message, got too large
  DeadlineExceeded   DEADLINE_EXCEEDED: no answer in time
  Unavailable        UNAVAILABLE: the service cannot be reached, or asks to come back later
  ServiceError       any other status
  NotEnumerable      a list of any value but some was gone through, which has no end
  UnexpectedAnswer   an answer came, but it is not one this client can vouch for

None of them says anything about the decision: an error is neither a permit nor a deny.
"""

from dataclasses import dataclass
from typing import ClassVar

from grpc import StatusCode

MALFORMED_TEXT = "MALFORMED_TEXT"
UNREPRESENTABLE = "UNREPRESENTABLE"
POLICY_INVALID = "POLICY_INVALID"
POLICY_TESTS_FAILED = "POLICY_TESTS_FAILED"
NO_POLICY = "NO_POLICY"
PRECONDITION_FAILED = "PRECONDITION_FAILED"
FACTS_ORPHANED = "FACTS_ORPHANED"


class AuthzError(Exception):
    """The root: the call has failed, and nothing is known about the answer.

    `code` is the gRPC status, `reason` the machine-readable reason (such as `UNKNOWN_TYPE`) and
    `field` the first request field at fault (such as `actor.type`); the latter two may be empty.
    """

    STATUS: ClassVar[StatusCode] = StatusCode.UNKNOWN

    def __init__(
        self, message: str, *, code: StatusCode | None = None, reason: str = "", field: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = self.STATUS if code is None else code
        self.reason = reason
        self.field = field


class InvalidRequest(AuthzError, ValueError):
    """The request is wrong; asking again will not help.

    Reason `MALFORMED_TEXT`: text that could not be read, and nothing was sent.
    Reason `UNREPRESENTABLE`: a value that the protocol cannot carry, and nothing was sent.
    """

    STATUS = StatusCode.INVALID_ARGUMENT


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a policy. `line` and `column` count from 1."""

    code: str
    file: str
    line: int
    column: int
    message: str
    excerpt: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.code} {self.message}"


class PolicyRejected(InvalidRequest):
    """The policy has errors, or its tests fail, and the policy before it stays active.

    Reason `POLICY_INVALID` or `POLICY_TESTS_FAILED`.
    `diagnostics` are the findings in source order; `omitted` says how many more there are.
    """

    diagnostics: tuple[Diagnostic, ...] = ()
    omitted: int = 0

    def __str__(self) -> str:
        more = [f"... and {self.omitted} more"] if self.omitted else []
        return "\n".join([self.message, *map(str, self.diagnostics), *more])


class NotFound(AuthzError):
    """There is no such store, or no such policy version."""

    STATUS = StatusCode.NOT_FOUND


class AlreadyExists(AuthzError):
    """There is a store of that name already."""

    STATUS = StatusCode.ALREADY_EXISTS


class Refused(AuthzError):
    """What is stored does not allow it, and nothing has changed.

    Reasons of its own: `REVISION_UNKNOWN`, a token of the database before it was restored;
    `STORE_PROTECTED`, the store `default` cannot be deleted.
    """

    STATUS = StatusCode.FAILED_PRECONDITION


class NotReady(Refused):
    """The store cannot answer yet: it has no policy."""


class PreconditionFailed(Refused):
    """A precondition does not hold, and nothing was written; `field` says which."""


class FactsOrphaned(Refused):
    """The policy cannot use stored facts that the active one can; it was not published.

    `facts` are the first of them, as text; `count` says how many there are in all.
    """

    facts: tuple[str, ...] = ()
    count: int = 0


class Compacted(AuthzError):
    """The history of that moment is no longer kept; begin anew with what is there now."""

    STATUS = StatusCode.OUT_OF_RANGE


class LimitReached(AuthzError):
    """The question needs more work, or a message more room, than is allowed."""

    STATUS = StatusCode.RESOURCE_EXHAUSTED


class DeadlineExceeded(AuthzError):
    """No answer came in time. A write may have happened: wholly, or not at all."""

    STATUS = StatusCode.DEADLINE_EXCEEDED


class Unavailable(AuthzError):
    """The service cannot be reached, or turned the call away. A write may have happened."""

    STATUS = StatusCode.UNAVAILABLE


class ServiceError(AuthzError):
    """The call failed with a status that this client attaches no meaning to; see `code`."""


class NotEnumerable(AuthzError):
    """It is permitted for any value of the type but some, so there is no end of them to go through.

    The list is as good as any other: see its `is_any_except` and `exceptions`.
    """


class UnexpectedAnswer(AuthzError):
    """The service answered with something that is no answer: a protocol error on its side."""

    STATUS = StatusCode.INTERNAL
