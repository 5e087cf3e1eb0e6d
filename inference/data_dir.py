"""An edge's directory: its releases, the frames it was given, and what local commands need to reach it.

releases/        one directory per version; see model_store.py
frames.sqlite    key frames that devices contributed; see frame_store.py
admin-token      what admin routes ask for; made when it is missing, readable by its owner only
admin.json       where the running edge's admin listener is
lock             held while an edge runs
"""

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from inference.security import new_token, read_token
from mvstylizer.durable import write_text
from mvstylizer.errors import EdgeError, OutputError, UsageError


class DataDir:
    """The paths in a data directory, which is made if it is missing.

    Raises OutputError if it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path}: cannot be made ({error.strerror}); choose another --data-dir") from error
        if not os.access(path, os.W_OK | os.X_OK):
            raise OutputError(f"{path}: not writable; choose another --data-dir or change its permissions")

    @property
    def releases(self) -> Path:
        """Of the model store."""
        return self.path / "releases"

    @property
    def frames(self) -> Path:
        """The frame store."""
        return self.path / "frames.sqlite"

    def lock(self) -> FileLock:
        """Held, so that no second edge serves from this directory; raises UsageError if one does already."""
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UsageError(
                f"{self.path}: another edge runs on it; stop that, or choose another --data-dir"
            ) from error
        return lock

    def admin_token(self) -> str:
        """The admin token, made on first use."""
        path = self.path / "admin-token"
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return read_token(path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{new_token()}\n")
        return read_token(path)

    def tell_admin_url(self, url: str) -> None:
        """Let local commands know where the running edge takes admin requests."""
        write_text(self.path / "admin.json", json.dumps({"url": url, "pid": os.getpid()}), overwrite=True)

    def forget_admin_url(self) -> None:
        """The edge has ended."""
        (self.path / "admin.json").unlink(missing_ok=True)

    def admin_url(self) -> str:
        """Where the edge that runs on this directory takes admin requests; raises EdgeError if none does."""
        try:
            told: dict[str, Any] = json.loads((self.path / "admin.json").read_text(encoding="utf-8"))
            return str(told["url"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EdgeError(
                f"{self.path}: no edge runs on it; start one with: mvstylizer serve --data-dir {self.path}"
            ) from error
