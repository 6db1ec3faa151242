"""How log lines look: one JSON object a line, on standard error."""

import logging
import sys
from functools import partial

import structlog
from structlog.typing import EventDict, Processor

from authz_service.settings import LogLevel


def log_to_stderr(level: LogLevel, *, worker: int | None = None) -> None:
    """Write log lines of `level` and above, those of a worker with its number.

    Call once, before anything is logged.
    """
    named: list[Processor] = [] if worker is None else [partial(_named, worker)]
    structlog.configure(
        processors=[
            *named,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.value.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def _named(worker: int, _logger: object, _method: str, event: EventDict) -> EventDict:
    return {**event, "worker": worker}
