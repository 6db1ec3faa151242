"""Polar: text to a checked policy. Pure; knows no facts of a store, no engine and no wire format.

The stages, in reading order: `source`, `lexer`, `parser` (text to the tree of `syntax`), `declarations`
(types and names), `expand` (shorthand to plain rules), `resolve` (rules over `goals`), `infer` (types of
variables), `safety` (an order in which everything is bound), `strata` (what is negated is complete
before) and `shapes` (the facts and actions that the policy knows). `compile` runs them and raises all
findings at once; `policy` is the result that engines evaluate.
"""
