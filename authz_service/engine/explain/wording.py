"""Wording: conditions with their values, as a policy author would write them."""

from collections.abc import Set as AbstractSet

from authz_service.engine.explain.derive import Derivations, Goal
from authz_service.engine.explain.kinds import Doing, NumberedRule, NumberedStep, Slots
from authz_service.facts.value import Value
from authz_service.polar.source import Span


def condition_text(
    derivations: Derivations,
    rule: NumberedRule,
    step: NumberedStep,
    slots: Slots | tuple[int | None, ...],
) -> str:
    """Return the condition of a step with the values that are known; `Type:_` stands for any other one."""
    if not step.words:
        step.words = _words(derivations, rule, step)
    value = derivations.lookups.ids.value
    shown: list[str] = []
    for word in step.words:
        if isinstance(word, str):
            shown.append(word)
        elif (known := slots[word]) is not None:
            shown.append(str(value(known)))
        else:
            shown.append(_any_of(rule.rule.types[rule.variables[word]]))
    return "".join(shown)


def _words(
    derivations: Derivations, rule: NumberedRule, step: NumberedStep
) -> tuple[str | int, ...]:
    """Return the condition as text and slots."""
    known = {slot: str(value) for slot, value in rule.literals}
    marked = [known.get(n, f"\0{n}\0") for n in step.slots]
    parts = _text(derivations, step, marked).split("\0")
    return tuple(int(part) if number % 2 else part for number, part in enumerate(parts) if part)


def _text(derivations: Derivations, step: NumberedStep, shown: list[str]) -> str:
    denied = "not " if step.is_denied else ""
    if step.doing is Doing.LOOK_UP:
        text = f"{step.predicate}({', '.join(shown)})"
    elif step.doing is Doing.CALL:
        if derivations.rules.is_helper(step.predicate):
            return source_text(step.span)
        text = _called_text(derivations, step.predicate, shown)
    elif step.operator:
        text = f"{shown[0]} {step.operator} {shown[1]}"
    elif step.values:
        text = f"{shown[0]} in [{', '.join(map(str, step.values))}]"
    else:
        text = f"{shown[0]} matches {' | '.join(sorted(step.types))}"
    return denied + text


def goal_text(derivations: Derivations, goal: Goal) -> str:
    """Return what a goal asks for, `Type:_` standing for any value."""
    pattern, args = goal
    rules = derivations.rules
    if rules.is_helper(pattern.relation):
        return ""
    given = iter(args)
    types = rules.program.relations[pattern.relation].params
    shown = [
        str(derivations.lookups.ids.value(next(given))) if is_bound else _any_of(kinds)
        for is_bound, kinds in zip(pattern.bound, types, strict=True)
    ]
    return _called_text(derivations, pattern.relation, shown)


def source_text(span: Span) -> str:
    """Return what stands in the policy, on one line."""
    return " ".join(span.text.split())


def _called_text(derivations: Derivations, relation: str, shown: list[str]) -> str:
    predicate, args = derivations.rules.meaning(relation)
    given = iter(shown)
    words = [str(arg) if isinstance(arg, Value) else next(given) for arg in args]
    return f"{predicate}({', '.join(words)})"


def _any_of(types: AbstractSet[str]) -> str:
    return f"{next(iter(types))}:_" if len(types) == 1 else "_"
