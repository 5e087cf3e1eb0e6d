"""Edges as the device's key-frame stylizer: a thread of its own asks them, and nobody waits for the network."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.client.edge_client import style_query
from inference.client.edge_pool import EdgePool, log
from mvstylizer.pictures import encode_png, fit_within
from mvstylizer.release import STYLE_SIZE
from mvstylizer.styles import Style, unknown_preset

T = TypeVar("T")
_CLOSE_SECONDS = 5.0


class EdgeStylizer:
    """Stylizes key frames on an edge, or on the quickest of several, for callers without asyncio.

    Use as a context manager. A thread of its own keeps up to ``in_flight`` requests for each edge under way.
    ``timeout``, ``patience``, ``token``, ``ca``, ``contributor`` and ``note`` are as for ``EdgePool``; ``quality`` is
    that of the JPEGs both ways: at 90 the output is off by half a code value on average, at 85 by more than one. Raises
    UsageError as ``EdgePool`` does.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        in_flight: int = 4,
        quality: int = 90,
        timeout: float = 60.0,
        patience: float = 30.0,
        token: str | None = None,
        ca: Path | None = None,
        contributor: str | None = None,
        note: Callable[[str], None] = log.warning,
    ) -> None:
        urls = [url] if isinstance(url, str) else url
        self._in_flight, self._quality = in_flight * len(urls), quality
        self._pool = EdgePool(
            urls,
            connections=in_flight,
            timeout=timeout,
            patience=patience,
            token=token,
            ca=ca,
            contributor=contributor,
            note=note,
        )
        self._style: str | None = None
        self._identity = ""
        self._closing = threading.Lock()
        self._closed = False
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), name="edge", daemon=True)
        self._thread.start()
        self._started.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def identity(self) -> str:
        """The edges' release, by its content, as it was at ``set_style``."""
        return self._identity

    def set_style(self, style: Style) -> None:
        """Give the edges the style's photos, for all key frames submitted from now on.

        They travel at the size at which the engine looks at them, ``STYLE_SIZE``, as PNG. Blocks.
        Edges are met anew, and only those with the same release will be asked. Raises UsageError if that lacks a preset
        of the style, InputError if an edge refuses a photo, EdgeError if none can be reached.
        """
        self._style, self._identity = self._submit(self._settled(style)).result()

    def submit(self, proxy: NDArray[np.uint8], r: float = 1.0) -> Future[NDArray[np.uint8]]:
        """Send a key frame ``(H, W, 3)`` uint8 RGB on its way; the future gives it stylized.

        The result is ``(round(r·H), round(r·W), 3)``. Never waits for the network.
        The future raises EdgeError; ``close`` cancels it.
        """
        if self._style is None:
            raise RuntimeError("set_style comes before submit")
        return self._submit(self._stylize(proxy.copy(), self._style, r))

    def close(self) -> None:
        """Cancel what is under way and let go of all connections. May be called again."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_CLOSE_SECONDS)

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._closing:
            if self._closed:
                work.close()
                raise RuntimeError("this EdgeStylizer is closed")
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _settled(self, style: Style) -> tuple[str, str]:
        names = [part.look for part in style.parts if isinstance(part.look, str)]
        await self._pool.ready()
        known = await self._pool.presets() if names else []
        for name in names:
            if name not in known:
                raise unknown_preset(name, known, f"the release of the edge at {', '.join(self._pool.urls)}")
        ids = [await self._id_of(part.look) for part in style.parts]
        return style_query(ids, [part.weight for part in style.parts]), (await self._pool.release()).sha256

    async def _id_of(self, look: NDArray[np.uint8] | str) -> str:
        if isinstance(look, str):
            return look
        return await self._pool.put_style(await asyncio.to_thread(_png, look))

    async def _stylize(self, proxy: NDArray[np.uint8], style: str, r: float) -> NDArray[np.uint8]:
        async with self._slots:
            return await self._pool.stylize(proxy, style, r=r, quality=self._quality)

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._slots = asyncio.Semaphore(self._in_flight)
        async with self._pool:
            self._started.set()
            await self._stop.wait()
            under_way = asyncio.all_tasks() - {asyncio.current_task()}
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


def _png(photo: NDArray[np.uint8]) -> bytes:
    return encode_png(fit_within(photo, STYLE_SIZE))
