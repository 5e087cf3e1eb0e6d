"""A cloud's directory: who writes what where.

checkpoints/     one directory per round (step-NNNNNN), the last few; written by the ServerApp
best/            the round with the lowest held-out loss so far
rounds.jsonl     a line per round: losses, who took part, who was turned away and why
state.json       what the ServerApp is doing now
settings.json    what flower-server was asked to do; read by the ServerApp
app/             what is submitted to Flower: a pyproject that points at fl_server.app and fl_clients.app
flower/          FLWR_HOME: Flower's own files
superlink.sqlite Flower's state, so that a killed SuperLink goes on in mid-round
keys/            CA, certificate, keys of nodes
logs/            of all processes, rotated
lock             held while a flower-server runs;  writer.lock  held while a ServerApp runs
"""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from mvstylizer.errors import OutputError, UsageError


class CloudDir:
    """The paths in a cloud's directory. Nothing is made until ``make``."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.checkpoints = self.path / "checkpoints"
        self.best = self.path / "best"
        self.round_log = self.path / "rounds.jsonl"
        self.state = self.path / "state.json"
        self.settings = self.path / "settings.json"
        self.app = self.path / "app"
        self.flower = self.path / "flower"
        self.database = self.path / "superlink.sqlite"
        self.keys = self.path / "keys"
        self.node_keys = self.keys / "nodes"
        self.registered = self.keys / "registered.json"
        self.logs = self.path / "logs"
        self.children = self.path / "children.json"

    def make(self) -> None:
        """Make what is missing, readable by its owner only; raises OutputError."""
        try:
            for path in (self.path, self.checkpoints, self.best, self.app, self.flower, self.logs):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made ({error.strerror}); choose another --data-dir") from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise OutputError(f"{self.path}: not writable; choose another --data-dir or change its permissions")

    def lock(self) -> FileLock:
        """Held by the one flower-server of this directory; raises UsageError if another one runs."""
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UsageError(f"{self.path}: another flower-server runs on it; stop that, or choose another "
                             "--data-dir") from error  # fmt: skip
        return lock

    def writer_lock(self) -> FileLock:
        """Of the one ServerApp that may write rounds: one whose run Flower gave up may still be there for a while."""
        return FileLock(self.path / "writer.lock", timeout=120)
