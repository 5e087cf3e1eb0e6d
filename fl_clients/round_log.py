"""What a trainer did in each round, a line of JSON each: Flower throws away what its processes print."""

import json
import time
from pathlib import Path
from typing import Any

_NAME = "rounds.jsonl"
_MAX_BYTES = 4 * 2**20


def append(data_dir: Path, entry: dict[str, Any]) -> None:
    """Add a line with the time of day (seconds since 1970); a log that cannot be written keeps no round from ending.

    At 4 MB the log becomes ``rounds.jsonl.1`` and a new one begins.
    """
    path = data_dir / _NAME
    line = json.dumps({"time": round(time.time(), 1), **entry}) + "\n"
    try:
        if path.exists() and path.stat().st_size > _MAX_BYTES:
            path.replace(path.with_name(f"{_NAME}.1"))
        with path.open("a", encoding="utf-8") as file:
            file.write(line)
    except OSError:
        return


def read(data_dir: Path) -> list[dict[str, Any]]:
    """All lines of the log as it is now, oldest first; a line that was cut off is left out."""
    try:
        lines = (data_dir / _NAME).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [entry for line in lines if (entry := _parsed(line)) is not None]


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
