"""A compiler with one mistake in it gives a wrong answer to some question of the scenes.

Each variant below is the compiler with one function replaced by one that forgets something. Were a variant
not caught, the scenes would say nothing about that function. The compiler as it is passes all scenes.
"""

# ruff: noqa: ARG001, ARG005 - a variant takes what the function takes that it stands for

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module

import pytest
from scenes import Scene, all_scenes
from schemas import NOW

from authz_service.engine import compiled
from authz_service.engine.compiled import CompiledProgram
from authz_service.engine.compiler import (
    expressions,
    function_writer,
    gather,
    merge,
    normalise,
    order,
    plan,
    rule_program,
    tabling,
    walks,
)
from authz_service.engine.compiler.narrow import Narrowed
from authz_service.engine.compiler.rule_program import goals_of, with_goals
from authz_service.engine.compiler.specialise import Specialiser, _Reached
from authz_service.engine.program import Budget
from authz_service.facts import access, view
from authz_service.polar.goals import Atom, Conjunction, Negation, TypeTest, Variable

STEPS = 300_000

# The package shows the functions of these names.
absorb, contain, decide, fold, inline, prune, unite = (
    import_module(f"authz_service.engine.compiler.rewrites.{name}")
    for name in ("absorb", "contain", "decide", "fold", "inline", "prune", "unite")
)

Patch = Callable[[object, str, object], None]


def answers(scene: Scene) -> Iterator[bool | str]:
    """Yield what the compiled engine says to each question; an error is its name."""
    program = CompiledProgram(scene.policy)
    for question in scene.questions:
        try:
            yield program.permits(question, scene.facts, NOW, Budget(STEPS))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            yield f"{type(error).__name__}: {error}"


def wrong(scene: Scene) -> Iterator[str]:
    for question, answer, expected in zip(
        scene.questions, answers(scene), scene.expected, strict=True
    ):
        if answer is not expected:
            yield f"{scene.name}: {answer} to {question.as_fact()}"


@cache
def passed() -> tuple[Scene, ...]:
    """Return the scenes that the compiler as it is passes; called before anything is replaced."""
    return tuple(scene for scene in all_scenes() if next(wrong(scene), None) is None)


def test_the_compiler_as_it_is_passes():
    failed = [scene for scene in all_scenes() if scene not in passed()]
    assert [message for scene in failed for message in wrong(scene)][:10] == []


VARIANTS: dict[str, Callable[[Patch], None]] = {}


