"""The face of the client that the device uses, without asyncio, against an edge in a thread of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray

from inference.client import EdgeStylizer
from inference.stylizer import Stylizer
from mvstylizer.errors import EdgeError, UsageError
from mvstylizer.pictures import encode_png, fit_within
from mvstylizer.release import STYLE_SIZE
from mvstylizer.styles import Style
from tests.inference.conftest import edge_in_a_thread

LATENCY = 0.15


@pytest.fixture
def url(stylizer: Stylizer) -> Iterator[str]:
    with edge_in_a_thread(stylizer) as url:
        yield url


def test_key_frames(url: str, stylizer: Stylizer, photo: NDArray[np.uint8], frame: NDArray[np.uint8]) -> None:
    """Key frames come back stylized, each in its own future, even if the caller reuses its array."""
    code = stylizer.encode_style(photo)
    with EdgeStylizer(url) as edge:
        edge.set_style(Style.of_photo(photo))
        buffer, futures = frame.copy(), []
        for n in range(6):
            buffer[:] = frame // (n + 1)
            futures.append(edge.submit(buffer))
        for n, future in enumerate(futures):
            expected = stylizer.stylize(frame // (n + 1), code)
            assert np.abs(future.result(10).astype(int) - expected).mean() < 4


def test_style_is_the_same_each_time(url: str, photo: NDArray[np.uint8]) -> None:
    """The same photo has the same id, so it is encoded once however often it is set."""
    with EdgeStylizer(url) as edge:
        ids = set()
        for _ in range(2):
            edge.set_style(Style.of_photo(photo))
            ids.add(edge._style)
    assert len(ids) == 1


def test_photo_travels_at_the_size_the_engine_sees(
    url: str, stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera's photo is scaled down before it goes to the edge, exactly as the engine would."""
    seen = list[NDArray[np.uint8]]()
    encode_style = stylizer.encode_style

    def watched(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(photo)
        return encode_style(photo)

    monkeypatch.setattr(stylizer, "encode_style", watched)
    photo = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
    with EdgeStylizer(url) as edge:
        edge.set_style(Style.of_photo(photo))
    np.testing.assert_array_equal(seen[0], fit_within(photo, STYLE_SIZE))


def test_scaled_key_frame(url: str, frame: NDArray[np.uint8], photo: NDArray[np.uint8]) -> None:
    """A key frame can be asked for at another size."""
    with EdgeStylizer(url) as edge:
        edge.set_style(Style.of_photo(photo))
        assert edge.submit(frame, 1.5).result(10).shape == (72, 96, 3)


def test_submit_pipelines(frame: NDArray[np.uint8], photo: NDArray[np.uint8]) -> None:
    """Over a link with latency, n submits return at once and take far fewer than n round trips."""
    largest = running = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal largest, running
        running += 1
        largest = max(largest, running)
        await request.read()
        await asyncio.sleep(LATENCY)
        running -= 1
        if request.method == "PUT":
            return web.json_response({"id": "x"}, status=201)
        if request.method == "GET":
            return web.json_response({"sha256": 64 * "0"})
        return web.Response(body=encode_png(frame), content_type="image/png")

    with _server(handler) as url, EdgeStylizer(url, in_flight=4) as edge:
        edge.set_style(Style.of_photo(photo))
        start = time.monotonic()
        futures = [edge.submit(frame) for _ in range(12)]
        assert time.monotonic() - start < LATENCY
        for future in futures:
            future.result(10)
        assert time.monotonic() - start < 7 * LATENCY
    assert largest == 4


@contextmanager
def _server(handler: Callable[[web.Request], object]) -> Iterator[str]:
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_edge_dies_midway(
    delayed: Callable[[float], Stylizer], frame: NDArray[np.uint8], photo: NDArray[np.uint8]
) -> None:
    """When the edge goes away for good, every future ends, with its picture or with an EdgeError."""
    with ExitStack() as until_the_end:
        with edge_in_a_thread(delayed(0.1)) as url:
            edge = until_the_end.enter_context(EdgeStylizer(url, patience=0.5))
            edge.set_style(Style.of_photo(photo))
            futures = [edge.submit(frame) for _ in range(30)]
            futures[0].result(10)
        errors = [future.exception(10) for future in futures]
    failed = [error for error in errors if error is not None]
    assert 0 < len(failed) < 30
    assert all(isinstance(error, EdgeError) for error in failed)


def test_edge_down(photo: NDArray[np.uint8]) -> None:
    """Setting a style on an edge that is not there is an EdgeError within patience."""
    start = time.monotonic()
    with (
        EdgeStylizer("http://127.0.0.1:9", patience=0.4) as edge,
        pytest.raises(EdgeError, match="mvstylizer serve"),
    ):
        edge.set_style(Style.of_photo(photo))
    assert time.monotonic() - start < 2


def test_close_cancels(
    delayed: Callable[[float], Stylizer], frame: NDArray[np.uint8], photo: NDArray[np.uint8]
) -> None:
    """Closing while requests are under way returns at once, cancels them, and may be done twice."""
    with edge_in_a_thread(delayed(0.3)) as url:
        edge = EdgeStylizer(url)
        edge.set_style(Style.of_photo(photo))
        futures = [edge.submit(frame) for _ in range(8)]
        time.sleep(0.1)
        start = time.monotonic()
        edge.close()
        edge.close()
        assert time.monotonic() - start < 1
        for future in futures:
            with pytest.raises(CancelledError):
                future.result(0)
        with pytest.raises(RuntimeError, match="closed"):
            edge.submit(frame)


def test_bad_url() -> None:
    """What is no http or https address is a UsageError, before any thread starts."""
    before = threading.active_count()
    with pytest.raises(UsageError):
        EdgeStylizer("edge.local")
    assert threading.active_count() == before
