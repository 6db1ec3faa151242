"""F14: policies with mistakes are published. None gets a version, the one before serves, and no decision changes.

Mistakes are made by chance in the text of an example: a piece is taken away, doubled, or put in place of another. What
is still a policy without errors, in the eyes of the compiler, is not published and does not count.
"""

import random
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import authz
from examples import load, policy_text
from report import Number
from serving import NAME, QUESTIONS, begin, check_answers, client_of

from authz_service.polar.diagnostic import PolicyInvalid

_PIECE = re.compile(r"\w+|\s+|[^\w\s]")


def bad_policies(folder: Path, count: int, progress: Callable[[int], None]) -> list[Number]:
    """Publish so many policies with mistakes; AssertionError tells what went wrong."""
    server = begin(folder)
    reasons: dict[str, int] = {}
    try:
        with client_of(server) as client:
            token = client.authorize(*QUESTIONS[0]).consistency_token
            for number, text in zip(range(count), _mistaken(policy_text(NAME)), strict=False):
                try:
                    client.publish_policy({"policy.polar": text})
                except authz.PolicyRejected as error:
                    reasons[error.reason] = reasons.get(error.reason, 0) + 1
                else:
                    raise AssertionError(f"a policy with mistakes was accepted:\n{text}")
                check_answers(client)
                assert client.authorize(*QUESTIONS[0]).consistency_token == token
                progress(number + 1)
            assert client.get_policy().version == 1
            assert client.get_policy().files == {"policy.polar": policy_text(NAME)}
    finally:
        server.end(signal.SIGTERM)
    return [
        Number("policies with mistakes", sum(reasons.values())),
        Number("of these, accepted", 0, 0),
        Number("decisions or revisions that changed", 0, 0),
    ]


def _mistaken(text: str) -> Iterator[str]:
    """Yield variants of a policy, each different and none without errors."""
    chance = random.Random(20260101)
    pieces = _PIECE.findall(re.sub(r"#.*", "", text))
    seen: set[str] = set()
    while True:
        some = list(pieces)
        place, other = chance.randrange(len(some)), chance.randrange(len(some))
        match chance.randrange(3):
            case 0:
                del some[place]
            case 1:
                some.insert(place, some[place])
            case _:
                some[place] = some[other]
        variant = "".join(some)
        if variant not in seen and _has_errors(variant):
            seen.add(variant)
            yield variant


def _has_errors(text: str) -> bool:
    try:
        load(text)
    except PolicyInvalid:
        return True
    return False
