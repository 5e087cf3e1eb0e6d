"""The device's way to an edge over HTTP: ``EdgeClient`` for asyncio, ``EdgeStylizer`` for everybody else."""

import asyncio
import hashlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.answers import Answer, garbage, max_bytes_of, picture_of
from inference.asking import Asker, check_url
from inference.retry import Patience
from mvstylizer.errors import EdgeError, InputError
from mvstylizer.pictures import encode_jpeg, encode_png, fit_within
from mvstylizer.release import STYLE_SIZE, output_shape

T = TypeVar("T")
_REFUSED_PICTURE = (413, 415, 422)
_CLOSE_SECONDS = 5.0
_LONGEST_DEADLINE_MS = 3_600_000


class EdgeClient:
    """Asks one edge, patiently. Use as ``async with``; one event loop, any number of tasks.

    ``connections`` is how many requests are under way at a time, ``timeout`` the seconds one try may take,
    ``patience`` the seconds after which no further try is begun. While patience lasts, an edge that is busy
    (429, 503) or away is asked again, later and later, and not before its Retry-After. Raises UsageError for
    what is no http or https URL.
    """

    def __init__(self, url: str, *, connections: int = 4, timeout: float = 60.0, patience: float = 30.0) -> None:
        self._asker = Asker(url, connections, timeout)
        self.url = self._asker.url
        self._timeout, self._patience = timeout, patience
        self._photos: dict[str, tuple[bytes, str]] = {}
        self._uploading = asyncio.Lock()
        self._uploads = 0

    async def __aenter__(self) -> Self:
        await self._asker.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._asker.__aexit__(kind, error, trace)

    async def ready(self) -> None:
        """Return when the edge says that it is ready; raises EdgeError if patience ends before that."""
        answer = await self._asker.ask(Patience(self._patience), "GET", "/v2/health/ready")
        if answer.status != 200 or b'"ready"' not in answer.body:
            raise garbage(self.url, f"{answer.text} when asked whether it is ready")

    async def put_style(self, photo: bytes, content_type: str = "image/png") -> str:
        """Make a style known by the bytes of its photo; gives the id to ask for it.

        The bytes are kept, for an edge that forgets. Raises InputError if the edge refuses the picture,
        EdgeError if it cannot be reached or makes no sense.
        """
        style = hashlib.sha256(photo).hexdigest()
        headers = {"Content-Type": content_type}
        answer = await self._asker.ask(
            Patience(self._patience), "PUT", f"/v1/styles/{style}", body=photo, headers=headers
        )
        if answer.status in _REFUSED_PICTURE and answer.code:
            raise InputError(f"the edge at {self.url} refuses the style photo: {answer.text}; choose another photo")
        if answer.status not in (200, 201):
            raise self._unexpected(answer)
        self._photos[style] = photo, content_type
        return style

    async def stylize(
        self, proxy: NDArray[np.uint8], style: str, *, r: float = 1.0, quality: int = 95, form: str = "jpeg"
    ) -> NDArray[np.uint8]:
        """Stylize a key frame ``(H, W, 3)`` uint8 RGB to ``(round(r·H), round(r·W), 3)``.

        ``form`` is how the pictures travel both ways: ``jpeg`` with ``quality`` 1 to 100, or ``png``, exact.
        An edge that has forgotten the style since ``put_style`` is given it again. Raises EdgeError.
        """
        height, width = output_shape(proxy.shape[0], proxy.shape[1], r)
        body = await asyncio.to_thread(_encoded, proxy, form, quality)
        params = {"style": style, "quality": str(quality), "format": form, "r": repr(float(r))}
        answer = await self._with_style(style, body, params, max_bytes_of(height, width))
        if answer.status != 200:
            raise self._unexpected(answer)
        return await asyncio.to_thread(picture_of, answer, height, width, self.url)

    async def _with_style(self, style: str, body: bytes, params: dict[str, str], max_bytes: int) -> Answer:
        deadline_ms = min(int(1000 * self._timeout), _LONGEST_DEADLINE_MS)
        headers = {"Content-Type": f"image/{params['format']}", "X-Deadline-Ms": str(deadline_ms)}
        patience = Patience(self._patience)
        while True:
            uploads = self._uploads
            answer = await self._asker.ask(
                patience,
                "POST",
                "/v1/stylize",
                body=body,
                headers=headers,
                params=params,
                max_bytes=max_bytes,
            )
            if answer.code != "unknown-style" or style not in self._photos:
                return answer
            delay = patience.next_delay()
            if delay is None:
                return answer
            await self._upload_again(style, uploads)
            await asyncio.sleep(delay)

    async def _upload_again(self, style: str, uploads: int) -> None:
        async with self._uploading:
            if self._uploads == uploads:  # else another task has just done it
                await self.put_style(*self._photos[style])
                self._uploads += 1

    def _unexpected(self, answer: Answer) -> EdgeError:
        if not answer.code:
            return garbage(self.url, answer.text)
        return EdgeError(
            f"the edge at {self.url} refuses: {answer.text}; check that it has the same version of mvstylizer"
        )


class EdgeStylizer:
    """Stylizes key frames on an edge, for callers without asyncio; use as a context manager.

    A thread of its own keeps up to ``in_flight`` requests under way. ``timeout`` and ``patience`` are as for
    ``EdgeClient``; ``quality`` is that of the JPEGs both ways.
    """

    def __init__(
        self,
        url: str,
        *,
        in_flight: int = 4,
        quality: int = 95,
        timeout: float = 60.0,
        patience: float = 30.0,
    ) -> None:
        self._url = check_url(url)
        self._in_flight, self._quality = in_flight, quality
        self._timeout, self._patience = timeout, patience
        self._style: str | None = None
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

    def set_style(self, photo: NDArray[np.uint8]) -> None:
        """Give the edge the style photo ``(H, W, 3)`` uint8 RGB, for all key frames submitted from now on.

        The photo travels at the size at which the engine looks at it, ``STYLE_SIZE``, as PNG. Blocks.
        Raises InputError if the edge refuses the photo, EdgeError if it cannot be reached.
        """
        png = encode_png(fit_within(photo, STYLE_SIZE))
        self._style = self._submit(self._client.put_style(png)).result()

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

    async def _stylize(self, proxy: NDArray[np.uint8], style: str, r: float) -> NDArray[np.uint8]:
        async with self._slots:
            return await self._client.stylize(proxy, style, r=r, quality=self._quality)

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._slots = asyncio.Semaphore(self._in_flight)
        self._client = EdgeClient(
            self._url, connections=self._in_flight, timeout=self._timeout, patience=self._patience
        )
        async with self._client:
            self._started.set()
            await self._stop.wait()
            under_way = asyncio.all_tasks() - {asyncio.current_task()}
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)


def _encoded(proxy: NDArray[np.uint8], form: str, quality: int) -> bytes:
    return encode_png(proxy) if form == "png" else encode_jpeg(proxy, quality)
