"""What is found out about the cloud before a node is started."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

import pytest
from aiohttp import web

from fl_clients.cloud_check import look, wait_for_cloud
from mvstylizer.errors import EdgeError


@asynccontextmanager
async def _cloud(ahead: float = 0.0, status: int = 200, port: int = 0) -> AsyncIterator[str]:
    """A cloud whose clock is so many seconds behind ours."""

    async def health(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Date": formatdate(time.time() - ahead, usegmt=True)})

    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [200, 404, 401])
async def test_clocks_that_agree(status: int) -> None:
    """Any answer will do, since a proxy may pass on Flower's own routes alone; nothing is said."""
    told: list[str] = []
    async with _cloud(status=status) as url:
        seen = await look(url, None)
        await wait_for_cloud(url, None, told.append)
    assert seen.ahead is not None and abs(seen.ahead) < 2
    assert told == []


@pytest.mark.parametrize(("ahead", "word"), [(3.5, "ahead of"), (-60.0, "behind")])
async def test_clocks_that_drift(ahead: float, word: str) -> None:
    """A clock that is off is told of while the cloud still accepts it."""
    told: list[str] = []
    async with _cloud(ahead) as url:
        await wait_for_cloud(url, None, told.append)
    (line,) = told
    assert word in line and "NTP" in line


@pytest.mark.parametrize("ahead", [8.0, -400.0])
async def test_clocks_that_flower_refuses(ahead: float) -> None:
    """A node that the cloud would turn away with 401 is not started."""
    async with _cloud(ahead) as url:
        with pytest.raises(EdgeError, match="clock"):
            await wait_for_cloud(url, None, lambda line: None)


async def test_a_cloud_that_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, which is said once."""
    monkeypatch.setattr("fl_clients.cloud_check._RETRY_SECONDS", 0.05)
    async with _cloud() as url:
        port = int(url.rpartition(":")[2])
    told: list[str] = []
    waiting = asyncio.create_task(wait_for_cloud(url, None, told.append))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    async with _cloud(port=port):
        await asyncio.wait_for(waiting, 10)
    (line,) = told
    assert "does not answer" in line
