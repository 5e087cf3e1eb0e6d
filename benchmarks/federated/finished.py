"""Learning curves that have been run to their end, so that a benchmark that was interrupted goes on where it was."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.federated.rounds import Point
from mvstylizer.durable import write_text
from mvstylizer.errors import InputError


class Finished:
    """A folder with one JSON file a curve, found by a text that says all that decides it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, what: str) -> tuple[Point, ...] | None:
        """The curve, if it is there; raises InputError where its file cannot be read."""
        path = self._path(what)
        if not path.exists():
            return None
        try:
            return tuple(Point(**point) for point in json.loads(path.read_text())["points"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} holds no learning curve ({error!r}); delete it to run it again") from error

    def add(self, what: str, curve: Sequence[Point]) -> None:
        """Keep a curve."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"what": what, "points": [asdict(point) for point in curve]}, indent=1)
        write_text(self._path(what), text, overwrite=True)

    def _path(self, what: str) -> Path:
        return self._folder / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.json"
