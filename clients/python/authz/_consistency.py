"""Which state of policy and facts may answer a question."""

from dataclasses import dataclass
from datetime import datetime

from authz._fact import require_zone
from authz._wire import time_message
from authz.v1 import authorization_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class MinimizeLatency:
    """Whatever is there, without waiting, also if it lacks your own writes."""


@dataclass(frozen=True, slots=True, init=False)
class AtLeastAsFresh:
    """A state that has everything in it that these consistency tokens cover, and your own writes."""

    tokens: tuple[str, ...]

    def __init__(self, *tokens: str) -> None:
        if not tokens:
            raise ValueError("expected a consistency token")
        object.__setattr__(self, "tokens", tokens)


@dataclass(frozen=True, slots=True)
class FullyConsistent:
    """A state that has everything in it that anybody had committed when the question arrived."""


@dataclass(frozen=True, slots=True)
class Exactly:
    """The very state that a consistency token names, at the time when it was committed."""

    token: str


@dataclass(frozen=True, slots=True)
class AsOf:
    """The state at a time that is past, and what had not expired by then."""

    time: datetime

    def __post_init__(self) -> None:
        require_zone(self.time)


Consistency = MinimizeLatency | AtLeastAsFresh | FullyConsistent | Exactly | AsOf


def consistency_message(demand: Consistency) -> pb.Consistency:
    match demand:
        case MinimizeLatency():
            return pb.Consistency(minimize_latency=True)
        case AtLeastAsFresh(tokens):
            wanted = pb.AtLeastAsFresh(consistency_tokens=tokens)
            return pb.Consistency(at_least_as_fresh=wanted)
        case FullyConsistent():
            return pb.Consistency(fully_consistent=True)
        case Exactly(token):
            return pb.Consistency(exactly=token)
        case AsOf(time):
            return pb.Consistency(as_of=time_message(time))
