"""A few rounds of F5, see `standby`. That a standby which is believed is noticed: `tests/store/test_standbys.py`."""

from pathlib import Path

from standby import standbys


def test_standbys_and_restores(tmp_path: Path) -> None:
    numbers = standbys(tmp_path, 1, lambda _: None)
    assert all(number.holds for number in numbers), "\n".join(map(str, numbers))
