"""The async client against edges that are well, busy, gone, forgetful, or no edges at all."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray

from inference.client import EdgeClient
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.errors import EdgeError, InputError, UsageError
from mvstylizer.pictures import encode_png
from tests.inference.client.conftest import styles_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _answering(handler: Handler) -> AsyncIterator[str]:
    """A real server that gives every request to ``handler``."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _saying(answer: bytes) -> AsyncIterator[str]:
    """A server that answers every connection with the same bytes and hangs up."""

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(on_connection, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("r", [1.0, 0.37])
async def test_stylize(
    url: str,
    stylizer: Stylizer,
    photo: NDArray[np.uint8],
    photo_png: bytes,
    frame: NDArray[np.uint8],
    r: float,
) -> None:
    """What the stylizer makes arrives: exactly as PNG, nearly as JPEG."""
    expected = stylizer.stylize(frame, stylizer.encode_style(photo), r)
    async with EdgeClient(url + "/") as client:
        await client.ready()
        style = await client.put_style(photo_png)
        exact = await client.stylize(frame, style, r=r, form="png")
        near = await client.stylize(frame, style, r=r)
    np.testing.assert_array_equal(exact, expected)
    assert np.abs(near.astype(int) - expected).mean() < 4


async def test_waits_out_a_busy_edge(frame: NDArray[np.uint8]) -> None:
    """A 503 is tried again, and not before its Retry-After."""
    times = list[float]()

    async def handler(request: web.Request) -> web.StreamResponse:
        times.append(time.monotonic())
        if len(times) == 1:
            return web.json_response({"error": "busy", "code": "busy"}, status=503, headers={"Retry-After": "1"})
        return web.Response(body=encode_png(frame), content_type="image/png")

    async with _answering(handler) as url, EdgeClient(url) as client:
        np.testing.assert_array_equal(await client.stylize(frame, 64 * "a"), frame)
    assert times[1] - times[0] >= 1


async def test_busy_for_longer_than_patience(frame: NDArray[np.uint8]) -> None:
    """An edge that asks for more time than there is patience is given up at once, saying what it said."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "all full", "code": "x"}, status=429, headers={"Retry-After": "3600"})

    start = time.monotonic()
    async with _answering(handler) as url, EdgeClient(url) as client:
        with pytest.raises(EdgeError, match=r"all full.*mvstylizer serve"):
            await client.stylize(frame, 64 * "a")
    assert time.monotonic() - start < 5


async def test_connection_cut_once(frame: NDArray[np.uint8]) -> None:
    """A connection that breaks before or within the answer is tried again."""
    count = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        reply = web.StreamResponse(headers={"Content-Type": "image/png", "Content-Length": "9999"})
        if count > 2:
            return web.Response(body=encode_png(frame), content_type="image/png")
        if count == 2:
            await reply.prepare(request)
            await reply.write(b"half")
        if request.transport is not None:
            request.transport.abort()
        return reply

    async with _answering(handler) as url, EdgeClient(url) as client:
        np.testing.assert_array_equal(await client.stylize(frame, 64 * "a"), frame)
    assert count == 3


async def test_edge_down(dead_url: str, photo_png: bytes) -> None:
    """An edge that is not there is an EdgeError within patience, naming the address and what to do."""
    start = time.monotonic()
    async with EdgeClient(dead_url, patience=0.7) as client:
        with pytest.raises(EdgeError) as caught:
            await client.put_style(photo_png)
    assert time.monotonic() - start < 2
    assert dead_url in str(caught.value)
    assert "Connection refused" in str(caught.value)
    assert "mvstylizer serve" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_edge_that_never_answers(frame: NDArray[np.uint8]) -> None:
    """An edge that accepts and then is silent is given up after the timeout."""

    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(10)
        return web.Response()

    start = time.monotonic()
    async with _answering(handler) as url, EdgeClient(url, timeout=0.3, patience=0.5) as client:
        with pytest.raises(EdgeError, match="no answer in time"):
            await client.stylize(frame, 64 * "a")
    assert time.monotonic() - start < 3


async def test_edge_restarted(stylizer: Stylizer, photo_png: bytes, frame: NDArray[np.uint8]) -> None:
    """An edge that restarts and so forgets the style is given it again; nobody notices."""
    async with listening(stylizer) as (url, _):
        port = int(url.rsplit(":", 1)[1])
        client = await EdgeClient(url).__aenter__()
        style = await client.put_style(photo_png)
        await client.stylize(frame, style)
    try:
        waiting = [asyncio.create_task(client.stylize(frame, style)) for _ in range(4)]
        await asyncio.sleep(0.1)
        async with listening(stylizer, port=port):
            pictures = await asyncio.gather(*waiting)
            assert await styles_of(url) == [style]
    finally:
        await client.__aexit__(None, None, None)
    assert {picture.shape for picture in pictures} == {frame.shape}


async def test_style_that_was_never_put(url: str, frame: NDArray[np.uint8]) -> None:
    """A style that this client cannot upload is an error, not a loop."""
    async with EdgeClient(url) as client:
        with pytest.raises(EdgeError, match="PUT the style"):
            await client.stylize(frame, 64 * "a")


async def test_refused_photo(url: str) -> None:
    """A style photo that the edge cannot read is the input's fault."""
    async with EdgeClient(url) as client:
        with pytest.raises(InputError, match="refuses the style photo"):
            await client.put_style(b"no picture")


SMALL = encode_png(np.zeros((5, 5, 3), np.uint8))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(HEAD + b"Content-Length: %d\r\n\r\n" % len(SMALL) + SMALL, id="wrong size"),
        pytest.param(HEAD + b"Content-Length: 3\r\n\r\nPNG", id="no picture"),
        pytest.param(HEAD + b"Content-Length: 0\r\n\r\n", id="empty"),
        pytest.param(HEAD.replace(b"image/png", b"text/html") + b"\r\n<html>hi</html>", id="HTML"),
        pytest.param(HEAD + b"\r\n" + bytes(2_000_000), id="endless"),
        pytest.param(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", id="compressed"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", id="redirect"),
        pytest.param(b"HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n[1, 2, 3]", id="500"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="not HTTP"),
    ],
)
async def test_garbage(frame: NDArray[np.uint8], answer: bytes) -> None:
    """Whatever is no picture of the right size is an EdgeError at once that says so."""
    async with _saying(answer) as url, EdgeClient(url) as client:
        with pytest.raises(EdgeError, match=rf"{url} answers garbage \(.+\); check"):
            await client.stylize(frame, 64 * "a")


async def test_hostile_error_text(frame: NDArray[np.uint8]) -> None:
    """An error text from the edge cannot write over the terminal or fill it."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "\x1b[2J\n" + 9999 * "x", "code": "bad"}, status=400)

    async with _answering(handler) as url, EdgeClient(url) as client:
        with pytest.raises(EdgeError) as caught:
            await client.stylize(frame, 64 * "a")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("url", ["ftp://host", "host:80", "http://", "http://h:99999", "http://u:p@h", "http://h?a"])
def test_bad_url(url: str) -> None:
    """What is no plain http or https address is a UsageError."""
    with pytest.raises(UsageError, match="no address of an edge"):
        EdgeClient(url)
