"""What a fault test counted, beside what it should be."""

from typing import NamedTuple


class Number(NamedTuple):
    """One value; with a bound, it must not be larger."""

    name: str
    measured: float
    at_most: float | None = None

    @property
    def holds(self) -> bool:
        return self.at_most is None or self.measured <= self.at_most

    def __str__(self) -> str:
        bound = "" if self.at_most is None else f"at most {self.at_most:g}"
        verdict = "" if self.at_most is None else "ok" if self.holds else "VIOLATED"
        return f"{self.name:64}{self.measured:>12.4g}  {bound:>14}  {verdict}".rstrip()
