"""Polar: text to a checked policy. Pure; knows no facts of a store, no engine and no wire format.

The stages, in reading order: `source`, `lexer`, `parser` (text to the tree of `syntax`), `expand`
(blocks and shorthand rules to plain rules), `check` (names, types, safety, strata) and `policy`
(the checked result that engines evaluate). `compile.py` runs them and raises all findings at once.
"""
