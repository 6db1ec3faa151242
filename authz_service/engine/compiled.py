"""The compiled engine: a policy as Python functions, one module for each kind of question.

A kind is an actor's type, an action and a resource's type. Its module is compiled when it is first asked for,
or before by `prepare`; it reads like code that somebody wrote, and shows in tracebacks. The few kinds that
cannot be compiled, since their rules build on each other too deep, are answered by the reference engine.

Lists have modules of their own, made when the first list of a kind is asked for. Where the policy limits what
is listed to values of facts, the list is what its module finds. Where it can permit every value, what can
differ from all others is found, and checked; see `compiler.differences`.
"""

import marshal
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import cached_property
from itertools import islice
from types import CodeType
from typing import Any, NamedTuple

from authz_service.engine.compiler.differences import certain, differing, is_open
from authz_service.engine.compiler.emit import Source, emit
from authz_service.engine.compiler.names import GLOBALS
from authz_service.engine.compiler.normalise import normalise
from authz_service.engine.compiler.plan import plan
from authz_service.engine.compiler.rewrites import Rewrite, rewritten
from authz_service.engine.compiler.rule_program import RuleProgram
from authz_service.engine.compiler.specialise import Specialiser
from authz_service.engine.compiler.tabling import (
    FEW,
    Run,
    forget,
    has_alike,
    meet,
    spend,
    tables_of,
    tried_of,
)
from authz_service.engine.program import Budget, Listed, Listing, Query, Question, Row
from authz_service.engine.queries.compiled import CompiledQueries
from authz_service.engine.reference import ReferenceProgram, constants
from authz_service.errors import EngineUnsupported
from authz_service.facts.access import Demand, Walk
from authz_service.facts.ids import FIRST_INTEGER, INTEGER_ZERO, TYPE_SHIFT, Ids
from authz_service.facts.snapshot import FactSnapshot
from authz_service.facts.value import INTEGER, PRIMITIVE_TYPES, STRING, Value, quoted, string
from authz_service.facts.view import View
from authz_service.polar.matching import Arg
from authz_service.polar.policy import Policy

MAX_PREPARED = 100
"""So many kinds of questions are compiled before they are asked; each takes about 20 ms."""

_TEXTS_AT_ONCE = 10_000
"""So many are read in half a millisecond."""


class Kind(NamedTuple):
    """What questions have in common that one module answers.

    `action` is None where facts decide which actions there are: then it is an argument like others.
    """

    actor_type: str
    action: str | None
    resource_type: str

    def __str__(self) -> str:
        action = STRING if self.action is None else quoted(self.action)
        return f"allow({self.actor_type}, {action}, {self.resource_type})"

    @property
    def args(self) -> tuple[Arg, ...]:
        """The arguments of `allow` that are asked for."""
        action: Arg = frozenset({STRING}) if self.action is None else string(self.action)
        return frozenset({self.actor_type}), action, frozenset({self.resource_type})

    def arguments(self, question: Question) -> list[Value]:
        """Return what of a question of this kind the module is given."""
        actor, action, resource = question.as_fact().args
        return [actor, resource] if self.action is not None else [actor, action, resource]


class Part(Enum):
    """What a module finds for a list, if it is not the list itself."""

    DIFFERING = "differing"
    CERTAIN = "certain"


class ListKind(NamedTuple):
    """What lists have in common that one module finds: a kind of questions, and the argument that is not given.

    If that is open, two modules find a `part` each.
    """

    kind: Kind
    listed: int
    part: Part | None

    def __str__(self) -> str:
        part = "" if self.part is None else f", {self.part.value}"
        return f"{self.kind}, listed by argument {self.listed + 1}{part}"


class _Compiled(NamedTuple):
    """The function that answers questions of a kind, and what it uses and needs; see `Source`."""

    answer: Callable[..., Any]
    uses: frozenset[str]
    counts: bool
    keeps: bool


class Module(NamedTuple):
    """A module as text, and compiled."""

    source: Source
    code: CodeType

    def __reduce__(self) -> tuple[Callable[[Source, bytes], "Module"], tuple[Source, bytes]]:
        return _unmarshalled, (self.source, marshal.dumps(self.code))

    def executed(self) -> dict[str, Any]:
        """Return what the module defines."""
        name = self.code.co_filename
        known = (
            *(FIRST_INTEGER, INTEGER_ZERO, TYPE_SHIFT, FEW, meet, has_alike, spend),
            *(tables_of, tried_of, forget),
        )
        namespace: dict[str, Any] = {
            "__name__": name,
            "__loader__": _Shown(self.source.text),
            **dict(zip(GLOBALS, known, strict=True)),
        }
        exec(self.code, namespace)  # noqa: S102 - written by `emit`, of checked names only
        return namespace


