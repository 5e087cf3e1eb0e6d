"""One line for each request, for people or for machines; never a token, a query, a body or an address.

Addresses are left out because a log outlives the frames that were sent from them.
"""

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue
from typing import Any

LOG = logging.getLogger("mvstylizer.edge")
FORMS = ("text", "json", "none")
_MAX_WAITING = 10_000


@contextmanager
def written(form: str) -> Iterator[None]:
    """Write the edge's log to standard error as ``text`` or ``json``; with ``none`` only warnings and errors, as text.

    A thread writes, so that nobody waits for a terminal or a pipe that is not read; what is left is written at the end.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    waiting: Queue[logging.LogRecord] = Queue(_MAX_WAITING)
    listener = QueueListener(waiting, handler)
    loggers = (LOG, logging.getLogger("inference"), logging.getLogger("aiohttp"))
    before = [(logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.handlers[:], logger.propagate = [_Waiting(waiting)], False
        logger.setLevel(logging.WARNING if form == "none" else logging.INFO)
    listener.start()
    try:
        yield
    finally:
        listener.stop()
        for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
            logger.handlers[:], logger.propagate = handlers, propagate
            logger.setLevel(level)


def request_answered(**fields: Any) -> None:
    """Log one request; the fields are what the line says."""
    LOG.info("request", extra={"fields": fields})


class _Waiting(QueueHandler):
    """Lets go of lines that nobody takes rather than of requests; records stay in this process and so as they are."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(Full):
            self.queue.put_nowait(record)


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _utc(record.created, record.msecs),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    """Time, event and fields as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, "fields", {}).items())
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        line = f"{_utc(record.created, record.msecs)} {level}{record.getMessage()} {fields}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _utc(seconds: float, milliseconds: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(milliseconds):03d}Z"
