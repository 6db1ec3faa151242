"""What the store promises, a module for each topic: run on every database, and with protections broken."""

from promises import expiry, ids, log, policies, reading, stores, writes
from promises.promise import PROMISES, Promise

__all__ = ["PROMISES", "Promise", "expiry", "ids", "log", "policies", "reading", "stores", "writes"]
