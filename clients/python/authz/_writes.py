"""Writes: what one call of `write_facts` asks for, in the order in which it happens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from authz._fact import AnyFact, Fact, FactPattern, StoredFact, to_facts, to_patterns, to_stored
from authz._wire import fact_message, pattern_message, stored_message
from authz.v1 import fact_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class Writes:
    """The arguments of `Client.write_facts`, which tells what they mean."""

    insert: Iterable[AnyFact] = ()
    delete: Iterable[Fact | str] = ()
    delete_matching: Iterable[FactPattern | str] = ()
    replace: Mapping[FactPattern | str, Iterable[AnyFact]] = field(default_factory=dict)
    if_exists: Iterable[FactPattern | str] = ()
    if_not_exists: Iterable[FactPattern | str] = ()
    idempotency_key: str | None = None

    def messages(self) -> list[pb.FactWrite]:
        """Return the writes: what is deleted comes first, what is inserted last."""
        return [
            *(pb.FactWrite(delete=fact_message(fact)) for fact in to_facts(self.delete)),
            *(
                pb.FactWrite(delete_matching=pattern_message(pattern))
                for pattern in to_patterns(self.delete_matching)
            ),
            *(
                pb.FactWrite(replace=_replacement(pattern, self.replace[given]))
                for given, pattern in zip(self.replace, to_patterns(self.replace), strict=True)
            ),
            *map(_insertion, to_stored(self.insert)),
        ]

    def preconditions(self) -> list[pb.FactPrecondition]:
        """Return the conditions: first what must exist, then what must not."""
        return [
            *(
                pb.FactPrecondition(must_exist=pattern_message(pattern))
                for pattern in to_patterns(self.if_exists)
            ),
            *(
                pb.FactPrecondition(must_not_exist=pattern_message(pattern))
                for pattern in to_patterns(self.if_not_exists)
            ),
        ]


def _insertion(stored: StoredFact) -> pb.FactWrite:
    message = stored_message(stored)
    expires_at = message.expires_at if message.HasField("expires_at") else None
    return pb.FactWrite(insert=message.fact, expires_at=expires_at)


def _replacement(pattern: FactPattern, inserts: Iterable[AnyFact]) -> pb.FactReplacement:
    return pb.FactReplacement(
        pattern=pattern_message(pattern), inserts=map(stored_message, to_stored(inserts))
    )
