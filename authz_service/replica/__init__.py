"""The facts and active policies of the store in memory, at a known revision."""
