"""The policy administration point: the write path, for facts and policies."""
