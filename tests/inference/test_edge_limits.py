"""Bodies that are too long, too slow, too large or not what they say are refused early and cheaply."""

import asyncio
import hashlib
import json
import struct
import time
import zlib
from collections.abc import AsyncIterator

import aiohttp
import numpy as np
import pytest
from numpy.typing import NDArray

from inference.limits import Limits
from inference.serve import listening
from inference.stylizer import Stylizer
from mvstylizer.pictures import encode_jpeg

PNG = {"Content-Type": "image/png"}
LIMITS = Limits(
    max_frame_bytes=100_000,
    max_frame_pixels=10_000,
    body_seconds=1.0,
    body_grace_seconds=0.4,
    min_bytes_per_second=1000,
)


@pytest.fixture
async def url(stylizer: Stylizer) -> AsyncIterator[str]:
    """Where an edge with narrow limits listens."""
    async with listening(stylizer, limits=LIMITS) as (url, _):
        yield url


async def _code(reply: aiohttp.ClientResponse) -> tuple[int, str]:
    return reply.status, (await reply.json())["code"]


async def _raw(url: str, head: str, *parts: bytes, pause: float = 0.0) -> tuple[int, str]:
    """Status and error code of a hand-made request; before every part of its body is a pause."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
    try:
        writer.write(f"{head}\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n\r\n".encode())
        for part in parts:
            await asyncio.sleep(pause)
            writer.write(part)
        told = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(told.lower().split("content-length: ")[1].split()[0])
        return int(told.split()[1]), json.loads(await reader.readexactly(length))["code"]
    finally:
        writer.close()


def _png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )


@pytest.mark.failure("F9")
async def test_declared_too_long(url: str, style: str) -> None:
    """A Content-Length beyond the limit is refused before a byte of the body is sent."""
    head = f"POST /v1/stylize?style={style} HTTP/1.1\r\nContent-Length: 100000000\r\nExpect: 100-continue"
    assert await _raw(url, head) == (413, "too-many-bytes")


async def test_expect_continue(http: aiohttp.ClientSession, style: str, frame_png: bytes) -> None:
    """A client that asks first is told to go on, and served."""
    async with http.post(f"/v1/stylize?style={style}", data=frame_png, headers=PNG, expect100=True) as reply:
        assert reply.status == 200


@pytest.mark.failure("F9")
async def test_chunked_too_long(http: aiohttp.ClientSession, style: str) -> None:
    """A body without a length is counted while it comes."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield bytes(50_000)

    async with http.post(f"/v1/stylize?style={style}", data=endless(), headers=PNG) as reply:
        assert await _code(reply) == (413, "too-many-bytes")


@pytest.mark.failure("F8")
async def test_stalled_body(url: str, style: str) -> None:
    """A body that stops coming is given up after the grace time."""
    start = time.monotonic()
    head = f"POST /v1/stylize?style={style} HTTP/1.1\r\nContent-Length: 5000"
    assert await _raw(url, head, b"x") == (408, "body-too-slow")
    assert time.monotonic() - start < 5


@pytest.mark.failure("F8")
async def test_dripping_body(url: str, style: str) -> None:
    """A body that keeps coming, but at less than the least rate, is given up too."""
    head = f"POST /v1/stylize?style={style} HTTP/1.1\r\nContent-Length: 50"
    assert await _raw(url, head, *(50 * [b"x"]), pause=0.02) == (408, "body-too-slow")


@pytest.mark.failure("F7")
async def test_broken_chunks(url: str, style: str) -> None:
    """A chunked body whose framing is broken is given up within the grace time, in the one shape."""
    head = f"POST /v1/stylize?style={style} HTTP/1.1\r\nTransfer-Encoding: chunked"
    answer = await _raw(url, head, b"5\r\nhello\r\nZZ\r\n", pause=0.05)
    # aiohttp's C parser does not tell the reader of the body, which then waits as for a stalled one.
    assert answer in ((400, "broken-body"), (408, "body-too-slow"))


