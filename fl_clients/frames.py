"""Frames from the edge's frame store, chosen, decoded and checked for training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl_clients.refusal import Reason, RefusalError
from fl_clients.settings import FRAMES_AT_ONCE, TrainerSettings
from inference.training_frames import TrainingFrame, TrainingFrames
from mvstylizer.errors import InputError
from mvstylizer.pictures import decode_picture
from mvstylizer.release import Release

MAX_PIXELS = 4_000_000
"""Of a key frame; proxies have a hundredth of that."""
_MIN_SIDE = 32
_ANY_NUMBER_OF_USES = 2**31


@dataclass(frozen=True)
class DecodedFrame:
    """A key frame, ``(H, W, 3)`` uint8 RGB, and the style code ``(code_size,)`` float32 that was wanted for it."""

    picture: NDArray[np.uint8]
    code: NDArray[np.float32]


@dataclass(frozen=True)
class RoundFrames:
    """What one round trains and measures on; ``ids`` are all rows that were read for training, bad ones too."""

    training: list[DecodedFrame]
    held_out: list[DecodedFrame]
    ids: list[int]
    skipped: int
    """Rows that are no usable frames."""


def check_enough(settings: TrainerSettings, release: Release) -> None:
    """Raise RefusalError (NO_DATA) unless there are unseen frames and some to measure on; takes milliseconds."""
    with _open(settings) as store:
        unseen = store.available(settings.max_uses, encoder=release.encoder_sha256)
        measured = store.available(_ANY_NUMBER_OF_USES, held_out=True, encoder=release.encoder_sha256)
    if unseen < settings.min_frames:
        raise RefusalError(Reason.NO_DATA, f"{unseen} unseen frames, {settings.min_frames} are needed")
    if not measured:
        raise RefusalError(Reason.NO_DATA, "none of the frames is one to measure on yet; more have to come")


def round_frames(settings: TrainerSettings, release: Release, wanted: int, rng: np.random.Generator) -> RoundFrames:
    """``wanted`` frames by chance, or fewer, and held-out ones; raises RefusalError (NO_DATA) if none can be used."""
    with _open(settings) as store:
        encoder = release.encoder_sha256
        rows = store.sample(min(wanted, FRAMES_AT_ONCE), settings.max_uses, rng, encoder=encoder)
        held_out_rows = _held_out_rows(store, settings.held_out, rng, encoder)
    training, held_out = _decoded(rows, release.code_size), _decoded(held_out_rows, release.code_size)
    skipped = len(rows) - len(training) + len(held_out_rows) - len(held_out)
    if not training or not held_out:
        raise RefusalError(Reason.NO_DATA, f"no usable frames ({skipped} cannot be decoded)")
    return RoundFrames(training, held_out, [row.id for row in rows], skipped)


def held_out_frames(settings: TrainerSettings, release: Release, rng: np.random.Generator) -> list[DecodedFrame]:
    """Held-out frames alone, maybe none; raises what TrainingFrames raises."""
    with TrainingFrames(settings.frame_store) as store:
        rows = _held_out_rows(store, settings.held_out, rng, release.encoder_sha256)
    return _decoded(rows, release.code_size)


def mark_used(settings: TrainerSettings, frames: RoundFrames) -> None:
    """Count the round for its frames, and for rows that are none, which would be drawn for ever otherwise."""
    with TrainingFrames(settings.frame_store) as store:
        store.mark_used(frames.ids)


def _held_out_rows(store: TrainingFrames, count: int, rng: np.random.Generator, encoder: str) -> list[TrainingFrame]:
    return store.sample(count, _ANY_NUMBER_OF_USES, rng, held_out=True, encoder=encoder)


def _open(settings: TrainerSettings) -> TrainingFrames:
    if not settings.frame_store.exists():
        raise RefusalError(Reason.NO_DATA, f"{settings.frame_store} does not exist; the edge collects nothing yet")
    return TrainingFrames(settings.frame_store)


def _decoded(rows: list[TrainingFrame], code_size: int) -> list[DecodedFrame]:
    frames = (_frame(row, code_size) for row in rows)
    return [frame for frame in frames if frame is not None]


def _frame(row: TrainingFrame, code_size: int) -> DecodedFrame | None:
    """None for a row that is no usable frame: one damaged picture is no reason to stay out of a round."""
    if row.code.shape != (code_size,) or not np.isfinite(row.code).all():
        return None
    try:
        picture = decode_picture(row.picture, MAX_PIXELS, f"frame {row.id}")
    except InputError:
        return None
    return None if min(picture.shape[:2]) < _MIN_SIDE else DecodedFrame(picture, row.code.copy())
