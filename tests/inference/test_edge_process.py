"""An edge as a process of its own: how it starts, and how it ends."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

PNG = {"Content-Type": "image/png"}
SCRIPT = Path(__file__).with_name("slow_edge.py")
ROOT = SCRIPT.parents[2]


@asynccontextmanager
async def _process(port: int, seconds: float) -> AsyncIterator[Process]:
    command = [sys.executable, str(SCRIPT), str(port), str(seconds)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _url(process: Process) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    found = re.fullmatch(r"mvstylizer edge listening on (http://127\.0\.0\.1:\d+) \(release slow-1\)\n", line)
    assert found, line
    return found[1]


async def _start(http: aiohttp.ClientSession, style: str, photo: bytes, frame: bytes) -> asyncio.Task[int]:
    """A request that is in the stylizer's hands."""
    async with http.put(f"/v1/styles/{style}", data=photo, headers=PNG) as reply:
        assert reply.status == 201

    async def stylize() -> int:
        async with http.post(f"/v1/stylize?style={style}", data=frame, headers=PNG) as reply:
            await reply.read()
            return reply.status

    task = asyncio.create_task(stylize())
    await asyncio.sleep(0.3)
    return task


@pytest.mark.failure("F20")
async def test_drain(photo_png: bytes, frame_png: bytes, style_id: str) -> None:
    """At SIGTERM the edge is no longer ready, refuses new work, finishes what it has begun and exits 0."""
    async with _process(0, 1.0) as process, aiohttp.ClientSession(await _url(process)) as http:
        begun = [await _start(http, style_id, photo_png, frame_png)]
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        async with http.get("/v2/health/ready") as reply:
            assert (reply.status, (await reply.json())["reason"]) == (503, "draining")
        async with http.post(f"/v1/stylize?style={style_id}", data=frame_png, headers=PNG) as reply:
            assert (reply.status, (await reply.json())["code"]) == (503, "draining")
            assert "Retry-After" in reply.headers
        assert await asyncio.gather(*begun) == [200]
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert process.stderr is not None
        assert await process.stderr.read() == b""


@pytest.mark.failure("F20")
async def test_second_signal_ends_at_once(photo_png: bytes, frame_png: bytes, style_id: str) -> None:
    """A second SIGTERM does not wait for what is in flight."""
    async with _process(0, 30.0) as process, aiohttp.ClientSession(await _url(process)) as http:
        begun = await _start(http, style_id, photo_png, frame_png)
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 5) == -signal.SIGTERM
        with pytest.raises(aiohttp.ClientError):
            await begun


@pytest.mark.failure("F21")
async def test_port_taken() -> None:
    """A port that is taken is a usage error of one line that names it and what to do."""
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        async with _process(port, 0) as process:
            out, err = await asyncio.wait_for(process.communicate(), 10)
            assert process.returncode == 1
    assert out == b""
    assert re.fullmatch(
        rf"2 cannot listen on 127\.0\.0\.1:{port} \(Address already in use\); choose another .*--port\n",
        err.decode(),
    )
