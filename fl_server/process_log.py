"""Log files that rotate: what Flower's processes print would otherwise be lost or grow for ever."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

_BYTES, _FILES = 5_000_000, 5
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def rotating(path: Path, form: str = _FORMAT) -> RotatingFileHandler:
    """A handler that appends to ``path``, which with its predecessors stays below 30 MB."""
    handler = RotatingFileHandler(path, maxBytes=_BYTES, backupCount=_FILES, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(form))
    return handler


def log_to(path: Path, *names: str) -> None:
    """Let the loggers of these names write into ``path``, from INFO on."""
    handler = rotating(path)
    for name in names:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