def _unmarshalled(source: Source, code: bytes) -> Module:
    return Module(source, marshal.loads(code))  # noqa: S302 - of a process of this interpreter


class CompiledProgram:
    """A policy, compiled. `demand` is what it needs of facts."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._specialiser = Specialiser(normalise(policy.rules), policy.shapes)
        types = policy.types | PRIMITIVE_TYPES - {INTEGER}
        self.demand = Demand(policy.shapes.accept, _named(policy), types)
        self._reference = ReferenceProgram(policy)
        self._modules: dict[Kind | ListKind, Module | None] = {}
        self._is_open: dict[tuple[Kind, int], bool] = {}
        self._begin()

    def _begin(self) -> None:
        self._answers: dict[Kind | ListKind, _Compiled | None] = {}
        # A function and the globals of its module are a circle, which only a collection would find.
        self._namespaces: list[dict[str, Any]] = []
        weakref.finalize(self, _clear, self._namespaces)

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but functions, which cannot be pickled."""
        kept = {name: value for name, value in self.__dict__.items() if name != "_queries"}
        return {**kept, "_answers": None, "_namespaces": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()
        for kind, module in self._modules.items():
            self._execute(kind, module)

    def permits(self, question: Question, facts: FactSnapshot, now: int, budget: Budget) -> bool:
        """See `Program.permits`. Costs what the question visits, not what there is."""
        actor, action, resource = question
        actor_type, actor_text = actor
        resource_type, resource_text = resource
        view = facts.whole(self.demand)
        if view is None or view.ready is None:
            return self._permits_first(question, facts, now, budget)
        try:
            ready = view.ready[resource_type][action][actor_type]
        except KeyError:
            ready = None
        if ready is None:
            return self._permits_first(question, facts, now, budget)
        answer, counts, keeps, find_actor, strange_actor, find_resource, strange_resource = ready
        actor_id = find_actor(actor_text)
        resource_id = find_resource(resource_text)
        if resource_id is None:
            resource_id = strange_resource
        if actor_id is None:
            # One value has one id, though a write can have given it one since it was looked up.
            actor_id = resource_id if actor == resource else strange_actor
        steps = iter(budget.each) if counts else None
        run: Run | None = {} if keeps else None
        try:
            permitted: bool = answer(view, steps, now, run, actor_id, resource_id)
        except StopIteration:
            raise budget.reached() from None
        return permitted

    def is_ready(self, question: Question, facts: FactSnapshot) -> bool:
        """See `Program.is_ready`. So it is from the second question of a kind on, if that names its action."""
        actor, action, resource = question
        view = facts.whole(self.demand)
        if view is None or view.ready is None:
            return False
        return actor.type in view.ready.get(resource.type, {}).get(action, {})

    def _permits_first(
        self, question: Question, facts: FactSnapshot, now: int, budget: Budget
    ) -> bool:
        """Answer a question whose kind was not asked about these facts, or does not name its action."""
        kind = self._kind(question)
        found = self._compiled(kind)
        if found is None:
            return self._reference.permits(question, facts, now, budget)
        view = facts.view(self.demand)
        ids = view.ids.child()
        asked = [ids.add(value) for value in question.as_fact().args]
        if kind.action is not None:
            del asked[1]
        action = kind.action if view.ready is not None else None
        if action is not None:
            _complete(view, found, budget)
        steps = iter(budget.each)
        try:
            permitted: bool = found.answer(view, steps, now, {}, *asked)
        except StopIteration:
            raise budget.reached() from None
        if action is not None:
            kept = view.kept(kind.resource_type, action)
            kept[kind.actor_type] = _ready(found, kind, view.ids)
        return permitted

    def listed(self, asked: Listing, facts: FactSnapshot, now: int, budget: Budget) -> Listed:
        """See `Program.listed`. Costs what must be visited from what is given on; a check for each action."""
        if asked.choices is not None:
            shared = budget.shared()
            return asked.by_checks((), lambda one: self.permits(one, facts, now, shared))
        hole = Value(asked.type, "")
        question = asked.ask(hole)
        kind = self._kind(question)
        args = kind.arguments(question)
        position = args.index(hole)
        modules = self._modules_for(kind, position)
        if modules is None:
            return self._reference.listed(asked, facts, now, budget)
        view = facts.view(self.demand)
        for module in modules:
            _complete(view, module, budget)
        ids = view.ids.child()
        given = [ids.add(value) for value in args if value != hole]
        steps = iter(budget.each)
        try:
            if len(modules) == 1:
                found = modules[0].answer(view, steps, now, {}, *given)
                return Listed(
                    asked.type, _texts(asked.type, found, ids, budget), is_any_except=False
                )
            stranger = view.ids.stranger(asked.type, position)
            unlike, is_any = _unlike(stranger, modules, position, given, (view, steps, now))
        except StopIteration:
            raise budget.reached() from None
        return Listed(asked.type, _texts(asked.type, unlike, ids, budget), is_any)

    def _modules_for(self, kind: Kind, position: int) -> list[_Compiled] | None:
        """Return what finds lists: one module if the argument is not open, three if it is; None if none can."""
        lists = self._lists_at(kind, position)
        wanted: list[Kind | ListKind] = [*lists] if len(lists) == 1 else [kind, *lists]
        found = [self._compiled(one) for one in wanted]
        compiled = [one for one in found if one is not None]
        return compiled if len(compiled) == len(found) else None

    def query(self, query: Query, facts: FactSnapshot, now: int, budget: Budget) -> set[Row]:
        """See `Program.query`."""
        try:
            return self._queries.rows(query, facts, now, budget)
        except EngineUnsupported:
            return self._reference.query(query, facts, now, budget)

    @cached_property
    def _queries(self) -> CompiledQueries:
        vocabulary = self._reference.vocabulary
        return CompiledQueries(vocabulary, self.demand, _executed)

    def list_kinds(self, kind: Kind) -> Iterator[ListKind]:
        """Yield the kinds of modules that find lists for questions of the kind."""
        for position in range(len(self._rules(kind)[1])):
            yield from self._lists_at(kind, position)

    def _lists_at(self, kind: Kind, position: int) -> list[ListKind]:
        if (kind, position) not in self._is_open:
            self._is_open[kind, position] = is_open(rewritten(self.rules_for(kind)), position)
        parts = Part if self._is_open[kind, position] else [None]
        return [ListKind(kind, position, part) for part in parts]

    @property
    def asked(self) -> AbstractSet[Hashable]:
        """See `Program.asked`."""
        return frozenset(self._answers.copy())

    def prepare(self, asked: AbstractSet[Hashable] | None) -> None:
        """See `Program.prepare`. At most `MAX_PREPARED` kinds; the first that there are is the guess."""
        kinds = list(self.kinds())
        wanted = (kind for kind in kinds if asked is None or kind in asked)
        for kind in islice(wanted, MAX_PREPARED):
            if kind not in self._answers:
                self._compiled(kind)
        lists = {one[:2] for one in asked or () if isinstance(one, ListKind)}
        for kind in kinds:
            for position in range(len(kind.args)):
                if (kind, position) in lists:
                    self._modules_for(kind, position)

    @property
    def uncompiled(self) -> list[Kind | ListKind]:
        """The kinds that were asked so far and that the reference engine answers."""
        return [kind for kind, found in self._answers.copy().items() if found is None]

    def kinds(self) -> Iterator[Kind]:
        """Yield all kinds of questions that the policy answers."""
        for resource, actions in sorted(self._policy.actions.items()):
            for action in [None] if actions is None else sorted(actions):
                for actor in sorted(self._policy.actors):
                    yield Kind(actor, action, resource)

    def rules_for(self, kind: Kind) -> RuleProgram:
        """Return the rules that decide this kind of question, before they are rewritten."""
        return self._specialiser.program("allow", kind.args)

    def source(self, kind: Kind | ListKind, rewrite: Rewrite = rewritten) -> Source:
        """Return the text of the module for this kind. Raises EngineUnsupported."""
        rules, bound = self._list_rules(kind) if isinstance(kind, ListKind) else self._rules(kind)
        return emit(plan(rewrite(rules), bound), self.demand, str(kind))

    def _rules(self, kind: Kind) -> tuple[RuleProgram, tuple[bool, ...]]:
        """Return the rules for the kind, and which arguments of their entry are given."""
        rules = self.rules_for(kind)
        return rules, tuple(True for _ in rules.relations[rules.entry].params)

    def _list_rules(self, asked: ListKind) -> tuple[RuleProgram, tuple[bool, ...]]:
        rules, every = self._rules(asked.kind)
        bound = tuple(index != asked.listed for index, _ in enumerate(every))
        match asked.part:
            case None:
                return rules, bound
            case Part.CERTAIN:
                return certain(rewritten(rules), asked.listed), bound
            case Part.DIFFERING:
                return differing(rewritten(rules), asked.listed), (True, False, *every[1:])

    def _kind(self, question: Question) -> Kind:
        actor, action, resource = question
        is_named = self._policy.actions[resource.type] is not None
        return Kind(actor.type, action if is_named else None, resource.type)

    def _compiled(self, kind: Kind | ListKind) -> _Compiled | None:
        """Return what answers questions of the kind; None if there cannot be such a function."""
        if kind in self._answers:
            return self._answers[kind]
        try:
            module = compiled(self.source(kind), f"compiled policy, {kind}")
        except EngineUnsupported:
            module = None
        self._modules[kind] = module
        return self._execute(kind, module)

    def _execute(self, kind: Kind | ListKind, module: Module | None) -> _Compiled | None:
        found = None
        if module is not None:
            source, namespace = module.source, module.executed()
            self._namespaces.append(namespace)
            answer = namespace[source.entry]
            found = _Compiled(answer, source.uses, source.counts, source.keeps)
            if isinstance(kind, Kind):
                asked = frozenset({kind.actor_type, kind.resource_type})
                for function, reach, types in source.behind:
                    # Most that pass on what they were asked are asked about nothing else.
                    walk = Walk(types & asked or types, namespace[function])
                    self.demand.walk(reach, walk)
        self._answers[kind] = found
        return found


def _ready(answered: _Compiled, kind: Kind, ids: Ids) -> tuple[object, ...]:
    """Return all that questions of the kind look up, in one tuple: with it they cost half."""
    actor, resource = kind.actor_type, kind.resource_type
    found = (
        ids.finder(actor),
        ids.stranger(actor, 0),
        ids.finder(resource),
        ids.stranger(resource, 1),
    )
    return answered.answer, answered.counts, answered.keeps, *found


def _complete(view: View, asked: _Compiled, budget: Budget) -> None:
    """Build what the module looks up, in parts, so that others can go on meanwhile."""
    for _ in view.completing(asked.uses):
        budget.rest()


def _texts(type_name: str, found: AbstractSet[int], ids: Ids, budget: Budget) -> tuple[str, ...]:
    """Return the texts of what was found, in parts likewise."""
    texts, left = list[str](), ids.texts_of(type_name, found)
    while part := list(islice(left, _TEXTS_AT_ONCE)):
        texts += part
        budget.rest()
    return tuple(texts)


def _unlike(
    stranger: int,
    modules: Sequence[_Compiled],
    position: int,
    given: Sequence[int],
    passed_on: tuple[View, Iterator[object], int],
) -> tuple[AbstractSet[int], bool]:
    """Return which values at `position` are permitted; or if the stranger is, which are not, and True.

    The modules are that for checks, and those for the parts in their order.
    """
    check, differing, certain = (module.answer for module in modules)
    before, behind = given[:position], given[position:]
    run: Run = {}
    is_any_except = check(*passed_on, run, *before, stranger, *behind)
    sure: set[int] = certain(*passed_on, {}, *given)
    # Not a generator: nothing may come between the end of steps and who is waiting for it.
    unlike = {
        value
        for value in differing(*passed_on, {}, stranger, *given) - sure
        if check(*passed_on, run, *before, value, *behind) is not is_any_except
    }
    return (unlike if is_any_except else unlike | sure), is_any_except


def _named(policy: Policy) -> frozenset[Value]:
    """Return the values that the policy tells apart from others of their type."""
    actions = {string(action) for actions in policy.actions.values() for action in actions or ()}
    return policy.shapes.named.union(actions, *map(constants, policy.rules))


def compiled(source: Source, name: str) -> Module:
    """Return the module. `name` stands for its file in tracebacks, which show its lines."""
    return Module(source, compile(source.text, name, "exec"))


def _executed(source: Source, name: str) -> dict[str, Any]:
    return compiled(source, name).executed()


def _clear(modules: list[dict[str, Any]]) -> None:
    for module in modules:
        module.clear()


class _Shown:
    """Lets tracebacks find the text of a module that is in no file (PEP 302)."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, name: str) -> str:
        del name
        return self._text
