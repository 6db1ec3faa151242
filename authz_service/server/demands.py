"""Which state a request demands: `Consistency` to domain. Valid in itself when it leaves here."""

from functools import lru_cache

from authz.v1 import authorization_service_pb2 as pb

from authz_service.errors import MissingField
from authz_service.facts.instant import Instant
from authz_service.facts.revision import ConsistencyToken
from authz_service.pdp.consistency import (
    AsOf,
    AtLeastAsFresh,
    Consistency,
    Exactly,
    FullyConsistent,
)
from authz_service.server import codec

MAX_TOKENS = 100

_TOKENS_KEPT = 4096

TOKENS = "consistency.at_least_as_fresh.consistency_tokens"
EXACTLY = "consistency.exactly"
AS_OF = "consistency.as_of"


def field_of(demand: Consistency) -> str:
    """Return the field that a demand comes from, for errors that are found out later."""
    match demand:
        case AtLeastAsFresh():
            return TOKENS
        case FullyConsistent():
            return "consistency.fully_consistent"
        case Exactly():
            return EXACTLY
        case AsOf():
            return AS_OF


def consistency(message: pb.Consistency, now: Instant) -> Consistency | None:
    """Return what is demanded, None for nothing. Raises MissingField, MalformedValue, InvalidToken."""
    match message.WhichOneof("demand"):
        case "minimize_latency" if message.minimize_latency:
            return None
        case "at_least_as_fresh":
            return AtLeastAsFresh(_tokens(message.at_least_as_fresh))
        case "fully_consistent" if message.fully_consistent:
            return FullyConsistent()
        case "exactly":
            return Exactly(codec.token(message.exactly, EXACTLY))
        case "as_of":
            return AsOf(codec.past_instant(message.as_of, AS_OF, now))
        case _:
            text = (
                "`consistency` demands nothing; set `minimize_latency` or `fully_consistent` to true, "
                "`at_least_as_fresh`, `exactly` or `as_of`"
            )
            raise MissingField(text, field="consistency")


def _tokens(message: pb.AtLeastAsFresh) -> tuple[ConsistencyToken, ...]:
    texts = message.consistency_tokens
    if not texts:
        text = "name the tokens that the state must be as new as"
        raise MissingField(text, field=TOKENS)
    codec.check_count(len(texts), MAX_TOKENS, TOKENS)
    return tuple(map(_token, texts))


# A client sends the token of its last write with every question.
@lru_cache(maxsize=_TOKENS_KEPT)
def _token(text: str) -> ConsistencyToken:
    return codec.token(text, TOKENS)
