"""The contributed key frames as a trainer sees them, from a process of its own while the edge goes on adding."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from inference.frame_database import failures_told, open_to_read, transaction


@dataclass(frozen=True)
class TrainingFrame:
    """A contributed key frame and the style it was wanted in.

    ``picture`` is JPEG, PNG or WebP of ``width`` × ``height`` pixels. ``code`` is ``(code_size,)`` float32 of release
    ``release``, whose style encoder has the hex SHA-256 ``encoder`` (empty if not known): under another encoder it
    means nothing. ``uses`` is how many times it was trained on.
    """

    id: int
    picture: bytes
    width: int
    height: int
    code: NDArray[np.float32]
    release: str
    encoder: str
    uses: int


class TrainingFrames:
    """The frame store at ``path``, for one thread at a time; use as ``with``, or ``close`` it.

    Nothing is held between calls: neither does the edge wait for the trainer, nor do deleted frames live on in it.
    Raises InputError: no store there, damaged, or of another version. OutputError: cannot be read, or stays locked.
    All methods raise the same.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_to_read(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def available(self, max_uses: int, held_out: bool = False, encoder: str | None = None) -> int:
        """How many frames ``sample`` would choose from."""
        return len(self._ids(max_uses, held_out, encoder))

    def sample(
        self,
        n: int,
        max_uses: int,
        rng: np.random.Generator,
        held_out: bool = False,
        encoder: str | None = None,
    ) -> list[TrainingFrame]:
        """``n`` different frames by chance, or all if there are fewer, of those used less than ``max_uses`` times.

        With ``held_out`` of those that are only measured on, and of no others; without, of no such. With ``encoder``
        only those whose code is of that style encoder.
        """
        with failures_told(self._path):
            self._connection.execute("BEGIN")  # one state of the store for both questions
            try:
                ids = self._ids(max_uses, held_out, encoder)
                chosen = rng.choice(ids, min(n, len(ids)), replace=False).tolist() if ids else []
                return [self._frame(each) for each in chosen]
            finally:
                self._connection.execute("COMMIT")

    def mark_used(self, ids: Sequence[int]) -> None:
        """Count one more use of each; those that were deleted meanwhile are passed over."""
        with failures_told(self._path), transaction(self._connection):
            self._connection.executemany(
                "UPDATE frames SET uses = uses + 1 WHERE id = ?", [(int(each),) for each in ids]
            )

    def close(self) -> None:
        """Let go of the file."""
        with failures_told(self._path):
            self._connection.close()

    def _ids(self, max_uses: int, held_out: bool, encoder: str | None) -> list[int]:
        asked = "SELECT id FROM frames WHERE held_out = ? AND uses < ? AND (? IS NULL OR encoder = ?) ORDER BY id"
        with failures_told(self._path):
            return [each for (each,) in self._connection.execute(asked, (held_out, max_uses, encoder, encoder))]

    def _frame(self, frame: int) -> TrainingFrame:
        asked = (
            "SELECT picture, width, height, code, release, encoder, uses "
            "FROM frames JOIN pictures ON frame = id WHERE id = ?"
        )
        picture, width, height, code, release, encoder, uses = self._connection.execute(asked, (frame,)).fetchone()
        return TrainingFrame(frame, picture, width, height, np.frombuffer(code, "<f4"), release, encoder, uses)
