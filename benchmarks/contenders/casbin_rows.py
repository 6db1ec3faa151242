"""casbin, as `pycasbin` offers it: a row for each grant, graphs of roles for what is in what."""

import logging

import casbin
from casbin.rbac.default_role_manager import RoleManager

from authz_service.engine.program import Question
from contenders.contender import Asked, Limits, one_by_one
from workloads.workload import LARGEST, Store

# By default casbin does not look further than 10 levels up.
DEPTH = LARGEST + 1


class Casbin:
    """An enforcer with the rows of a store."""

    name = "casbin"

    def __init__(self, limits: Limits) -> None:
        self.limits = limits

    def load(self, store: Store) -> Asked:
        model = casbin.Enforcer.new_model(text=store.workload.text("conf"))
        enforcer = casbin.Enforcer(model)
        logging.getLogger("casbin").setLevel(logging.ERROR)
        rows = store.workload.casbin(store.facts)
        for kind in model["g"]:
            enforcer.set_named_role_manager(kind, RoleManager(DEPTH))
        for kind, group in rows.items():
            if kind == "p":
                enforcer.add_policies(group)
            elif group:
                enforcer.add_named_grouping_policies(kind, group)

        def ask(question: Question) -> bool:
            permitted: bool = enforcer.enforce(
                str(question.actor), str(question.resource), question.action
            )
            return permitted

        return lambda questions: one_by_one(ask, questions)
