"""The releases in an edge's data directory: a directory for each version, and a pointer to the one that is to run.

Complete or not there at all, whatever is killed when: a release is filled under a hidden name and then renamed, and the
pointer is replaced in one step, last. Several processes may use one store.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mvstylizer import release as releases
from mvstylizer.durable import fsync, output_error, write_bytes, write_text
from mvstylizer.errors import OutputError, ReleaseError, UsageError
from mvstylizer.release import Release

POINTER = "current"
_LOCK = ".lock"
_LOCK_SECONDS = 60.0


class UnknownVersionError(UsageError):
    """The store has no release of that version."""


@dataclass(frozen=True)
class StoredRelease:
    """A version in the store; ``reason`` says why it cannot run, and is empty if it can as far as its files tell."""

    version: str
    reason: str = ""


@dataclass(frozen=True)
class _Pointer:
    version: str | None = None
    previous: str | None = None


class ModelStore:
    """The releases in ``directory``, which is made when the first one is published."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def current(self) -> str | None:
        """The version that is to run, and runs after the next start; None if there is none yet."""
        return self._pointer().version

    @property
    def previous(self) -> str | None:
        """The version that was current before, for going back; None if there was none."""
        return self._pointer().previous

    def names(self) -> list[str]:
        """Versions of all releases, damaged ones too, the one published first at the beginning.

        Raises OutputError if the directory cannot be read.
        """
        try:
            found = [path for path in self.directory.iterdir() if releases.is_version(path.name) and path.is_dir()]
            return [path.name for path in sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputError(f"{self.directory}: cannot be read ({error.strerror}); mend its permissions") from error

    def versions(self) -> list[StoredRelease]:
        """All releases, each with the reason why it cannot run, if there is one; reads and checks all their files."""
        return [StoredRelease(name, self._reason(name)) for name in self.names()]

    def load(self, version: str) -> Release:
        """A release, checked.

        Raises:
            UnknownVersionError: there is none of that version, or no release could have it.
            ReleaseError: it is damaged.
        """
        directory = self._place(version)
        if not directory.is_dir():
            raise UnknownVersionError(
                f"{self.directory}: no release {version}; it has {', '.join(self.names()) or 'none'}"
            )
        release = releases.load(directory)
        if release.version != version:
            raise ReleaseError(f"{directory} holds release {release.version}; publish {version} again")
        return release

    def publish(self, release_directory: Path) -> str:
        """Copy a release into the store and return its version; nothing happens if the store has it already.

        Raises:
            ReleaseError: it is no release, or one that ``mvstylizer.release.load`` refuses.
            UsageError: the store has other content under that version.
            OutputError, NoSpaceError: the store cannot be written.
        """
        with self._locked():
            partial = self.directory / f".{time.time_ns()}.part"
            try:
                _copy(release_directory, partial)
                release = releases.load(partial)
                if not self._has(release):
                    self._put(partial, release.version)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
        return release.version

    def point_at(self, version: str) -> None:
        """Make a version the current one, and the one before it the previous one, if it is whole.

        Raises what ``load`` raises, and OutputError or NoSpaceError if the pointer cannot be written.
        """
        self.load(version)
        old = self._pointer()
        if old.version == version:
            return
        # Of a damaged one nobody wants to have to know when going back.
        candidates = [each for each in (old.version, old.previous) if each and each != version]
        previous = next((each for each in candidates if not self._reason(each)), None)
        text = json.dumps({"version": version, "previous": previous}) + "\n"
        with self._locked():
            write_text(self.directory / POINTER, text, overwrite=True)

    def prune(self, keep: int) -> list[str]:
        """Delete all but the ``keep`` releases published last, the current and the previous one; returns the deleted.

        Raises OutputError if the store cannot be written.
        """
        with self._locked():
            pointer, names = self._pointer(), self.names()
            kept = {pointer.version, pointer.previous, *names[max(0, len(names) - keep) :]}
            deleted = [name for name in names if name not in kept]
            for name in deleted:
                self._remove(name)
        return deleted

    def _pointer(self) -> _Pointer:
        try:
            told: dict[str, Any] = json.loads((self.directory / POINTER).read_text(encoding="utf-8"))
            versions = [told["version"], told["previous"]]
        except (OSError, ValueError, KeyError, TypeError):
            return _Pointer()
        return _Pointer(*(each if isinstance(each, str) and releases.is_version(each) else None for each in versions))

    def _place(self, version: str) -> Path:
        if not releases.is_version(version):
            raise UnknownVersionError(f"{version[:64]!r} is no version; letters, digits and ._+- make one")
        return self.directory / version

    def _reason(self, version: str) -> str:
        try:
            self.load(version)
        except (ReleaseError, UnknownVersionError) as error:
            return str(error)
        return ""

    def _has(self, release: Release) -> bool:
        """Whether the store has this very release; a damaged one of that version counts as missing."""
        directory = self._place(release.version)
        try:
            there = json.loads(releases.read_bounded(directory / releases.MANIFEST, releases.MAX_MANIFEST_BYTES))
            same = _digests(there) == _digests(release.manifest)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ReleaseError):
            return False
        if not same:
            raise UsageError(
                f"{directory}: another release has that version already, and none ever changes; export under a new one"
            )
        return not self._reason(release.version)

    def _put(self, partial: Path, version: str) -> None:
        target = self._place(version)
        try:
            if target.exists():
                self._remove(version)
            partial.rename(target)
            fsync(self.directory)
        except OSError as error:
            raise output_error(target, error) from error

    def _remove(self, version: str) -> None:
        """Out of sight in one step, then off the disk."""
        hidden = self.directory / f".{time.time_ns()}.part"
        try:
            self._place(version).rename(hidden)
            fsync(self.directory)
            shutil.rmtree(hidden)
        except OSError as error:
            raise output_error(self._place(version), error) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else writes; what somebody who was killed left half-written is swept away."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            with FileLock(self.directory / _LOCK, timeout=_LOCK_SECONDS):
                for path in self.directory.glob(".*.part*"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                yield
        except Timeout as error:
            raise UsageError(f"{self.directory}: somebody else is publishing there; try again later") from error
        except OSError as error:
            raise output_error(self.directory, error) from error


def _digests(manifest: dict[str, Any]) -> dict[str, str]:
    return {name: entry["sha256"] for name, entry in manifest["files"].items()}


def _copy(source: Path, target: Path) -> None:
    """Copy a release's files, and nothing else that lies beside them, onto the disk."""
    target.mkdir()
    # The manifest last, as without it a directory is no release.
    for name in (*releases.GRAPHS, releases.PRESETS, releases.MANIFEST):
        path = source / name
        if name == releases.PRESETS and not path.exists():
            continue
        try:
            data = releases.read_bounded(path)
        except OSError as error:
            raise ReleaseError(
                f"{path}: cannot be read ({error.strerror}); name a directory that `mvstylizer export` wrote"
            ) from error
        write_bytes(target / name, data)
