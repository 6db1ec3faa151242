"""All faults, with the numbers that were promised; the exit code is 1 if any of them is violated.

python tests/faults/faults.py [--only NAME] [--part 0.1]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from away import database_away, slow_database, too_old
from bad_policies import bad_policies
from batches import partial_batches
from cold_starts import cold_starts
from damaged_log import damaged_logs, unknown_events
from disk_full import full_disks, full_disks_of_postgresql
from failed_sync import failed_syncs, failed_syncs_of_postgresql
from hot_group import hot_group
from hung import hung_appliers, stopped_processes
from kills import kills
from large_requests import large_requests
from near_limits import lists_near_limits
from postgresql import Server
from report import Number
from restarts import restarts
from standby import standbys
from tokens import tokens_ahead
from wide_and_deep import wide_and_deep

Progress = Callable[[int], None]
Fault = Callable[[Path, int, Progress], list[Number]]


def kills_with_sqlite(folder: Path, count: int, progress: Progress) -> list[Number]:
    return kills(f"sqlite:///{folder}/authz.db", count, progress)


def kills_with_postgresql(_: Path, count: int, progress: Progress) -> list[Number]:
    server = Server()
    try:
        return kills(server.empty_database(), count, progress)
    finally:
        server.remove()


# What happens, and how often; or for how many seconds.
FAULTS: dict[str, tuple[Fault, int]] = {
    "F1 database away": (database_away, 60),
    "F2 database away for too long": (too_old, 3),
    "F3 slow database": (slow_database, 10),
    "F4 tokens ahead": (tokens_ahead, 2000),
    "F5 standbys and restores": (standbys, 200),
    "F6 kills, SQLite": (kills_with_sqlite, 200),
    "F6 kills, PostgreSQL": (kills_with_postgresql, 200),
    "F6 restarts": (restarts, 10),
    "F7 hung appliers": (hung_appliers, 10),
    "F8 stopped processes": (stopped_processes, 30),
    "F9 full disks, SQLite": (full_disks, 20),
    "F9 full disks, PostgreSQL": (full_disks_of_postgresql, 20),
    "F10 failed syncs, SQLite": (failed_syncs, 20),
    "F10 failed syncs, PostgreSQL": (failed_syncs_of_postgresql, 20),
    "F11 partial batches": (partial_batches, 1000),
    "F12 damaged log": (damaged_logs, 1000),
    "F13 unknown events": (unknown_events, 3),
    "F14 bad policies": (bad_policies, 500),
    "F17 cold starts": (cold_starts, 2),
    "F20 wide and deep": (wide_and_deep, 1),
    "F21 large requests": (large_requests, 3),
    "F22 hot group": (hot_group, 1000),
    "F23 lists near limits": (lists_near_limits, 400),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only faults whose name begins like this")
    parser.add_argument("--part", type=float, default=1, help="such a part of all rounds")
    arguments = parser.parse_args()
    violations = 0
    lines: list[str] = []
    for name, (fault, rounds) in FAULTS.items():
        if name.startswith(arguments.only):
            said, is_violated = run(name, fault, max(1, round(rounds * arguments.part)))
            lines += said
            violations += is_violated
    print("\n## What was promised\n", *lines, sep="\n")
    print(f"\n{violations} violations")
    return 1 if violations else 0


def run(name: str, fault: Fault, rounds: int) -> tuple[list[str], bool]:
    """Return lines of the table, and whether a promise was broken."""
    start = time.monotonic()

    def progress(done: int) -> None:
        print(f"\r{name}: {done} of {rounds}", end="", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="authz-faults-") as folder:
        try:
            numbers = fault(Path(folder), rounds, progress)
        # What the machine lacks is no success either.
        except (AssertionError, OSError) as error:
            print(f"\n{name}: {error!r}", file=sys.stderr)
            return [f"{name}: VIOLATED: {error}"], True
    print(f", {time.monotonic() - start:.0f} s", file=sys.stderr)
    lines = [f"{name}", *(f"  {number}" for number in numbers), ""]
    return lines, not all(number.holds for number in numbers)


if __name__ == "__main__":
    sys.exit(main())
