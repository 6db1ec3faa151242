"""Which state of policy and facts may answer a question."""

from dataclasses import dataclass

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


Consistency = MinimizeLatency | AtLeastAsFresh | FullyConsistent


def consistency_message(demand: Consistency) -> pb.Consistency:
    match demand:
        case MinimizeLatency():
            return pb.Consistency(minimize_latency=True)
        case AtLeastAsFresh(tokens):
            wanted = pb.AtLeastAsFresh(consistency_tokens=tokens)
            return pb.Consistency(at_least_as_fresh=wanted)
        case FullyConsistent():
            return pb.Consistency(fully_consistent=True)
