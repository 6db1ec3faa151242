"""The command line `authz`: for people at a terminal, and with `--json` for scripts.

Exit codes: 0 done (for `check`: PERMIT), 1 DENY (for policies: warnings, or tests that fail), 2 wrong usage
or a refused request, 3 the policy does not compile, 4 the service could not answer. `check` never exits
with 0 or 1 without a decision.
"""
