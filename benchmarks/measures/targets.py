"""Target: what a measured value should be at most; and the table of all of them."""

from collections.abc import Sequence
from typing import NamedTuple


class Target(NamedTuple):
    """One value beside its limit."""

    name: str
    measured: float
    at_most: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        return self.measured <= self.at_most


def print_targets(targets: Sequence[Target]) -> None:
    print("\n## Targets\n")
    print(f"{'target':58}{'measured':>14}{'at most':>14}")
    for target in targets:
        print(
            f"{target.name:58}{_amount(target.measured, target.unit):>14}"
            f"{_amount(target.at_most, target.unit):>14}  {'ok' if target.is_met else 'MISSED'}"
        )
    missed = sum(not target.is_met for target in targets)
    print(f"\n{len(targets) - missed} of {len(targets)} targets met")


def _amount(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".rstrip()
