"""Statuses of the service, as the errors of `authz.errors`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, cast

import grpc
from google.protobuf.any_pb2 import Any as PackedMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from authz.errors import (
    FACTS_ORPHANED,
    NO_POLICY,
    POLICY_INVALID,
    POLICY_TESTS_FAILED,
    PRECONDITION_FAILED,
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
from authz.v1.authorization_service_pb2 import QuestionError
from authz.v1.policy_service_pb2 import OrphanedFacts, PolicyDiagnostic, PolicyDiagnostics

DETAILS_KEY: Final = "grpc-status-details-bin"

ERRORS: Final[dict[grpc.StatusCode, type[AuthzError]]] = {
    # OK is not a failure: whoever reports it as one contradicts itself.
    grpc.StatusCode.OK: UnexpectedAnswer,
    **{
        error.STATUS: error
        for error in (
            InvalidRequest,
            NotFound,
            AlreadyExists,
            Refused,
            Compacted,
            LimitReached,
            DeadlineExceeded,
            Unavailable,
        )
    },
}

_NARROWER: Final[dict[str, type[AuthzError]]] = {
    POLICY_INVALID: PolicyRejected,
    POLICY_TESTS_FAILED: PolicyRejected,
    NO_POLICY: NotReady,
    PRECONDITION_FAILED: PreconditionFailed,
    FACTS_ORPHANED: FactsOrphaned,
}

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(slots=True)
class _Details:
    """What the details of a status say; empty where they say nothing."""

    reason: str = ""
    field: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    omitted: int = 0
    orphans: tuple[str, ...] = ()
    orphan_count: int = 0


def error_of_status(
    code: grpc.StatusCode, message: str, *, reason: str = "", field: str = ""
) -> AuthzError:
    error = ERRORS.get(code, ServiceError)
    narrower = _NARROWER.get(reason, error)
    if issubclass(narrower, error):
        error = narrower
    return error(message, code=code, reason=reason, field=field)


def error_of_question(error: QuestionError) -> AuthzError:
    """Return what the same question asked alone would have raised."""
    code = _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
    return error_of_status(code, error.message, reason=error.reason, field=error.field)


def error_of_call(failure: grpc.RpcError, target: str, timeout: float) -> AuthzError:
    """Return the error that a failed call stands for; one from gRPC itself names the target."""
    details = _read_details(failure)
    message = failure.details() or "the service gave no reason"
    if not details.reason:
        message = _with_target(failure.code(), message, target, timeout)
    error = error_of_status(failure.code(), message, reason=details.reason, field=details.field)
    if isinstance(error, PolicyRejected):
        error.diagnostics = details.diagnostics
        error.omitted = details.omitted
    if isinstance(error, FactsOrphaned):
        error.facts = details.orphans
        error.count = details.orphan_count
    return error


def _with_target(code: grpc.StatusCode, message: str, target: str, timeout: float) -> str:
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"the service at {target} did not answer in {timeout:g} s: {message}"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"the service at {target} is unavailable: {message}"
    return message


def _read_details(failure: grpc.RpcError) -> _Details:
    details = _Details()
    try:
        for detail in _packed_details(failure):
            _read_detail(detail, details)
    except DecodeError:
        # A proxy may cut or rewrite trailers. The status itself is sound, and is what matters.
        return _Details()
    return details


def _packed_details(failure: grpc.RpcError) -> Iterator[PackedMessage]:
    # Threads and asyncio type the trailers differently, and iterate over them alike.
    trailers = cast("Iterable[tuple[str, str | bytes]]", failure.trailing_metadata() or ())
    for key, value in trailers:
        if key == DETAILS_KEY and isinstance(value, bytes):
            yield from Status.FromString(value).details


def _read_detail(detail: PackedMessage, details: _Details) -> None:
    info, bad_request = ErrorInfo(), BadRequest()
    findings, orphans = PolicyDiagnostics(), OrphanedFacts()
    if detail.Unpack(info):
        details.reason = info.reason
    elif detail.Unpack(bad_request) and bad_request.field_violations:
        details.field = bad_request.field_violations[0].field
    elif detail.Unpack(findings):
        details.diagnostics = tuple(map(read_diagnostic, findings.diagnostics))
        details.omitted = findings.omitted
    elif detail.Unpack(orphans):
        details.orphans = tuple(orphans.facts)
        details.orphan_count = orphans.count


def read_diagnostic(finding: PolicyDiagnostic) -> Diagnostic:
    return Diagnostic(
        code=finding.code,
        file=finding.file,
        line=finding.line,
        column=finding.column,
        message=finding.message,
        excerpt=finding.excerpt,
    )
