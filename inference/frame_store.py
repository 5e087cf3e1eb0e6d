"""The key frames that devices contributed, as the edge keeps them: bounded by bytes and age, deletable, crash-safe."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.frame_database import BUSY_SECONDS, failures_told, hashed, is_held_out, open_to_write, transaction
from mvstylizer.errors import OutputError

_DAY_SECONDS = 86_400
_ADD_BUSY_SECONDS = 0.25
_BATCH = 16
_FREE_PAGES = 1000


class Contribution(Enum):
    """What became of a frame that was offered."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    """The contributor gave the same picture before."""
    REFUSED = "refused"


@dataclass(frozen=True)
class OfferedFrame:
    """A key frame as it came, and the style code that it was stylized with.

    ``picture`` is JPEG, PNG or WebP, ``width`` and ``height`` are its pixels, ``code`` is ``(code_size,)`` float32 of
    release ``release``, whose style encoder has the hex SHA-256 ``encoder`` (empty if not known).
    """

    picture: bytes
    width: int
    height: int
    code: NDArray[np.float32]
    release: str
    encoder: str = ""


class FrameStore:
    """The store at ``path``; for one thread at a time, of the one process that adds and deletes.

    It takes ``max_bytes`` of the disk at most, beside a write-ahead log of some 16 MB; the oldest frames make room.
    A frame is kept for ``max_age_seconds`` at most, and up to a day less, since only the day of its coming is known.
    ``clock`` gives the seconds since 1970.

    Raises InputError: damaged, of a newer version, or no frame store. OutputError: cannot be opened or written.
    NoSpaceError: the disk is full. All methods raise the same.
    """

    def __init__(
        self, path: Path, max_bytes: int, max_age_seconds: float, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._max_bytes, self._max_age_seconds, self._clock = max_bytes, max_age_seconds, clock
        self._connection = open_to_write(path)
        self._to_erase = True  # a crash may have left deleted pictures in the log
        with failures_told(path):
            self._frames = self._number("SELECT count(*) FROM frames")

    def add(self, contributor: str, frame: OfferedFrame) -> Contribution:
        """Keep a frame under a contributor's id; what is answered is so, even if this process is killed then.

        Waits for the trainer at most a quarter of a second. REFUSED: it alone is more than ``max_bytes``.
        """
        content = hashlib.sha256(frame.picture).digest()
        with failures_told(self.path):
            self._wait_for_others(_ADD_BUSY_SECONDS)
            try:
                with transaction(self._connection):
                    if not self._insert(hashed(contributor), content, frame):
                        return Contribution.DUPLICATE
                    evicted = self._make_room()
            except _TooLargeError:
                return Contribution.REFUSED
            finally:
                self._wait_for_others(BUSY_SECONDS)
        self._frames += 1 - evicted
        return Contribution.KEPT

    def delete(self, contributor: str) -> int:
        """Delete all of a contributor's frames; gives how many.

        Their bytes are overwritten, in the log too, and the file shrinks, all on the disk before this returns. Raises
        OutputError if another process goes on reading for longer than ``BUSY_SECONDS``, which keeps them in the log;
        then the next call, of ``prune`` too, erases them.
        """
        deleted = self._delete("contributor = ?", hashed(contributor))
        self._erase()
        return deleted

    def prune(self) -> int:
        """Delete what is too old, and the oldest of what is too much; gives how many frames."""
        oldest = int((self._clock() - self._max_age_seconds) // _DAY_SECONDS) + 1
        deleted = self._delete("day < ?", oldest)
        while self.used_bytes() > self._max_bytes and (batch := self._delete_batch("1", ())):
            deleted += batch
            self._shrink(_FREE_PAGES)
        self._erase()
        return deleted

    def count(self, contributor: str) -> tuple[int, int]:
        """How many frames there are of a contributor, and the bytes of their pictures."""
        with failures_told(self.path):
            asked = "SELECT count(*), coalesce(sum(bytes), 0) FROM frames WHERE contributor = ?"
            frames, size = self._connection.execute(asked, (hashed(contributor),)).fetchone()
        return int(frames), int(size)

    def frames(self) -> int:
        """How many frames there are."""
        return self._frames

    def used_bytes(self) -> int:
        """What the frames take of the disk, which is what ``max_bytes`` bounds."""
        with failures_told(self.path):
            return self._used()

    def close(self) -> None:
        """Let go of the file; the log is merged into it."""
        with failures_told(self.path):
            self._connection.close()

    def _insert(self, contributor: bytes, content: bytes, frame: OfferedFrame) -> bool:
        """False if there is the same already."""
        inserted = self._connection.execute(
            "INSERT INTO frames (contributor, content, day, bytes, width, height, code, release, encoder, held_out) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (contributor, content) DO NOTHING",
            (
                contributor,
                content,
                int(self._clock() // _DAY_SECONDS),
                len(frame.picture),
                frame.width,
                frame.height,
                frame.code.astype("<f4").tobytes(),
                frame.release,
                frame.encoder,
                is_held_out(content),
            ),
        )
        if inserted.rowcount == 0:
            return False
        self._connection.execute("INSERT INTO pictures VALUES (?, ?)", (inserted.lastrowid, frame.picture))
        return True

    def _make_room(self) -> int:
        """Within the transaction that has just added the newest frame; gives how many went."""
        evicted = 0
        while self._used() > self._max_bytes:
            if self._number("SELECT count(*) FROM (SELECT 1 FROM frames LIMIT 2)") < 2:
                raise _TooLargeError
            self._connection.execute("DELETE FROM frames WHERE id = (SELECT min(id) FROM frames)")
            self._to_erase = True
            evicted += 1
        return evicted

    def _delete(self, condition: str, value: object) -> int:
        deleted = 0
        while batch := self._delete_batch(condition, (value,)):
            deleted += batch
            self._shrink(_FREE_PAGES)
        return deleted

    def _delete_batch(self, condition: str, values: tuple[object, ...]) -> int:
        """Few at a time: what is overwritten passes through the log, which may not become as large as the store."""
        chosen = f"SELECT id FROM frames WHERE {condition} ORDER BY id LIMIT {_BATCH}"  # a condition of this module
        with failures_told(self.path), transaction(self._connection):
            deleted = self._connection.execute(f"DELETE FROM frames WHERE id IN ({chosen})", values).rowcount
        self._frames -= deleted
        self._to_erase = self._to_erase or deleted > 0
        return deleted

    def _erase(self) -> None:
        """Give the room of what was deleted back to the disk, and leave nothing of it in the log."""
        if not self._to_erase:
            return
        self._shrink(0)
        with failures_told(self.path):
            if self._number("PRAGMA wal_checkpoint(TRUNCATE)"):
                raise OutputError(
                    f"{self.path}: another process goes on reading it, so deleted frames are still in its log; "
                    "end it, or try again"
                )
        self._to_erase = False

    def _shrink(self, free_pages: int) -> None:
        """Give unused pages back to the disk if there are more; each is searched for in the list of them all."""
        with failures_told(self.path):
            if self._number("PRAGMA freelist_count") > free_pages:
                self._connection.executescript("PRAGMA incremental_vacuum")  # execute() stops after the first page

    def _used(self) -> int:
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        return pages * self._number("PRAGMA page_size")

    def _number(self, asked: str) -> int:
        return int(self._connection.execute(asked).fetchone()[0])

    def _wait_for_others(self, seconds: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {int(1000 * seconds)}")


class _TooLargeError(Exception):
    """A frame that alone would be more than the store may hold."""
