"""Explanations: why a question is permitted or not, as data, as text and as JSON.

The text of an explanation is a tree; `lines` has it in parts, for whoever wants to colour it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, NamedTuple

from authz._fact import Fact
from authz._wire import read_fact
from authz.errors import UnexpectedAnswer
from authz.v1 import explain_pb2 as pb

_LONGEST_RULE: Final = 64
_DEEPEST: Final = 20


class Outcome(Enum):
    """What became of a condition."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"
    """It was not looked at, as conditions before it left a value open."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule of the policy, as it was written, and where it stands."""

    file: str
    line: int
    column: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"

    def __str__(self) -> str:
        text = self.text if len(self.text) <= _LONGEST_RULE else self.text[:_LONGEST_RULE] + " ..."
        return f"{self.place}  {text}"

    def to_json(self) -> dict[str, Any]:
        return {"file": self.file, "line": self.line, "column": self.column, "text": self.text}


@dataclass(frozen=True, slots=True)
class UsedFact:
    """A fact, and whether it is `stored` or came with the question as `context`."""

    fact: Fact
    origin: str

    def to_json(self) -> dict[str, Any]:
        return {"fact": str(self.fact), "origin": self.origin}


Premise = UsedFact | int | str
"""What meets a condition: a fact, another step of the proof by its index, or nothing else: then its text."""


@dataclass(frozen=True, slots=True)
class ProofStep:
    """What a rule derives, and what meets its conditions. What the policy states has none."""

    fact: Fact
    rule: PolicyRule
    premises: tuple[Premise, ...]

    def to_json(self) -> dict[str, Any]:
        premises: list[dict[str, Any]] = []
        for premise in self.premises:
            match premise:
                case UsedFact():
                    premises.append(premise.to_json())
                case int():
                    premises.append({"step": premise})
                case str():
                    premises.append({"condition": premise})
        return {"fact": str(self.fact), "rule": self.rule.to_json(), "premises": premises}


@dataclass(frozen=True, slots=True)
class Proof:
    """Steps from what was asked, the first, to facts."""

    steps: tuple[ProofStep, ...]

    @property
    def facts(self) -> tuple[UsedFact, ...]:
        """The facts that the proof rests on, each once."""
        used = (one for step in self.steps for one in step.premises if isinstance(one, UsedFact))
        return tuple(dict.fromkeys(used))

    def to_json(self) -> dict[str, Any]:
        return {"steps": [step.to_json() for step in self.steps]}


@dataclass(frozen=True, slots=True)
class RuleCondition:
    """A condition of a rule with the values that are known; `Type:_` stands for any.

    If it fails, `goal` is the index of the goal that tells why, or `facts` are those by which what it denies
    holds.
    """

    text: str
    outcome: Outcome
    goal: int | None
    facts: tuple[UsedFact, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "condition": self.text,
            "outcome": self.outcome.value,
            "goal": self.goal,
            "facts": [fact.to_json() for fact in self.facts],
        }


@dataclass(frozen=True, slots=True)
class Attempt:
    """A rule with values for its variables, not all conditions of which hold."""

    rule: PolicyRule
    conditions: tuple[RuleCondition, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule.to_json(),
            "conditions": [condition.to_json() for condition in self.conditions],
        }


@dataclass(frozen=True, slots=True)
class MissedGoal:
    """What does not hold, and how near its rules came.

    `is_part` says that it is a part of a rule, and `is_short` that there are instances that are not shown.
    """

    text: str
    attempts: tuple[Attempt, ...]
    can_be_stored: bool
    is_part: bool
    is_short: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "goal": self.text,
            "attempts": [attempt.to_json() for attempt in self.attempts],
            "can_be_stored": self.can_be_stored,
            "is_part": self.is_part,
            "is_short": self.is_short,
        }


