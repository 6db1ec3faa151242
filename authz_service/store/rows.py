"""Facts and policies as the text of table cells, and back."""

import json
from collections.abc import Iterable
from datetime import datetime

from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile, PolicyVersion
from authz_service.facts.value import Value


def encode_args(args: Iterable[Value]) -> str:
    """Return the arguments as JSON pairs of type and id. Equal arguments give equal text."""
    return json.dumps([list(value) for value in args], ensure_ascii=False, separators=(",", ":"))


def decode_fact(predicate: str, args: str) -> Fact:
    return Fact(predicate, tuple(Value(*pair) for pair in json.loads(args)))


def encode_files(files: Iterable[PolicyFile]) -> str:
    """Return the files as JSON, ordered by name: their order in a policy has no meaning."""
    return json.dumps([list(file) for file in sorted(files)], ensure_ascii=False)


def decode_policy(version: int, files: str, published_at: str) -> PolicyVersion:
    return PolicyVersion(
        version,
        tuple(PolicyFile(*pair) for pair in json.loads(files)),
        datetime.fromisoformat(published_at),
    )
