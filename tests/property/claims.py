"""Claims: what explanations say of a condition as text, such as `not q(User:a, _)` or `User:a matches Team`.

A claim that is no fact, no pattern and no test of values, but a piece of the policy, cannot be looked at.
"""

import re
from collections.abc import Callable, Iterable
from operator import eq, ge, gt, le, lt, ne

import authz
from examples import fact as parsed

from authz_service.facts.fact import Fact

_OPERATORS: dict[str, Callable[..., bool]] = {
    "=": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
_VALUE = r'(?:[A-Z]\w*:[^\W_][\w-]*|"\w+"|-?\d+|true|false)'
_COMPARED = re.compile(rf"({_VALUE}) (=|!=|<|<=|>|>=) ({_VALUE})")
_TYPED = re.compile(r"([A-Z]\w*):[^\W_][\w-]* matches ([\w |]+)")
_AMONG = re.compile(rf"({_VALUE}) in \[((?:{_VALUE})(?:, {_VALUE})*)\]")


def is_false(text: str, everything: Iterable[Fact], *, holds: bool) -> bool:
    """Say whether it is wrong that a condition holds, or that it does not, over `everything` that holds."""
    denied = text.startswith("not ")
    is_met = _is_met(text.removeprefix("not "), everything, holds=holds is not denied)
    return is_met is not None and (is_met is not denied) is not holds


def _is_met(text: str, everything: Iterable[Fact], *, holds: bool) -> bool | None:
    """Say whether a condition is met; None if nobody knows. `holds` is what was said."""
    if found := _COMPARED.fullmatch(text):
        left, operator, right = found.groups()
        is_order = operator not in ("=", "!=")
        return _OPERATORS[operator](*((int(left), int(right)) if is_order else (left, right)))
    if found := _TYPED.fullmatch(text):
        return found[1] in found[2].split(" | ")
    if found := _AMONG.fullmatch(text):
        return found[1] in found[2].split(", ")
    try:
        pattern = authz.FactPattern.parse(text)
    except authz.InvalidRequest:
        return None
    holes = [arg for arg in pattern.args if isinstance(arg, authz.AnyOf)]
    if not holes:
        return parsed(authz.Fact.parse(text)) in everything
    is_met = any(_matches(pattern, one) for one in everything)
    # More than is said can be known of a value: its types, or that it stands in two places.
    is_exact = len(holes) == 1 and bool(holes[0].type)
    return is_met if is_exact or holds else None


def _matches(pattern: authz.FactPattern, fact: Fact) -> bool:
    if (pattern.predicate, len(pattern.args)) != (fact.predicate, len(fact.args)):
        return False
    pairs = zip(pattern.args, fact.args, strict=True)
    return all(
        arg.type in (None, "", value.type)
        if isinstance(arg, authz.AnyOf)
        else _text(arg) == str(value)
        for arg, value in pairs
    )


def _text(arg: object) -> str:
    return str(parsed(authz.Fact("p", arg)).args[0])
