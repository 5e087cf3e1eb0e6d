"""The backup as it lies on the disk: which round's checkpoint is the newest that can be trusted. No torch here."""

import contextlib
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvstylizer.errors import InputError
from mvstylizer.training.checkpoint_files import FILES, MANIFEST, read_manifest, sha256, steps

_LOG = logging.getLogger(__name__)
Fingerprint = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Verified:
    """A round's checkpoint whose files were read and found whole."""

    path: Path
    round: int
    config: dict[str, Any]
    sha256: dict[str, str]
    """Of all its files, the manifest too."""

    @property
    def layout(self) -> str:
        """Which weights they are; see ``mvstylizer.training.packing.layout``."""
        return str(self.config.get("federated", {}).get("layout", ""))


class BackupFiles:
    """Checkpoints below a directory, verified when they are read, and again whenever a file changed; for any thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[Path, tuple[Fingerprint, Verified | None]] = {}
        self._lock = threading.Lock()
        self.damaged = 0
        """Checkpoints that were found damaged."""

    def newest(self) -> Verified | None:
        """The newest valid one, None where there is none; a damaged newer one is logged once and counted."""
        with self._lock:
            found = steps(self._directory)
            self._known = {path: known for path, known in self._known.items() if path in found}
            return next((verified for path in reversed(found) if (verified := self._verified(path))), None)

    def of_round(self, number: int) -> Verified | None:
        """The checkpoint of this round, if it is there and valid."""
        path = self._directory / f"step-{number:06d}"
        with self._lock:
            return self._verified(path) if path in steps(self._directory) else None

    def _verified(self, path: Path) -> Verified | None:
        now = _fingerprint(path)
        if path not in self._known or self._known[path][0] != now:
            self._known[path] = (now, self._read(path))
        return self._known[path][1]

    def _read(self, path: Path) -> Verified | None:
        try:
            manifest = read_manifest(path)
            digests = manifest["sha256"] | {MANIFEST: sha256(path / MANIFEST)}
            return Verified(path, manifest["step"], manifest["config"], digests)
        except (OSError, InputError) as error:
            # One that is gone was pruned while we looked; that is no damage.
            if path.exists():
                self.damaged += 1
                _LOG.error("%s; the one before it is used", error)
            return None


def _fingerprint(path: Path) -> Fingerprint:
    """Of the files that are there: a damaged checkpoint is read again only when it changed."""
    found = []
    for name in FILES:
        with contextlib.suppress(OSError):
            stat = (path / name).stat()
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)
