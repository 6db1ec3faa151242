"""The policy decision point: the read path, from a question to a decision."""