@dataclass(frozen=True, slots=True)
class Misses:
    """The goals that were missed; the first one is what was asked. Others were left out if `is_cut`."""

    goals: tuple[MissedGoal, ...]
    is_cut: bool

    def to_json(self) -> dict[str, Any]:
        return {"goals": [goal.to_json() for goal in self.goals], "is_cut": self.is_cut}


@dataclass(frozen=True, slots=True)
class Change:
    """A fact to add, or to remove; a `context` fact is removed by not sending it."""

    fact: Fact
    is_added: bool
    origin: str = ""

    def __str__(self) -> str:
        if self.is_added:
            return f"add {self.fact}"
        return f"remove {self.fact}" if self.origin == "stored" else f"do not send {self.fact}"

    def to_json(self) -> dict[str, Any]:
        return {"change": "add" if self.is_added else "remove", "fact": str(self.fact)}


@dataclass(frozen=True, slots=True)
class NearestChanges:
    """Sets of changes by which a denied question is permitted, but by no part of any; the smallest first.

    None of at most `complete_up_to` changes is missing, and none of more than `largest` was looked for.
    """

    sets: tuple[tuple[Change, ...], ...]
    complete_up_to: int
    largest: int

    def to_json(self) -> dict[str, Any]:
        return {
            "sets": [[change.to_json() for change in one] for one in self.sets],
            "complete_up_to": self.complete_up_to,
            "largest": self.largest,
        }


class Line(NamedTuple):
    """A line of an explanation: the branches of the tree, a mark, what it says, and where that is from."""

    branches: str
    outcome: Outcome | None
    text: str
    source: str = ""

    def __str__(self) -> str:
        mark = f"{MARKS[self.outcome]} " if self.outcome else ""
        source = f"  [{self.source}]" if self.source else ""
        return f"{self.branches}{mark}{self.text}{source}"


