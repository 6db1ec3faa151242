"""The engines agree on dense policies; and with what was wrong once, they do not."""

from collections import Counter
from collections.abc import Callable

import pytest
from dense_policies import comparisons

from authz_service.engine.compiler.differences import _Differences
from authz_service.engine.compiler.rewrites.inline import _Inliner
from authz_service.engine.verification import ListQuestion
from authz_service.errors import AuthzError
from authz_service.polar.goals import Negation, TypeTest

SEEDS = range(100)


def test_the_engines_agree_on_dense_policies():
    said: Counter[object] = Counter()
    for seed in SEEDS:
        for one in comparisons(seed):
            assert not one.differs, (seed, one)
            assert not any(isinstance(answer, AuthzError) for answer in one.answers.values())
            is_list = isinstance(one.question, ListQuestion)
            said.update({("list" if is_list else answer) for answer in one.said})
    assert said[True] > 1000 < said[False]
    assert said["list"] > 1000


def forgets_types_of_what_is_denied_twice(patch: pytest.MonkeyPatch) -> None:
    denials = _Inliner._denials
    patch.setattr(
        _Inliner,
        "_denials",
        lambda *args: [goal for goal in denials(*args) if not isinstance(goal, TypeTest)],
    )


def takes_what_is_denied_to_be_alike(patch: pytest.MonkeyPatch) -> None:
    differs = _Differences._differs
    patch.setattr(
        _Differences,
        "_differs",
        lambda self, goal, *args: (
            None if isinstance(goal, Negation) else differs(self, goal, *args)
        ),
    )


@pytest.mark.parametrize(
    "broken", [forgets_types_of_what_is_denied_twice, takes_what_is_denied_to_be_alike]
)
def test_a_difference_is_found(broken: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    assert any(one.differs for seed in SEEDS for one in comparisons(seed))