def variant(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
    VARIANTS[function.__name__] = function
    return function


# prune


@variant
def prune_takes_loops_for_empty(patch):
    def holding(program):
        circles = program.circles()
        return {name for name in found(program) if not program.is_recursive(name, circles)}

    found = prune._holding
    patch(prune, "_holding", holding)


@variant
def prune_wants_what_is_denied_to_hold(patch):
    def holding(program):
        return found(program.with_relations(map(undenied, program.relations.values())))

    def undenied(relation):
        rules = (
            with_goals(r, (g.goal if isinstance(g, Negation) else g for g in goals_of(r)))
            for r in relation.rules
        )
        return replace(relation, rules=tuple(rules))

    found = prune._holding
    patch(prune, "_holding", holding)


@variant
def prune_takes_every_denial_for_vain(patch):
    patch(prune, "_is_vain", lambda program, goal, holding: isinstance(goal, Negation))


# inline


@variant
def inline_does_not_rename_apart(patch):
    def renamed(rule, apart, atom):
        nothing = Atom("", (), apart.span)
        return found(
            rule, replace(apart, head=nothing, body=Conjunction((), apart.span), types={}), atom
        )

    found = inline._renamed
    patch(inline, "_renamed", renamed)


@variant
def inline_unfolds_one_rule_of_several(patch):
    found = inline._Inliner._unfolded
    patch(
        inline._Inliner,
        "_unfolded",
        lambda self, rule, room: (found(self, rule, room) or [])[:1] or None,
    )


@variant
def inline_denies_one_rule_of_several(patch):
    def first_of(found):
        return lambda *args: found(*args) and found(*args)[:1]

    patch(inline._Inliner, "_denied", first_of(inline._Inliner._denied))


@variant
def inline_takes_every_test_of_a_type_for_sure(patch):
    patch(inline, "_is_sure", lambda goal, rule: isinstance(goal, TypeTest))


# contain


@variant
def contain_lets_two_rules_vouch_for_each_other(patch):
    def kept(program, relation):
        claims = contain._Claims(program)
        return tuple(
            rule
            for rule in relation.rules
            if not any(claims.stand_for(o, rule) for o in relation.rules if o is not rule)
        )

    patch(contain, "_kept", kept)


@variant
def contain_takes_nothing_back(patch):
    patch(contain._Claims, "_follows", lambda self, pair: True)


@variant
def contain_ignores_inner_variables(patch):
    patch(contain, "_inner_variables", lambda rule: set())


@variant
def contain_takes_the_time_for_a_variable(patch):
    patch(contain, "_FIXED", {})


@variant
def contain_takes_all_literals_for_equal(patch):
    def unified(args, others, terms):
        args = [a if isinstance(a, Variable) else o for a, o in zip(args, others, strict=False)]
        return found(args, others, terms)

    found = contain._unified
    patch(contain, "_unified", unified)


@variant
def contain_takes_all_tests_for_equal(patch):
    patch(contain, "_image", lambda goal, terms: type(goal))


# absorb


@variant
def absorb_takes_all_ways_for_alike(patch):
    found = absorb._way
    patch(
        absorb, "_way", lambda rule, name, place: found(rule, name, place) and len(rule.head.args)
    )


@variant
def absorb_forgets_what_else_is_asked(patch):
    def places(rule, atom, relation, loop):
        head = rule.head.args
        return [(head.index(arg), at) for at, arg in enumerate(atom.args) if arg in head]

    patch(absorb, "_places", places)


@variant
def absorb_takes_every_rule_for_a_chain(patch):
    patch(absorb, "_is_chain", lambda rule, atom, here, at: True)


@variant
def absorb_goes_on_to_what_stays(patch):
    def way(rule, name, place):
        atoms = absorb._own_atoms(rule, name)
        here = rule.head.args[place]
        others = [goal for goal in goals_of(rule) if goal not in atoms]
        there = [Atom("", (atom.args[place],), rule.span) for atom in atoms]
        own = tuple(rule_program.canonical([here], [*others, *there]))
        return found(rule, name, place) or (own if atoms else None)

    found = absorb._way
    patch(absorb, "_way", way)


@variant
def absorb_leaves_out_a_beginning(patch):
    found = absorb._begun
    patch(absorb, "_begun", lambda *args: found(*args)[:1])


# unite and fold


@variant
def decide_trusts_facts_at_every_place(patch):
    patch(decide, "_decides", lambda program, fact, test: test.variable in fact.args)


@variant
def unite_takes_all_loops_for_alike(patch):
    patch(unite, "_ways_on", lambda relation: ())


@variant
def unite_takes_all_rules_for_alike(patch):
    patch(unite, "_all_but", lambda program, rule, atom: len(rule.head.args))


@variant
def fold_drops_what_is_not_the_loops(patch):
    def folded(relation, loop):
        new = found(relation, loop)
        return new if new == relation else replace(new, rules=new.rules[-1:])

    found = fold._folded
    patch(fold, "_folded", folded)


@variant
def fold_asks_for_one_rule_of_the_loop(patch):
    found = fold._folded
    patch(
        fold, "_folded", lambda relation, loop: found(relation, replace(loop, rules=loop.rules[:1]))
    )


# normalise


@variant
def normalise_denies_about_no_variable(patch):
    found = normalise._Normaliser._denied
    patch(
        normalise._Normaliser,
        "_denied",
        lambda self, goal, outside, origin: found(self, goal, set(), origin),
    )


@variant
def normalise_forgets_what_follows_alternatives(patch):
    def branches_with(self, head, branches, done, rest, *others):
        return found(self, head, branches, done, [], *others)

    found = normalise._Normaliser._branches_with
    patch(normalise._Normaliser, "_branches_with", branches_with)


@variant
def normalise_forgets_an_alternative(patch):
    def named(self, args, kind, span):
        return found(self, sorted(args, key=normalise._name)[1:], kind, span)

    found = normalise._Normaliser._named
    patch(normalise._Normaliser, "_named", named)


# specialise


@variant
def narrow_tests_no_types(patch):
    patch(Narrowed, "tests", lambda self: [])


@variant
def narrow_forgets_that_parameters_are_equal(patch):
    found = Narrowed._match_parameters
    patch(Narrowed, "_match_parameters", lambda self: found(self)[:0])


@variant
def narrow_forgets_what_a_list_excludes(patch):
    patch(Narrowed, "_member", lambda self, goal, term, values: None)


@variant
def narrow_compares_literals_as_text(patch):
    def compared(self, operator, left, right):
        return found(self, operator, left, right) if operator in ("=", "!=") else True

    found = Narrowed._compared
    patch(Narrowed, "_compared", compared)


@variant
def specialise_forgets_stored_facts_of_derived_predicates(patch):
    def can_hold(self, predicate, args):
        return bool(self.matching(predicate, args))

    patch(Specialiser, "can_hold", can_hold)


@variant
def specialise_takes_stored_facts_of_all_types(patch):
    def stored(self, predicate, args):
        written = found(self, predicate, args)
        return written and written._replace(
            goals=tuple(goal for goal in written.goals if not isinstance(goal, TypeTest))
        )

    found = _Reached._stored
    patch(_Reached, "_stored", stored)


# merge and plan


@variant
def merge_does_not_look_at_what_is_called(patch):
    found = merge._called
    patch(merge, "_called", lambda goal, pattern, pair: found(goal, pattern, {pattern}))


@variant
def merge_counts_rules_only(patch):
    patch(merge, "_are_alike", lambda one, other, rules: len(rules[one]) == len(rules[other]))


@variant
def plan_drops_tests_of_arguments(patch):
    patch(
        order,
        "_is_decided",
        lambda goal, given: isinstance(goal, TypeTest) and goal.variable in given,
    )


@variant
def plan_denies_before_variables_are_known(patch):
    def cost(self, goal, *others):
        return 0 if isinstance(goal, Negation) else found(self, goal, *others)

    found = order.Orderer._cost
    patch(order.Orderer, "_cost", cost)


@variant
def plan_walks_where_answers_are_not_passed_on(patch):
    patch(plan, "_passes_answers_on", lambda planned, pattern: planned.steps[-1].calls == pattern)


@variant
def plan_keeps_what_depends_on_the_question(patch):
    def ways(self):
        is_one = len(self.moving) == 1 and self.pattern.is_check
        return plan.Ways(frozenset(), (str(self.pattern),)) if is_one else None

    patch(plan.Procedure, "ways", property(ways))


def without_choices(planned):
    return replace(planned, steps=tuple(step._replace(choice=None) for step in planned.steps))


@variant
def plan_takes_ways_of_other_literals_for_the_same(patch):
    def ways(self):
        return found.fget(replace(self, rules=tuple(map(without_choices, self.rules))))

    found = plan.Procedure.ways
    patch(plan.Procedure, "ways", property(ways))


@variant
def merge_forgets_that_literals_differ(patch):
    found = merge._canonical
    patch(merge, "_canonical", lambda planned, pair: found(without_choices(planned), pair))


@variant
def gather_forgets_literals(patch):
    patch(gather, "_with_literal_of", lambda planned, other, place: other)


@variant
def gather_takes_one_place_for_another(patch):
    def blanked(planned):
        places = dict(found(planned))
        return [(key, next(iter(places.values()))) for key in places]

    found = gather._blanked
    patch(gather, "_blanked", blanked)


# code


@variant
def code_forgets_that_values_are_equal(patch):
    def name(variables, targets, path):
        path.scope.update(zip(variables, targets, strict=True))

    patch(function_writer, "_name", name)


@variant
def code_only_looks_whether_there_is_something(patch):
    patch(function_writer, "_is_existence", lambda step, planned: True)


@variant
def code_denies_an_order_wrongly(patch):
    patch(expressions, "_DENIED", expressions._DENIED | {"<": ">"})


@variant
def walks_end_at_once_if_one_rule_cannot_hold(patch):
    def needed(self, planned):
        return found(self, self.arriving[0])

    found = walks._Walk._needed
    patch(walks._Walk, "_needed", needed)


@variant
def walks_begin_with_what_stays_the_same(patch):
    def begins_walk(self, path):
        call = path.planned.steps[-1]
        return call.calls in self._function.module.starts and path.steps[1:] == (call,)

    patch(function_writer.Writer, "_begins_walk", begins_walk)


@variant
def walks_share_what_was_tried_for_others(patch):
    def init(self, module, procedure):
        found(self, module, procedure)
        self.key = repr(self.name)

    found = walks._Walk.__init__
    patch(walks._Walk, "__init__", init)


@variant
def walks_keep_what_is_not_whole(patch):
    def written(self, module, name):
        found(self, module, name)
        module.lines = [
            line.replace("is_whole = False", "is_whole = True") for line in module.lines
        ]

    found = walks._Reaching._write_behind
    patch(compiled, "FEW", 0)
    patch(view, "FEW_STARTS", 0)
    patch(walks._Reaching, "_write_behind", written)


@variant
def walks_take_what_is_behind_another_value(patch):
    def written(self, module, name):
        found(self, module, name)
        module.lines = [
            line.replace("run[start,", "run[0,").replace("run.get((start,", "run.get((0,")
            for line in module.lines
        ]

    found = walks._Reaching._write_behind
    patch(view, "FEW_STARTS", 0)
    patch(walks._Reaching, "_write_behind", written)


@variant
def walks_found_ahead_begin_and_end_at_once(patch):
    def walk(demand, reach, known):
        def find(facts, steps, start, run):
            getattr(facts, reach).keep(start, {start})

        found(demand, reach, known._replace(find=find))

    found = access.Demand.walk
    patch(access.Demand, "walk", walk)


@variant
def strangers_are_all_alike(patch):
    def ready(kind_compiled, kind, ids):
        answer, counts, keeps, actors, stranger, resources, _ = found(kind_compiled, kind, ids)
        return answer, counts, keeps, actors, stranger, resources, stranger

    found = compiled._ready
    patch(compiled, "_ready", ready)


@variant
def tables_do_not_wake_up_who_waits(patch):
    patch(tabling.Tables, "add", lambda self, table, answer: table.answers.add(answer))


@variant
def tables_forget_what_was_answered_before(patch):
    def call(self, start, args, resume, table, saved, *, is_check):
        self._table(start, args, is_check=is_check).waiting.append((resume, table, saved))

    patch(tabling.Tables, "call", call)


@pytest.mark.parametrize("name", VARIANTS)
def test_variant_is_caught(name, monkeypatch):
    unbroken = passed()
    VARIANTS[name](monkeypatch.setattr)
    assert any(next(wrong(scene), None) for scene in unbroken)
