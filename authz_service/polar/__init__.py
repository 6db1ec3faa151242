"""Polar: text to a checked policy. Pure; knows no facts of a store, no engine and no wire format.

The stages, in reading order: `source`, `lexer`, `tokens`, `condition_parser` and `parser` (text to the
tree of `syntax`), `declarations` (types and names), `expand` (shorthand to plain rules), `resolve` (rules
over `goals`), `infer` (types of variables), `binding` and `safety` (an order in which everything is
bound), `strata` (what is negated is complete before), `shapes` (the facts and actions that the policy
knows), `policy_tests` (its test blocks) and `vocabulary` and `advice` (what is most likely not meant).
`matching` finds which conditions and rules speak of the same facts, `graphs` and `fixpoint` are what the
stages compute with, `printer` writes trees as text.
`compile` runs the stages and raises all findings at once; `policy` is the result that engines evaluate.
"""
