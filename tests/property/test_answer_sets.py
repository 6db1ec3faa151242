"""The translation for clingo keeps what clingo itself cannot: Integers of 64 bits, and their order."""

from itertools import product

import pytest
from answer_sets import allow_text, permitted

from authz_service.facts.fact import Fact
from authz_service.facts.policy_text import PolicyFile
from authz_service.facts.value import INTEGER_MAX, INTEGER_MIN, Value, integer, string
from authz_service.polar.compile import check_policy

NUMBERS = [
    *(INTEGER_MIN, INTEGER_MIN + 1, -(2**42), -(2**31) - 1, -(2**31), -(2**21), -1, 0, 1),
    *(2**21 - 1, 2**21, 2**31 - 1, 2**31, 2**42 - 1, 2**42, INTEGER_MAX - 1, INTEGER_MAX),
]
POLICY = """
actor User {}
resource Doc { permissions = ["read"]; }
declare low(Doc, Integer);
declare high(Doc, Integer);
has_permission(_: User, "read", doc: Doc) if low(doc, m) and high(doc, n) and m < n;
allow(user: User, action: String, doc: Doc) if has_permission(user, action, doc);
"""
ANN = Value("User", "ann")


@pytest.mark.parametrize("now", [0, 1_700_000_000])
def test_integers_of_64_bits_are_ordered(now):
    docs = {
        Value("Doc", f"{m} {n}"): (integer(m), integer(n)) for m, n in product(NUMBERS, repeat=2)
    }
    facts = [
        fact
        for doc, (m, n) in docs.items()
        for fact in (Fact("low", (doc, m)), Fact("high", (doc, n)))
    ]
    rules = check_policy([PolicyFile("policy.polar", POLICY)]).rules
    model = permitted(rules, facts, [ANN, string("read")], now)
    wanted = [doc for doc, (m, n) in docs.items() if int(m.id) < int(n.id)]
    assert model == {allow_text(ANN, string("read"), doc) for doc in wanted}