MARKS: Final[Mapping[Outcome, str]] = {
    Outcome.HOLDS: "✓",
    Outcome.FAILS: "✗",
    Outcome.OPEN: "?",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why `question` is permitted, which `proofs` tell, or why it is not, which `misses` and `changes` do.

    There are no further proofs if `has_all_proofs`. All is about the state that `consistency_token` names, at
    the time `evaluated_at`. It has no truth of its own: it is no decision to act on.
    """

    question: str
    permitted: bool
    policy_version: int
    evaluated_at: datetime
    consistency_token: str
    age: timedelta | None
    proofs: tuple[Proof, ...]
    has_all_proofs: bool
    misses: Misses
    changes: NearestChanges

    def __bool__(self) -> bool:
        raise TypeError("an explanation is no decision; ask `authorize`, or read `permitted`")

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines()))

    def lines(self) -> Iterator[Line]:
        """Yield the explanation line by line."""
        outcome = Outcome.HOLDS if self.permitted else Outcome.FAILS
        answer = "PERMIT" if self.permitted else "DENY"
        yield Line("", outcome, f"{answer}  {self.question}")
        if self.permitted:
            for number, proof in enumerate(self.proofs, start=1):
                if number > 1:
                    yield Line("", None, f"proof {number}")
                yield from _tree(_ProofNodes(proof))
        else:
            yield from _tree(_MissNodes(self.misses))
            if self.misses.is_cut:
                yield Line("", None, "There is more; it was left out.")
            yield from self._change_lines()

    def _change_lines(self) -> Iterator[Line]:
        changes = self.changes
        if changes.sets:
            yield Line("", None, "It would be PERMIT after one of these changes:")
        for number, one in enumerate(changes.sets, start=1):
            text = " and ".join(map(str, one))
            yield Line(f"  {number}. ", None, text)
        if changes.complete_up_to == changes.largest:
            if not changes.sets:
                yield Line(
                    "",
                    None,
                    f"No {changes.largest} changes of facts about what exists would permit it.",
                )
        elif changes.sets:
            size = changes.complete_up_to + 1
            yield Line("", None, f"There can be others, of at least {_counted(size)}.")
        else:
            size = changes.complete_up_to
            yield Line(
                "", None, f"The search ended early: only {_counted(size)} is known not to do."
            )

    def to_json(self) -> dict[str, Any]:
        """Return what can be written as JSON."""
        told: dict[str, Any] = {
            "decision": "PERMIT" if self.permitted else "DENY",
            "question": self.question,
            "policy_version": self.policy_version,
            "evaluated_at": self.evaluated_at.isoformat(),
            "consistency_token": self.consistency_token,
        }
        if self.permitted:
            proofs = [proof.to_json() for proof in self.proofs]
            return {**told, "proofs": proofs, "has_all_proofs": self.has_all_proofs}
        return {**told, "misses": self.misses.to_json(), "changes": self.changes.to_json()}


def _counted(number: int) -> str:
    return "1 change" if number == 1 else f"{number} changes"


class _Node(NamedTuple):
    """A line without branches, and the keys of what hangs below it."""

    line: Line
    below: tuple[Any, ...]


class _ProofNodes:
    """The nodes of a proof. A step is drawn once; further down it is only named."""

    def __init__(self, proof: Proof) -> None:
        self._proof = proof
        self._drawn: set[int] = set()
        self.root: Premise = 0

    def node(self, premise: Premise) -> _Node:
        match premise:
            case UsedFact(fact, origin):
                return _Node(Line("", None, str(fact), origin), ())
            case str():
                return _Node(Line("", None, premise), ())
            case int():
                return self._step(premise)

    def _step(self, number: int) -> _Node:
        step = self._proof.steps[number]
        if number in self._drawn:
            return _Node(Line("", None, str(step.fact), "as above"), ())
        self._drawn.add(number)
        return _Node(Line("", None, str(step.fact), str(step.rule)), step.premises)


class _MissNodes:
    """The nodes of misses: conditions, and below one that fails the rules for it."""

    def __init__(self, misses: Misses) -> None:
        self._misses = misses
        self._drawn: set[int] = set()
        goal = misses.goals[0]
        self.root: RuleCondition | Attempt | UsedFact = RuleCondition(
            goal.text, Outcome.FAILS, 0, ()
        )

    def node(self, key: RuleCondition | Attempt | UsedFact) -> _Node:
        match key:
            case UsedFact(fact, origin):
                return _Node(Line("", None, str(fact), origin), ())
            case Attempt(rule, conditions):
                return _Node(Line("", None, str(rule)), conditions)
            case RuleCondition():
                return self._condition(key)

    def _condition(self, key: RuleCondition) -> _Node:
        if key.goal is None:
            return _Node(Line("", key.outcome, key.text, _why(key)), key.facts)
        if key.goal in self._drawn:
            return _Node(Line("", key.outcome, key.text, "as above"), ())
        self._drawn.add(key.goal)
        goal = self._misses.goals[key.goal]
        said = []
        if goal.can_be_stored:
            said.append("not stored")
        if not goal.attempts and not goal.can_be_stored:
            said.append("no rule is about it")
        if goal.is_short:
            said.append("further instances are not shown")
        return _Node(Line("", key.outcome, key.text, ", ".join(said)), goal.attempts)


def _why(condition: RuleCondition) -> str:
    if condition.outcome is Outcome.OPEN:
        return "depends on what fails"
    is_looked_up = condition.outcome is Outcome.FAILS and condition.text.endswith(")")
    return "not stored" if is_looked_up and not condition.text.startswith("not ") else ""


def _tree(nodes: _ProofNodes | _MissNodes) -> Iterator[Line]:
    """Yield the lines of a tree, which can be deep."""
    waiting: list[tuple[Any, tuple[bool, ...]]] = [(nodes.root, (True,))]
    while waiting:
        key, lasts = waiting.pop()
        line, below = nodes.node(key)
        yield line._replace(branches=_branches(lasts))
        places = reversed(list(enumerate(below, start=1)))
        waiting.extend((one, (*lasts, place == len(below))) for place, one in places)


def _branches(lasts: tuple[bool, ...]) -> str:
    shown = lasts[-_DEEPEST:]
    deeper = f"{len(lasts) - len(shown)}.. " if len(shown) < len(lasts) else ""
    before = "".join("   " if is_last else "│  " for is_last in shown[:-1])
    return f"{deeper}{before}{'└─ ' if shown[-1] else '├─ '}"


_ORIGINS: Final[Mapping[int, str]] = {
    pb.FACT_ORIGIN_STORED: "stored",
    pb.FACT_ORIGIN_CONTEXT: "context",
}

_OUTCOMES: Final[Mapping[int, Outcome]] = {
    pb.CONDITION_OUTCOME_HOLDS: Outcome.HOLDS,
    pb.CONDITION_OUTCOME_FAILS: Outcome.FAILS,
    pb.CONDITION_OUTCOME_OPEN: Outcome.OPEN,
}


def read_rule(message: pb.PolicyRule) -> PolicyRule:
    return PolicyRule(message.file, message.line, message.column, message.text)


def read_proof(message: pb.Proof) -> Proof:
    steps = tuple(_read_step(step, len(message.steps)) for step in message.steps)
    if not steps:
        raise UnexpectedAnswer("a proof has no steps")
    return Proof(steps)


def _read_step(message: pb.ProofStep, count: int) -> ProofStep:
    premises = tuple(_read_premise(premise, count) for premise in message.premises)
    return ProofStep(read_fact(message.fact), read_rule(message.rule), premises)


def _read_premise(message: pb.Premise, count: int) -> Premise:
    match message.WhichOneof("met_by"):
        case "fact":
            return _read_used(message.fact)
        case "step" if 0 <= message.step < count:
            return message.step
        case "condition":
            return message.condition
        case _:
            raise UnexpectedAnswer("a proof has a premise of a kind unknown to this client")


def _read_used(message: pb.UsedFact) -> UsedFact:
    if message.origin not in _ORIGINS:
        raise UnexpectedAnswer(f"a fact has the origin {message.origin}, unknown to this client")
    return UsedFact(read_fact(message.fact), _ORIGINS[message.origin])


def read_misses(message: pb.Misses) -> Misses:
    goals = tuple(_read_goal(goal, len(message.goals)) for goal in message.goals)
    return Misses(goals, message.is_cut)


def _read_goal(message: pb.MissedGoal, count: int) -> MissedGoal:
    return MissedGoal(
        message.text,
        tuple(
            Attempt(
                read_rule(attempt.rule),
                tuple(_read_condition(one, count) for one in attempt.conditions),
            )
            for attempt in message.attempts
        ),
        message.can_be_stored,
        message.is_part,
        message.is_short,
    )


def _read_condition(message: pb.RuleCondition, count: int) -> RuleCondition:
    if message.outcome not in _OUTCOMES or not -1 <= message.goal < count:
        raise UnexpectedAnswer("a condition has an outcome or a goal unknown to this client")
    return RuleCondition(
        message.text,
        _OUTCOMES[message.outcome],
        None if message.goal < 0 else message.goal,
        tuple(map(_read_used, message.facts)),
    )


def read_changes(message: pb.NearestChanges) -> NearestChanges:
    sets = tuple(tuple(map(_read_change, one.changes)) for one in message.sets)
    return NearestChanges(sets, message.complete_up_to, message.largest)


def _read_change(message: pb.ProposedChange) -> Change:
    match message.WhichOneof("change"):
        case "add":
            return Change(read_fact(message.add), is_added=True)
        case "remove":
            used = _read_used(message.remove)
            return Change(used.fact, is_added=False, origin=used.origin)
        case _:
            raise UnexpectedAnswer("a change is of a kind unknown to this client")
