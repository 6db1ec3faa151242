"""Queries: which values make conditions hold, as rows.

    vocabulary   what a policy can say about conditions: the types of variables, and what limits them
    sources      the heads of rules and the shapes of facts that conditions can match
    names        which roles, relations and other Strings conditions can have, and which actions
    unlimited    values that stand for all that occur nowhere, and the rows that say what holds for every value
    compiled     a query as a rule of its own, compiled like those of the policy

A query means what a rule `rows(columns) if conditions` would derive. A variable that no condition limits, as
`doc` where everybody may read what is public, can have values without end; see `unlimited`.
"""
