"""The durable truth: facts, policies and the log of changes, in SQL. The only package that knows SQL.

It stores policies without understanding them, and knows nothing of questions or of the network.
"""
