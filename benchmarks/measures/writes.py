"""What one write costs: the next snapshot, and the answer to the next question about what was written."""

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from authz_service.engine.program import Program, Question
from authz_service.facts.change import ChangeBatch
from authz_service.facts.fact import Fact
from authz_service.facts.revision import Revision
from authz_service.facts.snapshot import FactSnapshot
from contenders.contender import frozen
from contenders.here import BUDGET, NOW, build
from measures.comparison import Disagreement
from measures.growth import Grown
from measures.targets import Target
from workloads import gdrive, github, tinytodo
from workloads.workload import Workload, entity, has_group, has_relation, has_role

AT_MOST_MS = 10
BIG = 10**9
"""The number of the large group, and of what it holds; not taken in random stores."""


class Grant(NamedTuple):
    """A group that holds something, and the question that a member of the group may ask for it."""

    group: str
    fact: Fact
    question: Question

    def member(self, number: int) -> Fact:
        return has_group(entity("User", number), entity(self.group, BIG))

    def asked_by(self, number: int) -> Question:
        return self.question._replace(actor=entity("User", number))


def _grants() -> dict[str, Grant]:
    """Return a grant for each workload, by its name."""
    user, group, team = entity("User", BIG), entity("Group", BIG), entity("Team", BIG)
    document, list_ = entity("Document", BIG), entity("TaskList", BIG)
    repository = entity("Repository", BIG)
    return {
        gdrive.FIXED.name: Grant(
            "Group", has_role(group, "viewer", document), Question(user, "read", document)
        ),
        github.WORKLOAD.name: Grant(
            "Team", has_role(team, "writer", repository), Question(user, "read", repository)
        ),
        tinytodo.WORKLOAD.name: Grant(
            "Team", has_relation(list_, "readers", team), Question(user, "get_list", list_)
        ),
    }


def print_writes(pairs: Sequence[Grown], members: int, writes: int) -> list[Target]:
    print("\n## One write: milliseconds of CPU until a question about it is answered\n")
    print(f"{'workload':22}{'written to':34}{'median':>10}{'most':>10}")
    found = []
    for pair in pairs:
        grant = _grants()[pair.workload.name]
        granted = ChangeBatch(Revision(0), "default", inserted=frozenset([grant.fact]))
        snapshot = pair.built.snapshot.after(granted)
        into = f"a store of {len(snapshot):,} facts"
        _print_times(pair.workload, into, _times(pair.built.program, snapshot, grant, writes))
        crowd = (grant.member(number) for number in range(members))
        built = build(pair.workload, [grant.fact, *crowd])
        times = _times(built.program, built.snapshot, grant, writes)
        _print_times(pair.workload, f"a group of {members:,}", times)
        name = f"one write to a group of {members:,}: {pair.workload.name}, most"
        found.append(Target(name, max(times), AT_MOST_MS, "ms"))
    return found


def _print_times(workload: Workload, into: str, times: Sequence[float]) -> None:
    print(f"{workload.name:22}{into:34}{statistics.median(times):>10.3f}{max(times):>10.3f}")


def _times(program: Program, snapshot: FactSnapshot, grant: Grant, writes: int) -> list[float]:
    """Return the milliseconds that each of a row of writes takes; every third is a deletion."""
    asked_first = grant.asked_by(-1)
    program.permits(asked_first, snapshot, NOW, BUDGET)
    times = []
    with frozen():
        for number, batch in enumerate(_batches(grant, writes)):
            user = next(iter(batch.inserted | batch.deleted)).args[0]
            start = time.process_time()
            snapshot = snapshot.after(batch)
            question = grant.question._replace(actor=user)
            permitted = program.permits(question, snapshot, NOW, BUDGET)
            times.append((time.process_time() - start) * 1000)
            if permitted != bool(batch.inserted):
                message = f"write {number} is not seen by {question.as_fact()}"
                raise Disagreement(message)
    return times


def _batches(grant: Grant, writes: int) -> Iterator[ChangeBatch]:
    for number in range(writes):
        if number % 3 == 2:
            deleted = frozenset([grant.member(BIG + number - 1)])
            yield ChangeBatch(Revision(number + 1), "default", deleted=deleted)
        else:
            inserted = frozenset([grant.member(BIG + number)])
            yield ChangeBatch(Revision(number + 1), "default", inserted=inserted)
