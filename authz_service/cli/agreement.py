"""What engines said to the same questions, summed up for people and as JSON."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from authz_service.cli.findings import counted
from authz_service.engine.engines import Engine
from authz_service.engine.verification import Answer, Comparison
from authz_service.errors import AuthzError
from authz_service.facts.value import Value

_SHOWN = 20


@dataclass(slots=True)
class Report:
    """Questions and answers so far. `compared` are the questions that at least two engines answered."""

    seed: int
    facts: Counter[str] = field(default_factory=Counter)
    questions: int = 0
    permitted: int = 0
    compared: int = 0
    differences: list[tuple[str, Comparison]] = field(default_factory=list)
    answered: Counter[Engine] = field(default_factory=Counter)
    unanswered: dict[Engine, Counter[str]] = field(default_factory=dict)

    def add(self, facts: str, comparison: Comparison) -> None:
        """Count what was said to a question about the facts named `facts`."""
        self.facts[facts] += 1
        self.questions += 1
        self.permitted += True in comparison.decisions
        if comparison.differs:
            self.differences.append((facts, comparison))
        decided = 0
        for engine, answer in comparison.answers.items():
            if isinstance(answer, AuthzError):
                self.unanswered.setdefault(engine, Counter())[answer.message] += 1
            else:
                self.answered[engine] += 1
                decided += 1
        self.compared += decided > 1

    def refused(self, engine: Engine, why: AuthzError) -> None:
        """Note that `engine` cannot decide by this policy at all."""
        self.unanswered.setdefault(engine, Counter())[why.message] += 0


def print_report(console: Console, report: Report) -> None:
    """Print differences, then how much was asked, and what could not be answered."""
    for facts, comparison in report.differences[:_SHOWN]:
        console.print(Text.assemble(("DIFFERENCE ", "bold red"), f"with the facts of {facts}"))
        actor, action, resource = comparison.question
        console.print(Text(f"  {actor} {action} {resource}"), highlight=False)
        for engine, answer in comparison.answers.items():
            console.print(Text(f"  {engine.value:10} {_word(answer)}"), highlight=False)
    if len(report.differences) > _SHOWN:
        console.print(f"... and {len(report.differences) - _SHOWN} more", highlight=False)
    _print_summary(console, report)


def _print_summary(console: Console, report: Report) -> None:
    share = f"{report.permitted / report.questions:.0%}" if report.questions else "0%"
    sets = counted(len(report.facts), "set")
    console.print(
        f"{counted(report.questions, 'different question')} about {sets} of facts: {share} PERMIT",
        highlight=False,
    )
    for engine in Engine:
        console.print(f"  {engine.value:10} answered {report.answered[engine]}", highlight=False)
        for why, number in report.unanswered.get(engine, Counter()).items():
            some = f"{number} not answered" if number else "asked nothing"
            console.print(Text(f"             {some}: {why}", "yellow"), highlight=False)
    differences = len(report.differences)
    verdict = counted(differences, "difference") if differences else "no difference"
    style = "bold red" if differences else "green"
    console.print(f"{verdict} (seed {report.seed})", style=style, highlight=False)


def report_json(report: Report) -> Mapping[str, Any]:
    return {
        "success": not report.differences and report.compared > 0,
        "seed": report.seed,
        "questions": report.questions,
        "permitted": report.permitted,
        "compared": report.compared,
        "engines": [
            {
                "engine": engine.value,
                "answered": report.answered[engine],
                "unanswered": dict(report.unanswered.get(engine, {})),
            }
            for engine in Engine
        ],
        "facts": [{"name": name, "questions": n} for name, n in report.facts.items()],
        "differences": [_difference_json(*difference) for difference in report.differences],
    }


def _difference_json(facts: str, comparison: Comparison) -> Mapping[str, Any]:
    actor, action, resource = comparison.question
    return {
        "facts": facts,
        "actor": _entity_json(actor),
        "action": action,
        "resource": _entity_json(resource),
        "answers": {engine.value: _word(a) for engine, a in comparison.answers.items()},
    }


def _entity_json(value: Value) -> Mapping[str, str]:
    return {"type": value.type, "id": value.id}


def _word(answer: Answer) -> str:
    if isinstance(answer, AuthzError):
        return answer.message
    return "PERMIT" if answer else "DENY"
