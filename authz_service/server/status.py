"""Which gRPC status each error is, and how it is written."""

from collections.abc import Sequence

import grpc
from authz.v1 import policy_service_pb2
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from authz_service import errors
from authz_service.polar.diagnostic import Diagnostic, PolicyInvalid, PolicyTestsFailed

DOMAIN = "authz"

TABLE: dict[type[errors.AuthzError], grpc.StatusCode] = {
    errors.MissingField: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MalformedValue: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnknownField: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnreadableRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.RequestTooLarge: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnknownType: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnknownAction: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnusableFact: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnusableCondition: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidPageToken: grpc.StatusCode.INVALID_ARGUMENT,
    errors.InvalidToken: grpc.StatusCode.INVALID_ARGUMENT,
    errors.TokenOfAnotherStore: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ExpiryPassed: grpc.StatusCode.INVALID_ARGUMENT,
    errors.IdempotencyKeyReused: grpc.StatusCode.INVALID_ARGUMENT,
    PolicyInvalid: grpc.StatusCode.INVALID_ARGUMENT,
    PolicyTestsFailed: grpc.StatusCode.INVALID_ARGUMENT,
    errors.EngineUnsupported: grpc.StatusCode.FAILED_PRECONDITION,
    errors.StoreNotFound: grpc.StatusCode.NOT_FOUND,
    errors.StoreExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.StoreProtected: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PolicyNotFound: grpc.StatusCode.NOT_FOUND,
    errors.NoPolicy: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PolicyChanged: grpc.StatusCode.ABORTED,
    errors.FactsOrphaned: grpc.StatusCode.FAILED_PRECONDITION,
    errors.PreconditionFailed: grpc.StatusCode.FAILED_PRECONDITION,
    errors.RevisionUnknown: grpc.StatusCode.FAILED_PRECONDITION,
    errors.Compacted: grpc.StatusCode.OUT_OF_RANGE,
    errors.VariableUnlimited: grpc.StatusCode.FAILED_PRECONDITION,
    errors.EvaluationLimitReached: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.DeadlinePassed: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.ReplicaBehind: grpc.StatusCode.UNAVAILABLE,
    errors.ReplicaStale: grpc.StatusCode.UNAVAILABLE,
    errors.ServiceStopping: grpc.StatusCode.UNAVAILABLE,
    errors.PreparationFailed: grpc.StatusCode.UNAVAILABLE,
}

# Clients accept 8 KiB of trailing metadata by default. The message is percent-encoded and stands in the
# details once more, the details are base64; these bounds keep the whole well below.
_MESSAGE_BYTES = 1000
_DIAGNOSTICS_BYTES = 3000


def status_of(error: errors.AuthzError) -> status_pb2.Status:
    """Return the status of `error`: with its reason, its field, and what is the matter with a policy."""
    code = TABLE[type(error)]
    details = [_packed(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN))]
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=_cut(error.message, _MESSAGE_BYTES // 2)
        )
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if isinstance(error, PolicyInvalid):
        details.append(_packed(findings_message(error.diagnostics)))
    if isinstance(error, errors.FactsOrphaned):
        details.append(_packed(_orphans_message(error)))
    message = _cut(error.message, _MESSAGE_BYTES)
    return status_pb2.Status(code=code.value[0], message=message, details=details)


def internal_status() -> status_pb2.Status:
    """Return the status of a defect of this server. The cause stands in the log only."""
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN)
    message = "an internal error; the server's log has the cause"
    return status_pb2.Status(code=code_pb2.INTERNAL, message=message, details=[_packed(info)])


def _packed(
    detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | object,
) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)  # type: ignore[arg-type]
    return packed


def findings_message(diagnostics: Sequence[Diagnostic]) -> policy_service_pb2.PolicyDiagnostics:
    """Return as many findings as there is room for, in source order, and the number of the others."""
    shown: list[policy_service_pb2.PolicyDiagnostic] = []
    room = _DIAGNOSTICS_BYTES
    for diagnostic in diagnostics:
        span = diagnostic.span
        message = policy_service_pb2.PolicyDiagnostic(
            code=diagnostic.code,
            file=span.source.name,
            line=span.line,
            column=span.column,
            message=_cut(diagnostic.sentence, 500),
            excerpt=_cut(span.excerpt(), 500),
        )
        room -= message.ByteSize()
        if room < 0:
            break
        shown.append(message)
    omitted = len(diagnostics) - len(shown)
    return policy_service_pb2.PolicyDiagnostics(diagnostics=shown, omitted=omitted)


def _orphans_message(error: errors.FactsOrphaned) -> policy_service_pb2.OrphanedFacts:
    """Return as many of the facts as there is room for, and how many there are in all."""
    shown: list[str] = []
    room = _DIAGNOSTICS_BYTES
    for fact in error.facts:
        room -= len(fact.encode())
        if room < 0:
            break
        shown.append(fact)
    return policy_service_pb2.OrphanedFacts(facts=shown, count=error.count)


def _cut(text: str, size: int) -> str:
    encoded = text.encode()
    if len(encoded) <= size:
        return text
    return encoded[:size].decode(errors="ignore") + " ..."
