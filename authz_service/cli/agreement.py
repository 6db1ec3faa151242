"""What engines said to the same questions, lists and queries, summed up for people and as JSON."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from authz_service.cli.findings import counted
from authz_service.engine.engines import Engine
from authz_service.engine.program import Listed, Question, Row
from authz_service.engine.verification import (
    Answer,
    Asked,
    Comparison,
    ListQuestion,
    NotInRows,
    QueryQuestion,
    Said,
)
from authz_service.errors import AuthzError
from authz_service.facts.fact import AnyValue
from authz_service.facts.value import Value

_SHOWN = 20
_SHOWN_VALUES = 50


@dataclass(slots=True)
class Tally:
    """What was asked of one kind, and answered. `compared` is what at least two engines answered."""

    asked: int = 0
    telling: int = 0
    """How many of them got the answer that is not the empty one: PERMIT, or something in a list or in rows."""
    compared: int = 0
    answered: Counter[Engine] = field(default_factory=Counter)
    unanswered: dict[Engine, Counter[str]] = field(default_factory=dict)

    def add(self, comparison: Comparison) -> None:
        self.asked += 1
        self.telling += any(map(_is_telling, comparison.said))
        answered = 0
        for engine, answer in comparison.answers.items():
            if isinstance(answer, AuthzError):
                self.unanswered.setdefault(engine, Counter())[answer.message] += 1
            else:
                self.answered[engine] += 1
                answered += 1
        self.compared += answered > 1

    def share(self) -> str:
        return f"{self.telling / self.asked:.0%}" if self.asked else "0%"


@dataclass(slots=True)
class Report:
    """What was asked and answered so far."""

    seed: int
    facts: Counter[str] = field(default_factory=Counter)
    questions: Tally = field(default_factory=Tally)
    lists: Tally = field(default_factory=Tally)
    queries: Tally = field(default_factory=Tally)
    differences: list[tuple[str, Comparison]] = field(default_factory=list)

    @property
    def compared(self) -> int:
        return self.questions.compared + self.lists.compared + self.queries.compared

    def add(self, facts: str, comparison: Comparison) -> None:
        """Count what was said to something that was asked about the facts named `facts`."""
        if comparison.differs:
            self.differences.append((facts, comparison))
        match comparison.question:
            case Question():
                self.facts[facts] += 1
                self.questions.add(comparison)
            case ListQuestion():
                self.lists.add(comparison)
            case QueryQuestion():
                self.queries.add(comparison)

    def refused(self, engine: Engine, why: AuthzError) -> None:
        """Note that `engine` cannot decide by this policy at all."""
        self.questions.unanswered.setdefault(engine, Counter())[why.message] += 0


def _is_telling(said: Said) -> bool:
    match said:
        case bool():
            return said
        case Listed(ids=ids, is_any_except=is_any_except):
            return bool(ids) or is_any_except
        case NotInRows():
            return False
        case _:
            return bool(said)


def print_report(console: Console, report: Report) -> None:
    """Print differences, then how much was asked, and what could not be answered."""
    for facts, comparison in report.differences[:_SHOWN]:
        console.print(Text.assemble(("DIFFERENCE ", "bold red"), f"with the facts of {facts}"))
        console.print(Text(f"  {_asked_text(comparison)}"), highlight=False)
        for engine, answer in comparison.answers.items():
            console.print(Text(f"  {engine.value:10} {_words(answer)}"), highlight=False)
    if len(report.differences) > _SHOWN:
        console.print(f"... and {len(report.differences) - _SHOWN} more", highlight=False)
    sets = f"about {counted(len(report.facts), 'set')} of facts"
    questions, lists, queries = report.questions, report.lists, report.queries
    asked = counted(questions.asked, "different question")
    _print_tally(console, f"{asked} {sets}: {questions.share()} PERMIT", questions, Engine)
    if lists.asked:
        asked = f"{counted(lists.asked, 'list')}: {lists.share()} not empty"
        _print_tally(console, asked, lists, _LISTING)
    if queries.asked:
        asked = "1 query" if queries.asked == 1 else f"{queries.asked} queries"
        _print_tally(console, f"{asked}: {queries.share()} with rows", queries, _LISTING)
    differences = len(report.differences)
    verdict = counted(differences, "difference") if differences else "no difference"
    style = "bold red" if differences else "green"
    console.print(f"{verdict} (seed {report.seed})", style=style, highlight=False)


_LISTING: Final = (Engine.COMPILED, Engine.REFERENCE)
"""The engines that are compared by lists and queries."""


def _print_tally(
    console: Console, asked: str, tally: Tally, engines: type[Engine] | tuple[Engine, ...]
) -> None:
    console.print(asked, highlight=False)
    for engine in engines:
        console.print(f"  {engine.value:10} answered {tally.answered[engine]}", highlight=False)
        for why, number in tally.unanswered.get(engine, Counter()).items():
            some = f"{number} not answered" if number else "asked nothing"
            console.print(Text(f"             {some}: {why}", "yellow"), highlight=False)


def report_json(report: Report) -> Mapping[str, Any]:
    return {
        "success": not report.differences and report.compared > 0,
        "seed": report.seed,
        "questions": report.questions.asked,
        "permitted": report.questions.telling,
        "compared": report.questions.compared,
        "engines": _engines_json(report.questions, Engine),
        "lists": _tally_json(report.lists, "not_empty"),
        "queries": _tally_json(report.queries, "with_rows"),
        "facts": [{"name": name, "questions": n} for name, n in report.facts.items()],
        "differences": [_difference_json(*difference) for difference in report.differences],
    }


def _tally_json(tally: Tally, telling: str) -> Mapping[str, Any]:
    return {
        "asked": tally.asked,
        telling: tally.telling,
        "compared": tally.compared,
        "engines": _engines_json(tally, _LISTING),
    }


def _engines_json(
    tally: Tally, engines: type[Engine] | tuple[Engine, ...]
) -> list[Mapping[str, Any]]:
    return [
        {
            "engine": engine.value,
            "answered": tally.answered[engine],
            "unanswered": dict(tally.unanswered.get(engine, {})),
        }
        for engine in engines
    ]


def _difference_json(facts: str, comparison: Comparison) -> Mapping[str, Any]:
    answers = {engine.value: _words(a) for engine, a in comparison.answers.items()}
    return {"facts": facts, **_asked_json(comparison.question), "answers": answers}


def _asked_json(asked: Asked) -> Mapping[str, Any]:
    match asked:
        case Question(actor, action, resource):
            named = {"actor": _entity_json(actor), "resource": _entity_json(resource)}
            return {**named, "action": action}
        case ListQuestion(text):
            return {"list": text}
        case QueryQuestion(text):
            return {"query": text}


def _asked_text(comparison: Comparison) -> str:
    match comparison.question:
        case Question(actor, action, resource):
            return f"{actor} {action} {resource}"
        case ListQuestion(text) | QueryQuestion(text):
            return text


def _entity_json(value: Value) -> Mapping[str, str]:
    return {"type": value.type, "id": value.id}


def _words(answer: Answer) -> str:
    match answer:
        case AuthzError():
            return answer.message
        case bool():
            return "PERMIT" if answer else "DENY"
        case Listed(is_any_except=is_any_except):
            return f"{'any except' if is_any_except else 'only'} {_some(answer.values, str)}"
        case NotInRows(why):
            return why
        case _:
            return _some(sorted(answer, key=_row_text), _row_text)


def _some(values: Any, text: Callable[[Any], str]) -> str:  # noqa: ANN401 - a sequence of what `text` takes
    shown = ", ".join(map(text, values[:_SHOWN_VALUES]))
    more = len(values) - _SHOWN_VALUES
    return f"[{shown}{f', and {more} more' if more > 0 else ''}]"


def _row_text(row: Row) -> str:
    cells = (f"{cell.type}:_" if isinstance(cell, AnyValue) else str(cell) for cell in row)
    return f"({', '.join(cells)})"
