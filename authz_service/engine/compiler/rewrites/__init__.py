"""The rewrites of rule programs: each returns a program that derives the same facts for the entry.

They run in this order. What one has made simpler is often something for another again, so some run twice.
Tests evaluate programs before and after each of them with the reference engine.
"""

from collections.abc import Callable

from authz_service.engine.compiler.rewrites.absorb import absorb
from authz_service.engine.compiler.rewrites.contain import drop_contained
from authz_service.engine.compiler.rewrites.decide import decide
from authz_service.engine.compiler.rewrites.fold import fold
from authz_service.engine.compiler.rewrites.inline import inline
from authz_service.engine.compiler.rewrites.prune import prune
from authz_service.engine.compiler.rewrites.unite import unite
from authz_service.engine.compiler.rule_program import RuleProgram

Rewrite = Callable[[RuleProgram], RuleProgram]

REWRITES: tuple[Rewrite, ...] = (
    prune,
    inline,
    inline,
    drop_contained,
    absorb,
    unite,
    fold,
    inline,
    unite,
    prune,
    decide,
)


def rewritten(program: RuleProgram) -> RuleProgram:
    """Return `program` after all rewrites."""
    for rewrite in REWRITES:
        program = rewrite(program)
    return program
