"""Measurements that have been made, so that a benchmark that was interrupted goes on where it was."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mvstylizer.durable import write_text
from mvstylizer.errors import InputError


class Finished:
    """A folder with one JSON file a measurement, found by a text that says all that decides it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def once(self, what: str, measure: Callable[[], Any]) -> Any:
        """The measurement of that name if there is one, else ``measure()``, a JSON value, which is kept.

        Raises InputError where the file of one that is there cannot be read, and what ``measure`` raises.
        """
        path = self._folder / f"{hashlib.sha256(what.encode()).hexdigest()[:16]}.json"
        if path.exists():
            try:
                return json.loads(path.read_text())["result"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise InputError(f"{path} holds no measurement ({error!r}); delete it to make it again") from error
        result = measure()
        self._folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"what": what, "result": result}, indent=1), overwrite=True)
        return result
