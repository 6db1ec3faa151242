"""Which facts a policy accepts does not depend on which were asked about before."""

from itertools import product

import pytest
from examples import load

from authz_service.facts.fact import Fact
from authz_service.facts.value import Value, string
from authz_service.polar import shapes

POLICY = """
actor User {}
resource Doc { roles = ["reader", "owner"]; permissions = ["x"]; relations = { parent: Doc }; }
declare named(Doc, String);
flagged(d: Doc) if named(d, "red") or state(d, 3) or has_role(User{"root"}, "reader", d);
has_permission(u: User, "x", d: Doc) if has_role(u, "reader", d) and not flagged(d);
"""
VALUES = [
    *(Value("User", name) for name in ("root", "ann", "reader")),
    *(Value("Doc", name) for name in ("root", "d")),
    *map(string, ("reader", "owner", "parent", "red", "blue")),
    Value("Integer", "3"),
    Value("Integer", "4"),
    Value("Nobody", "knows"),
]


@pytest.mark.parametrize("kinds", [0, 3, 4096])
def test_what_was_asked_before(kinds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_KINDS_KNOWN", kinds)
    found = load(POLICY).policy.shapes
    asked = [
        Fact(predicate, args)
        for predicate in ("has_role", "has_relation", "named", "state", "unheard_of")
        for arity in (1, 2, 3)
        for args in product(VALUES, repeat=arity)
    ]
    wanted = [found.may_hold(*fact) for fact in asked]
    assert 20 < sum(wanted) < len(wanted) - 20
    for order in (1, -1):
        assert [found.accept(fact) for fact in asked[::order]] == wanted[::order]
    assert len(found._accepted) <= kinds
