"""The facts and active policies of the database, in memory, at a known revision."""
