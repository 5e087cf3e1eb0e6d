"""The way from outside: SuperNodes get through, the Control API does not."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from fl_server.proxy import FleetProxy


async def _superlink(request: web.Request) -> web.StreamResponse:
    """Tells what came, and streams it back."""
    if request.path == "/v1/fleet/refused":
        return web.Response(status=401, text="unknown key")
    if request.path == "/v1/fleet/broken":
        return web.Response(status=500, text="database or disk is full")
    response = web.StreamResponse(headers={"X-Path": request.raw_path, "X-Signature": request.headers.get("Sig", "")})
    await response.prepare(request)
    async for chunk in request.content.iter_chunked(1000):
        await response.write(chunk)
    return response


@asynccontextmanager
async def proxied() -> AsyncIterator[ClientSession]:
    """A client of a proxy in front of something that answers everything."""
    upstream_app = web.Application()
    upstream_app.router.add_route("*", "/{path:.*}", _superlink)
    async with TestServer(upstream_app) as upstream:
        app = web.Application()
        FleetProxy(str(upstream.make_url("")).rstrip("/"), None).add_to(app)
        async with TestServer(app) as server, ClientSession(server.make_url("")) as session:
            yield session


async def test_the_fleet_api_gets_through_whole() -> None:
    """Method, path, query, headers and a large body both ways."""
    body = bytes(range(256)) * 20_000
    async with (
        proxied() as session,
        session.post("/v1/fleet/PushObject?node=1", data=io.BytesIO(body), headers={"Sig": "abc"}) as answer,
    ):
        assert answer.status == 200 and await answer.read() == body
        assert answer.headers["X-Path"] == "/v1/fleet/PushObject?node=1" and answer.headers["X-Signature"] == "abc"
    async with proxied() as session, session.get("/health") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/v1/control/StartRun", "/v1/runtime/AcquireTask", "/v1/fleet/../control/StartRun", "/docs", "/openapi.json",
     "/v1/fleet/..%2fcontrol/StartRun", "/v1/fleet/%2e%2e/control/StartRun", "/v1/fleet//../control/StartRun",
     "/v1/fleet", "/v1/fleet/", "//v1/control/StartRun", "/health/../v1/control/StartRun", "/v1/fleet/x%00",
     "/V1/CONTROL/StartRun", "/v1/fleet/a;/../../control/StartRun", "http://127.0.0.1/v1/control/StartRun"],
)  # fmt: skip
async def test_nothing_else_does(path: str) -> None:
    """The Control API, which runs anybody's program, cannot be reached, however it is written; the answer is 404 and
    never 401 or 403, at which SuperNodes give up."""
    async with proxied() as session:
        port = session._base_url.port if session._base_url else 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: cloud\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        head = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert head.split()[1] in (b"404", b"400", b"405") and b"X-Path" not in head


async def test_while_the_superlink_is_away_nodes_are_told_to_come_back() -> None:
    """503, which SuperNodes take for a reason to try again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    app = web.Application()
    FleetProxy(f"http://127.0.0.1:{nobody}", None).add_to(app)
    async with (
        TestServer(app) as server,
        ClientSession(server.make_url("")) as session,
        session.post("/v1/fleet/PullMessages", data=b"x") as answer,
    ):
        assert answer.status == 503


async def test_refusals_of_the_superlink_are_its_own() -> None:
    """An unknown key is told so."""
    async with proxied() as session, session.post("/v1/fleet/refused") as answer:
        assert answer.status == 401 and await answer.text() == "unknown key"


async def test_a_fault_of_the_superlink_is_a_reason_to_try_again() -> None:
    """At 500, the answer to everything while the disk is full, a SuperNode's heartbeat would end for ever."""
    async with proxied() as session, session.post("/v1/fleet/broken") as answer:
        assert (answer.status, answer.reason) == (503, "Service Unavailable") and "disk is full" in await answer.text()
