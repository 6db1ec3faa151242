"""Engines: a checked policy to a program that decides questions over a snapshot of facts.

Pure: no I/O, no clock, no threads, no logging. `program` is the small interface that all engines
share, `reference` the specification, `oso_vm` a second opinion; `policy_tests` runs a policy's own tests.
"""
