"""Edges that say what a test wants them to, edges as processes, and bad networks between them and the client."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray

from benchmarks.tcp_proxy import TcpProxy
from mvstylizer.pictures import encode_jpeg, encode_png

ROOT = Path(__file__).parents[3]

ToldInstead = tuple[int, dict[str, object], dict[str, str]]
"""Status, body and headers."""


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str | None:
        """Its Idempotency-Key."""
        return self.headers.get("Idempotency-Key")


@dataclass
class ScriptedEdge:
    """A real HTTP server that speaks like an edge; use as ``async with``, then ask ``url``.

    It answers key frames with ``picture``, ``seconds`` late, unless ``instead`` holds other answers, each for one key
    frame, or for all of them if ``for_ever``.
    """

    picture: NDArray[np.uint8]
    version: str = "v1"
    sha256: str = 64 * "1"
    seconds: float = 0.0
    reply_headers: dict[str, str] = field(default_factory=dict)
    instead: list[ToldInstead] = field(default_factory=list)
    for_ever: bool = False
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    most_at_a_time: int = 0
    _under_way: int = 0

    def frames(self) -> list[Asked]:
        """The key frames that came."""
        return [each for each in self.asked if each.method == "POST"]

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(Asked(request.method, request.path, dict(request.headers), await request.read()))
        if request.path == "/v2/health/ready":
            return web.json_response({"ready": True})
        if request.path == "/v1/styles":
            return web.json_response({"styles": [], "presets": ["warm"]})
        if request.method == "GET":
            return web.json_response({"version": self.version, "sha256": self.sha256})
        if request.method == "PUT":
            return web.json_response({"id": "x"}, status=201)
        self._under_way += 1
        self.most_at_a_time = max(self.most_at_a_time, self._under_way)
        await asyncio.sleep(self.seconds)
        self._under_way -= 1
        if self.instead:
            status, told, headers = self.instead[0] if self.for_ever else self.instead.pop(0)
            return web.json_response(told, status=status, headers=headers)
        is_png = request.query["format"] == "png"
        body = encode_png(self.picture) if is_png else encode_jpeg(self.picture, 95)
        headers = {"Model-Version": self.version, **self.reply_headers}
        return web.Response(body=body, content_type=request.content_type, headers=headers)


@pytest.fixture
def scripted(frame: NDArray[np.uint8]) -> Callable[[], ScriptedEdge]:
    """Makes edges that give every key frame the same picture, ``frame``."""
    return lambda: ScriptedEdge(frame)


@pytest.fixture
def dead_url() -> str:
    """An address where nobody listens."""

    async def closed() -> int:
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
            return int(server.sockets[0].getsockname()[1])

    return f"http://127.0.0.1:{asyncio.run(closed())}"


async def styles_of(url: str) -> list[str]:
    """Ids of the styles that an edge says it knows."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/v1/styles") as reply:
        return [str(style) for style in (await reply.json())["styles"]]


@dataclass(frozen=True)
class EdgeProcess:
    """An edge that runs as a process of its own."""

    process: subprocess.Popen[str]
    url: str

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.process.kill()
        self.process.wait()


@contextmanager
def edge_process(*command: str, release: Path | None = None) -> Iterator[EdgeProcess]:
    """Start ``mvstylizer serve`` with the release, or what the command names, and kill it in the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if release is not None:
        environment["MVSTYLIZER_RELEASE"] = str(release)
    process = subprocess.Popen(
        [sys.executable, "-u", *(command or ("-m", "mvstylizer", "serve", "--port", "0"))],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment, text=True,
    )  # fmt: skip
    try:
        with process:
            try:
                yield EdgeProcess(process, _url_of(process))
            finally:
                process.kill()
    finally:
        process.wait()


def _url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
            return found[1]
    raise AssertionError(f"the edge did not start: {said}")


@contextmanager
def bad_network(url: str) -> Iterator[TcpProxy]:
    """A proxy before ``url``, without any fault yet, on a thread of its own."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    proxies, stops, started = list[TcpProxy](), list[Callable[[], object]](), threading.Event()

    async def run(host: str, port: int) -> None:
        async with TcpProxy(host, port) as proxy:
            stop, loop = asyncio.Event(), asyncio.get_running_loop()
            proxies.append(proxy)
            stops.append(lambda: loop.call_soon_threadsafe(stop.set))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run(str(parts.hostname), int(parts.port or 0))))
    thread.start()
    try:
        assert started.wait(10)
        yield proxies[0]
    finally:
        stops[0]()
        thread.join()
