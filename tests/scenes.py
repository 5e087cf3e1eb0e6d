"""Textured pictures that move in a known way, videos of them, and a look at which threads are left over."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

RATE = 25


def texture(height: int, width: int, seed: int = 1, softness: float = 2.0) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: soft blotches of all colours, about 40 code values from the mean."""
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), softness)
    return np.asarray(np.clip(128 + 40 * soft / soft.std(), 0, 255), np.uint8)


def cropped(picture: NDArray[np.uint8], x: int, y: int, height: int, width: int) -> NDArray[np.uint8]:
    """What a camera sees that points at (x, y) of a larger picture."""
    return np.ascontiguousarray(picture[y : y + height, x : x + width])


def pan(frames: int, height: int, width: int, step: int = 1, seed: int = 1) -> list[NDArray[np.uint8]]:
    """A camera that moves ``step`` pixels to the right from frame to frame: contents move to the left."""
    world = texture(height, width + step * frames, seed)
    return [cropped(world, step * i, 0, height, width) for i in range(frames)]


def write_scene(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> Path:
    """Write RGB pictures (H, W, 3) as a nearly lossless H.264 video at 25 frames a second; one I-frame only."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", RATE)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = Fraction(1, 12_800)
        context.options = {"preset": "ultrafast", "crf": "4", "g": "1000", "sc_threshold": "0"}
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts, frame.time_base = index * 12_800 // RATE, context.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@contextmanager
def no_thread_left() -> Iterator[None]:
    """Fails if a thread that is begun inside the block is still there a moment after it."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left
