"""The vocabulary of data: values, facts, changes, revisions and snapshots. Pure; knows no rules."""
