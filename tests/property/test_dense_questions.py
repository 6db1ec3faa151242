"""Dense policies are decided, listed, queried and explained rightly, also after changes; with a mistake they are not."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from operator import le

import dense_rules
import pytest
from dense_case import dense
from dense_policies import accepted
from dense_questions import SORTS

from authz_service.engine import reference
from authz_service.engine.compiler import expressions
from authz_service.engine.explain import changes, explainer
from authz_service.engine.explain.kinds import NumberedStep
from authz_service.engine.explain.misses import _Misses
from authz_service.engine.queries import compiled, unlimited
from authz_service.facts import expiry
from authz_service.facts.fact import AnyValue
from authz_service.facts.snapshot import FactSnapshot

SEEDS = range(6)


def told(sort: str, seeds: Sequence[int] = SEEDS) -> Iterator[tuple[str, str | None]]:
    for seed in seeds:
        case = dense(seed)
        if case is not None:
            yield from SORTS[sort](case)


@pytest.mark.parametrize("sort", SORTS)
def test_nothing_is_wrong(sort):
    counts: Counter[str] = Counter()
    for what, wrong in told(sort):
        assert wrong is None
        counts[what] += 1
    assert counts.total() >= len(SEEDS), counts


def test_the_policies_say_all_that_rules_can_say():
    text = "\n".join(file.text for seed in range(80) for file in accepted(lines(seed)) or ())
    for word in (
        " extends ", " matches ", "matches!", "not (", "not not ", " or ", " <= ", " > ", " in [",
        "@current_unix_time", "\nallow(", "\nhas_role(", ", s: String, ", 'on "up"', "v(", "w(",
    ):  # fmt: skip
        assert word in text, word


def lines(seed: int) -> list[str]:
    return dense_rules.policy_lines(dense_rules.Random(seed))


def orders_wrong_what_is_denied(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(expressions, "_DENIED", expressions._DENIED | {"<": ">"})


def tries_no_strangers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiled, "strangers", lambda _: [])


def takes_strangers_for_any_value(patch: pytest.MonkeyPatch) -> None:
    """Both engines make rows of what they find in the same way."""

    def rows(found, *_):
        return {
            tuple(AnyValue(v.type) if unlimited._is_stranger(v) else v for v in row)
            for row in found
        }

    patch.setattr(compiled, "rows", rows)
    patch.setattr(reference, "rows", rows)


def takes_less_for_less_or_equal(patch: pytest.MonkeyPatch) -> None:
    """As if all engines had misread the language."""
    patch.setitem(reference._ORDERINGS, "<", le)


def takes_a_variable_that_stands_twice_for_two(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(NumberedStep, "has_alike", property(lambda _: False))


def ends_after_a_proof(patch: pytest.MonkeyPatch) -> None:
    proofs = explainer.Explainer.proofs
    patch.setattr(explainer.Explainer, "proofs", lambda *args: iter([*proofs(*args)][:1]))


def says_that_all_behind_holds(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(_Misses, "_holds", lambda *_: True)


def mends_one_condition_that_denies(patch: pytest.MonkeyPatch) -> None:
    denied = changes._Search._denied
    patch.setattr(changes._Search, "_denied", lambda *args: iter([*denied(*args)][:1]))


def counts_facts_at_their_end(patch: pytest.MonkeyPatch) -> None:
    expired = expiry.Expiries.expired
    patch.setattr(expiry.Expiries, "expired", lambda self, at: expired(self, at - 1))


def forgets_what_was_written_during_a_merge(patch: pytest.MonkeyPatch) -> None:
    def rebasing(_, merged, __):
        yield
        return merged

    patch.setattr(FactSnapshot, "rebasing", rebasing)


@pytest.mark.parametrize(
    ("sort", "broken", "seed"),
    [
        ("decisions", orders_wrong_what_is_denied, 36),
        ("queries", tries_no_strangers, 0),
        ("queries", takes_strangers_for_any_value, 0),
        ("laws", takes_less_for_less_or_equal, 36),
        ("explanations", takes_a_variable_that_stands_twice_for_two, 152),
        ("explanations", ends_after_a_proof, 2),
        ("explanations", says_that_all_behind_holds, 16),
        ("explanations", mends_one_condition_that_denies, 95),
        ("histories", counts_facts_at_their_end, 0),
        ("histories", forgets_what_was_written_during_a_merge, 0),
    ],
)
def test_a_mistake_is_found(
    sort: str, broken: Callable, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a seed at which it is; without the mistake nothing is wrong there."""
    assert not is_wrong(sort, seed)
    broken(monkeypatch)
    assert is_wrong(sort, seed)


def is_wrong(sort: str, seed: int) -> bool:
    try:
        return any(wrong for _, wrong in told(sort, [seed]))
    except Exception:  # noqa: BLE001 - a crash is wrong, too
        return True
