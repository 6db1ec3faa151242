"""A policy decision point: answers PERMIT or DENY by Polar policies over relationship facts."""

from importlib.metadata import version

__version__ = version("authz-service")