@pytest.mark.failure("F9")
async def test_deflate_bomb(http: aiohttp.ClientSession, style: str) -> None:
    """A compressed body is refused, not expanded."""
    bomb = zlib.compress(bytes(20_000_000))
    headers = {**PNG, "Content-Encoding": "deflate"}
    async with http.post(f"/v1/stylize?style={style}", data=bomb, headers=headers) as reply:
        assert await _code(reply) == (415, "content-encoding")


@pytest.mark.failure("F10")
@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (10_000, 10_000), (101, 100)])
async def test_pixel_bomb(http: aiohttp.ClientSession, style: str, width: int, height: int) -> None:
    """A picture of too many pixels is refused by its header, whatever its size in bytes."""
    start = time.monotonic()
    bomb = _png_header(width, height)
    async with http.post(f"/v1/stylize?style={style}", data=bomb, headers=PNG) as reply:
        assert await _code(reply) == (413, "too-many-pixels")
    assert time.monotonic() - start < 2


@pytest.mark.failure("F10")
async def test_output_of_too_many_pixels(http: aiohttp.ClientSession, style: str, frame_png: bytes) -> None:
    """A factor r that makes too many pixels of a small frame is refused."""
    async with http.post(f"/v1/stylize?style={style}&r=4", data=frame_png, headers=PNG) as reply:
        assert await _code(reply) == (413, "too-many-pixels")


@pytest.mark.failure("F12")
async def test_every_kind_of_garbage(
    http: aiohttp.ClientSession, style: str, frame: NDArray[np.uint8], frame_png: bytes
) -> None:
    """What is no whole picture of an allowed format is 422, wherever it breaks off, and never a 500."""
    jpeg = encode_jpeg(frame, 90)
    broken = [jpeg[:n] for n in range(1, len(jpeg) - 2, 37)] + [
        b"GIF89a" + bytes(50),
        b"\0" * 99,
        frame_png[:60],
    ]
    for data in broken:
        async with http.post(f"/v1/stylize?style={style}", data=data, headers=PNG) as reply:
            assert await _code(reply) == (422, "undecodable"), data[:20]


@pytest.mark.failure("F12")
async def test_garbage_as_style(http: aiohttp.ClientSession, frame: NDArray[np.uint8]) -> None:
    """A style photo that cannot be read, by its header or beyond it, is 422 and is not kept."""
    jpeg = encode_jpeg(frame, 90)
    for data in (b"no picture", jpeg[: len(jpeg) - 100]):
        digest = hashlib.sha256(data).hexdigest()
        async with http.put(f"/v1/styles/{digest}", data=data, headers=PNG) as reply:
            assert await _code(reply) == (422, "undecodable")
    async with http.get("/v1/styles") as reply:
        assert (await reply.json())["styles"] == []


@pytest.mark.failure("F9")
async def test_bodies_share_one_budget(stylizer: Stylizer, style_id: str, photo_png: bytes) -> None:
    """All uploads together hold no more memory than they may, and the next one is asked to come back."""
    limits = Limits(max_buffered_bytes=len(photo_png) - 1)
    async with listening(stylizer, limits=limits) as (url, _), aiohttp.ClientSession(url) as http:
        for _attempt in range(2):
            async with http.put(f"/v1/styles/{style_id}", data=photo_png, headers=PNG) as reply:
                assert await _code(reply) == (503, "busy")
                assert int(reply.headers["Retry-After"]) >= 1


@pytest.mark.failure("F7")
async def test_upload_that_breaks_off(stylizer: Stylizer, style_id: str) -> None:
    """A client that hangs up in the middle of its body leaves nothing behind."""
    async with listening(stylizer) as (url, edge):
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        head = f"PUT /v1/styles/{style_id} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
        writer.write(head.encode() + b"Content-Length: 100000\r\n\r\n" + bytes(50_000))
        while edge.bodies.held < 50_000:
            await asyncio.sleep(0.01)
        writer.close()
        while edge.in_flight:
            await asyncio.sleep(0.01)
        assert edge.bodies.held == 0
