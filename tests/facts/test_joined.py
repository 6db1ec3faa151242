"""Batches that are applied together do what they do one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from authz_service.facts.change import ChangeBatch, joined
from authz_service.facts.expiry import Expiries
from authz_service.facts.fact import Fact
from authz_service.facts.instant import Instant
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value

FACTS = [Fact("tag", (Value("User", name),)) for name in "abcd"]

expiries = st.none() | st.integers(1, 3).map(Instant)
effects = st.tuples(st.sampled_from("+~-x"), expiries)
"""What a batch tells of one fact: it is there, or expires at another time, or is gone, or had expired."""

batches = st.lists(st.dictionaries(st.sampled_from(FACTS), effects), min_size=1, max_size=5)


def batch(number: int, told: dict[Fact, tuple[str, Instant | None]]) -> ChangeBatch:
    def marked(wanted: str) -> frozenset[Fact]:
        return frozenset(fact for fact, (mark, _) in told.items() if mark == wanted)

    return ChangeBatch(
        Revision(number),
        "default",
        inserted=marked("+"),
        deleted=marked("-"),
        expired=marked("x"),
        expiries={
            fact: at
            for fact, (mark, at) in told.items()
            if mark == "~" or (mark == "+" and at is not None)
        },
        committed_at=Instant(number),
    )


@given(
    stored=st.sets(st.sampled_from(FACTS)),
    expiring=st.dictionaries(st.sampled_from(FACTS), st.integers(1, 3).map(Instant)),
    told=batches,
)
def test_batches_do_together_what_they_do_one_by_one(
    stored: set[Fact],
    expiring: dict[Fact, Instant],
    told: list[dict[Fact, tuple[str, Instant | None]]],
) -> None:
    facts, known = FactSnapshot(stored), Expiries(expiring)
    some = [batch(number, effects) for number, effects in enumerate(told, start=1)]
    one_by_one, one_by_one_known = facts, known
    for one in some:
        one_by_one, one_by_one_known = one_by_one.after(one), one_by_one_known.after(one)

    together = joined(some)
    assert (together.revision, together.committed_at) == (len(some), len(some))
    assert together.inserted.isdisjoint(together.deleted | together.expired)
    assert together.deleted.isdisjoint(together.expired)
    assert set(facts.after(together)) == set(one_by_one)
    after = known.after(together)
    assert after.all() == one_by_one_known.all()
    assert after.next == one_by_one_known.next
