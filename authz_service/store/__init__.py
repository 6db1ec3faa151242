"""Durable facts and policies: the truth, and the only package that speaks SQL."""
