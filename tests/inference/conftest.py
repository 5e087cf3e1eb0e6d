"""A stylizer that is quick to run in place of the DNN, and an edge on a real socket that serves it.

To run the suite with a release, let ``stylizer`` return ``mvstylizer.engine.Engine()``.
"""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest
from blockbuster import blockbuster_ctx
from numpy.typing import NDArray

from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.pictures import encode_png

PRESETS = {"cold-light": np.array([60, 90, 200], np.float32), "warm-light": np.array([200, 120, 40], np.float32)}
"""What the stand-in knows by name."""


class StandIn:
    """Moves a frame's mean colour to the photo's; stands in for the DNN only."""

    version = "test-1"
    sha256 = "0" * 64
    encoder_sha256 = "0" * 64
    code_size = 3
    presets = PRESETS

    def encode_style(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(photo.mean((0, 1)), np.float32)

    def stylize(self, frame: NDArray[np.uint8], code: NDArray[np.float32], r: float = 1.0) -> NDArray[np.uint8]:
        moved = np.clip(frame + (code - frame.mean((0, 1))), 0, 255).astype(np.uint8)
        size = round(r * frame.shape[1]), round(r * frame.shape[0])
        return np.asarray(cv2.resize(moved, size), np.uint8)


class Delayed:
    """A stylizer that takes so many seconds longer for every frame, blocking its thread as a DNN does."""

    def __init__(self, inner: Stylizer, seconds: float) -> None:
        self._inner, self._seconds = inner, seconds
        self.version, self.sha256, self.code_size = inner.version, inner.sha256, inner.code_size
        self.encoder_sha256 = inner.encoder_sha256
        self.presets = inner.presets

    def encode_style(self, photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._inner.encode_style(photo)

    def stylize(self, frame: NDArray[np.uint8], code: NDArray[np.float32], r: float = 1.0) -> NDArray[np.uint8]:
        time.sleep(self._seconds)
        return self._inner.stylize(frame, code, r)


@contextmanager
def edge_in_a_thread(stylizer: Stylizer, **options: Any) -> Iterator[str]:
    """An edge that runs in a thread of its own, with the options of ``listening``; gives its URL."""
    urls, stops, started = list[str](), list[Callable[[], object]](), threading.Event()

    async def run() -> None:
        async with listening(stylizer, **options) as (url, _):
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            urls.append(url)
            stops.append(lambda: loop.call_soon_threadsafe(stop.set))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert started.wait(10)
        yield urls[0]
    finally:
        stops[0]()
        thread.join()


@pytest.fixture
def stylizer() -> Stylizer:
    return StandIn()


@pytest.fixture
def delayed(stylizer: Stylizer) -> Callable[[float], Stylizer]:
    """Makes a stylizer that takes so many seconds for a frame."""
    return lambda seconds: Delayed(stylizer, seconds)


@pytest.fixture
def frame() -> NDArray[np.uint8]:
    """A key frame (48, 64, 3) with soft structure, so that JPEG keeps it well."""
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([4 * x, 5 * y, 2 * (x + y)], axis=-1).astype(np.uint8)


@pytest.fixture
def photo() -> NDArray[np.uint8]:
    """A style photo (40, 30, 3), warm."""
    return np.full((40, 30, 3), (200, 120, 60), np.uint8)


@pytest.fixture
def photo_png(photo: NDArray[np.uint8]) -> bytes:
    return encode_png(photo)


@pytest.fixture
def frame_png(frame: NDArray[np.uint8]) -> bytes:
    return encode_png(frame)


@pytest.fixture
def style_id(photo_png: bytes) -> str:
    return hashlib.sha256(photo_png).hexdigest()


@pytest.fixture
async def url(stylizer: Stylizer) -> AsyncIterator[str]:
    """Where a fresh edge with default limits listens; it may not wait for a file or a lock on its event loop."""
    async with listening(stylizer) as (url, _):
        with blockbuster_ctx(scanned_modules=["inference"]):
            yield url


@pytest.fixture
async def http(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A session on that edge."""
    async with aiohttp.ClientSession(url) as session:
        yield session


@pytest.fixture
async def style(http: aiohttp.ClientSession, photo_png: bytes, style_id: str) -> str:
    """The id of a style that the edge of ``http`` knows."""
    headers = {"Content-Type": "image/png"}
    async with http.put(f"/v1/styles/{style_id}", data=photo_png, headers=headers) as reply:
        assert reply.status == 201
    return style_id
