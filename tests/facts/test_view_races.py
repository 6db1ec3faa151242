"""A view is built in one thread while another makes the next revision of it: at whatever line the one comes by."""

import sys
from collections.abc import Callable, Iterator
from itertools import count, product
from pathlib import Path
from types import FrameType

import pytest

from authz_service import facts
from authz_service.facts.access import AccessPath, Demand
from authz_service.facts.fact import Fact
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import Value, string

_FOLDER = str(Path(facts.__file__).parent)

_USERS = [Value("User", name) for name in "abc"]
_ROLES = [string("owner"), string("viewer")]


def role(user: str, what: str, about: str) -> Fact:
    return Fact("has_role", (Value("User", user), string(what), Value("User", about)))


_STORED = [role("a", "owner", "b"), role("b", "viewer", "b")]
_WRITTEN = {role("a", "viewer", "b"): True, role("c", "owner", "b"): True, _STORED[0]: False}
_TAKEN_BACK = {fact: not holds for fact, holds in _WRITTEN.items()}
_GOES_ON = {role("a", "owner", "c"): True, role("c", "owner", "b"): False, _STORED[1]: False}


def demanded() -> Demand:
    demand = Demand(lambda _: True, frozenset())
    either = frozenset(_ROLES)
    demand.name(AccessPath("has_role", 3, (), ()))
    demand.name(AccessPath("has_role", 3, ((1, _ROLES[0]),), (0,)))
    demand.name(AccessPath("has_role", 3, ((1, either),), (2,)))
    demand.name(AccessPath("has_role", 3, (), (0, 2)))
    return demand


def shown(snapshot: FactSnapshot, demand: Demand) -> dict[tuple[str, object], set[object]]:
    """Return what each path shows for each key."""
    view = snapshot.view(demand)
    values = view.ids.value

    def decoded(members: object) -> set[object]:
        return {values(one) if isinstance(one, int) else tuple(map(values, one)) for one in members}

    found: dict[tuple[str, object], set[object]] = {}
    for name, path in demand.paths.items():
        if not path.key:
            found[name, ()] = decoded(getattr(view, name))
            continue
        for key in product(_USERS, repeat=len(path.key)):
            ids = tuple(map(view.ids.find, key))
            wanted = ids[0] if len(ids) == 1 else ids
            found[name, key] = decoded(getattr(view, name)(wanted, ()))
    return found


def each_interruption(
    begin: Callable[[], tuple[Callable[[], object], Callable[[], object]]],
) -> Iterator[int]:
    """Run the first of what `begin` returns, once for each of its lines in this package, and there the second."""
    for wanted in count():
        run, meanwhile = begin()
        passed = 0

        def at_line(frame: FrameType, event: str, _: object) -> object:
            nonlocal passed
            if not frame.f_code.co_filename.startswith(_FOLDER):
                return None
            if event == "line":
                passed += 1
                if passed == wanted + 1:  # noqa: B023 - used before the next round
                    sys.settrace(None)
                    frame.f_trace = None
                    meanwhile()  # noqa: B023 - used before the next round
                    return None
            return at_line

        tracing = sys.gettrace()
        sys.settrace(at_line)
        try:
            run()
        finally:
            sys.settrace(tracing)
        if passed <= wanted:
            assert wanted > 50
            return
        yield wanted


@pytest.mark.parametrize("changes", [_TAKEN_BACK, _GOES_ON], ids=["taken back", "goes on"])
@pytest.mark.parametrize("interrupted", ["building", "writing"])
def test_the_next_revision_shows_its_facts_whenever_it_was_made(
    changes: dict[Fact, bool], interrupted: str
) -> None:
    made: list[FactSnapshot] = []
    demand = demanded()

    def begin() -> tuple[Callable[[], object], Callable[[], object]]:
        nonlocal demand
        demand = demanded()
        written = FactSnapshot(_STORED).changed(_WRITTEN)
        view = written.view(demand)
        made.clear()

        def write() -> None:
            made.append(written.changed(changes))

        both = (view.complete, write)
        return both if interrupted == "building" else (write, view.complete)

    for _ in each_interruption(begin):
        [after] = made
        expected = shown(FactSnapshot(set(after)), demanded())
        assert shown(after, demand) == expected
        assert shown(after.merged(), demand) == expected
