"""How log lines look: one JSON object a line, on standard error."""

import logging
import sys

import structlog

from authz_service.settings import LogLevel


def log_to_stderr(level: LogLevel) -> None:
    """Write log lines of `level` and above. Call once, before anything is logged."""
    structlog.configure(
        processors=[
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
