"""Frames to contribute, and traces of them in the files of a store."""

from pathlib import Path

import numpy as np

from inference.frame_store import OfferedFrame
from mvstylizer.pictures import encode_jpeg

ALICE, BOB = 16 * "a1", 16 * "b0"
"""Contributors."""
CODE = np.array([1.5, -2.0, 0.25], np.float32)
_WINDOW, _STEP = 32, 200


def offered(seed: int, size: int = 100) -> OfferedFrame:
    """A frame like no other: a JPEG of noise, about two bytes for each pixel."""
    noise = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    return OfferedFrame(encode_jpeg(noise, 90), size, size, CODE, "test-1", "e" * 64)


def share_found(picture: bytes, store: Path) -> float:
    """How much of a picture's bytes, from 0 to 1, lies somewhere in the database, its log or its index of that."""
    raw = b"".join(path.read_bytes() for path in sorted(store.parent.glob(f"{store.name}*")))
    scan = picture.index(b"\xff\xda")  # what stands before is the same in all pictures
    windows = [picture[at : at + _WINDOW] for at in range(scan, len(picture) - _WINDOW, _STEP)]
    return sum(window in raw for window in windows) / len(windows)
