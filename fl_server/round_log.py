"""What happened round by round, in lines of JSON, and what is going on now: written by the ServerApp, read by all.

Nothing is computed from these but pages and metrics; what the rounds themselves need stands in their checkpoints.
"""

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from fl_server.cloud_dir import CloudDir

_LOG = logging.getLogger(__name__)


def append_round(cloud: CloudDir, line: dict[str, Any]) -> None:
    """Add a round. A full disk is no reason to stop: then the line is missing, and that is logged."""
    text = json.dumps(line, allow_nan=False)
    try:
        with cloud.round_log.open("a+b") as file:
            # A process that was killed while it wrote has left half a line.
            begin = b"" if _ends_with_newline(file) else b"\n"
            file.write(begin + text.encode() + b"\n")
    except OSError as error:
        _LOG.error("%s: the round's line is lost (%s)", cloud.round_log, error)


def _ends_with_newline(file: Any) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


class RoundLog:
    """Reads rounds as they come; ``rounds`` has the last line of each, oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._by_round: dict[int, dict[str, Any]] = {}

    def refresh(self) -> list[dict[str, Any]]:
        """All rounds so far; one that was repeated from an older checkpoint counts as it was the last time."""
        try:
            with self._path.open("rb") as file:
                if self._offset > file.seek(0, os.SEEK_END):
                    self._offset, self._by_round = 0, {}
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        whole, _, _ = data.rpartition(b"\n")
        self._offset += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            self._add(line)
        return [self._by_round[number] for number in sorted(self._by_round)]

    def _add(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            number = int(entry["round"])
        except (ValueError, KeyError, TypeError):
            return
        # Rounds after a damaged checkpoint are done again: their old lines are of a model that is gone.
        self._by_round = {each: known for each, known in self._by_round.items() if each < number}
        self._by_round[number] = entry


def write_state(cloud: CloudDir, doing: str, round_number: int | None, run: int, *, over: bool = False) -> None:
    """Tell what is going on in a few words, in which run, after which round; never fails."""
    part = cloud.state.with_suffix(".part")
    try:
        state = {"round": round_number, "doing": doing, "since": time.time(), "run": str(run), "pid": os.getpid()}
        part.write_text(json.dumps(state | {"over": over}))
        part.replace(cloud.state)
    except OSError as error:
        _LOG.error("%s: cannot be written (%s)", cloud.state, error)


def read_state(cloud: CloudDir) -> dict[str, Any]:
    """What ``write_state`` told last; empty before."""
    try:
        state = json.loads(cloud.state.read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
