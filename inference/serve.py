"""Runs an edge: listens, says so, and on SIGTERM finishes what it has begun before it goes."""

import asyncio
import os
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from inference.app import make_app
from inference.contributions import Collect, open_store
from inference.data_dir import DataDir
from inference.edge import Edge
from inference.hot_swap import HOT_SWAP, HotSwap
from inference.limits import Limits
from inference.model_store import ModelStore
from inference.routes import ADMIN_ROUTES, CLIENT_ROUTES
from inference.security import Security, is_loopback
from inference.stylizer import Stylizer
from mvstylizer.errors import UsageError

DEFAULT_PORT = 8080
_LOOPBACK = "127.0.0.1"
_LINGER_SECONDS = 2.0
_LAST_BYTES_SECONDS = 2.0


def _print_at_once(line: str) -> None:
    print(line, flush=True)


def serve(
    stylizer: Stylizer,
    host: str = _LOOPBACK,
    port: int = DEFAULT_PORT,
    limits: Limits | None = None,
    *,
    security: Security | None = None,
    data: DataDir | None = None,
    admin_port: int = 0,
    collect: Collect = Collect.NEVER,
    announce: Callable[[str], None] = _print_at_once,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight and return; a second signal ends at once.

    ``announce`` gets one line as soon as the edge listens. Port 0 takes any free one. To be called in the
    main thread. Raises what ``listening`` raises.
    """

    async def run() -> None:
        nonlocal stylizer
        edge_listens = listening(
            stylizer, host, port, limits,
            security=security, data=data, admin_port=admin_port, collect=collect,
        )  # fmt: skip
        del stylizer  # the edge's alone, so that it can be freed when another takes its place
        async with edge_listens as (url, edge):
            stop = _stop_on_signals()
            announce(f"mvstylizer edge listening on {url} (release {edge.stylizer.version})")
            await stop.wait()
            edge.draining = True
            await _drained(edge)

    asyncio.run(run())


@asynccontextmanager
async def listening(
    stylizer: Stylizer,
    host: str = _LOOPBACK,
    port: int = 0,
    limits: Limits | None = None,
    *,
    security: Security | None = None,
    data: DataDir | None = None,
    admin_port: int = 0,
    collect: Collect = Collect.NEVER,
) -> AsyncIterator[tuple[str, Edge]]:
    """An edge that listens as long as the context lasts; gives its URL and its state.

    With ``data``, admins are listened to on ``admin_port`` of loopback, and the data directory says where.
    Raises UsageError if it cannot listen there, if others would be let in without a token, if another edge runs on the
    data directory, or if it is to collect without one; and what FrameStore raises.
    """
    limits, security = limits or Limits(), security or Security()
    if security.token is None and not is_loopback(host):
        raise UsageError(
            f"listening on {host} lets in everybody who reaches this machine; ask for a token with --token-file FILE, "
            "or listen on 127.0.0.1"
        )
    async with AsyncExitStack() as stack:
        if data is not None:
            stack.callback(data.lock().release)
        frames = await asyncio.to_thread(open_store, data, collect, limits)
        edge = Edge(stylizer, limits, security, data, frames, collect)
        await stack.enter_async_context(edge.contributions.kept_within_bounds())
        del stylizer  # as in serve
        stack.push_async_callback(edge.close)
        url = await _listen(stack, make_app(edge, CLIENT_ROUTES), host, port, limits, security.tls)
        if data is not None:
            admin = make_app(edge, ADMIN_ROUTES)
            admin[HOT_SWAP] = swap = HotSwap(edge, ModelStore(data.releases))
            stack.push_async_callback(swap.close)
            data.tell_admin_url(await _listen(stack, admin, _LOOPBACK, admin_port, limits, None))
            stack.callback(data.forget_admin_url)
        yield url, edge


async def _listen(
    stack: AsyncExitStack, app: web.Application, host: str, port: int, limits: Limits, tls: ssl.SSLContext | None
) -> str:
    """Listen until the stack is left; gives the URL."""
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=True,
        keepalive_timeout=limits.keepalive_seconds,
        lingering_time=_LINGER_SECONDS,
        shutdown_timeout=_LAST_BYTES_SECONDS,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else str(error)
        raise UsageError(f"cannot listen on {host}:{port} ({reason}); choose another with --host and --port") from error
    name = f"[{host}]" if ":" in host else host
    return f"{'http' if tls is None else 'https'}://{name}:{runner.addresses[0][1]}"


def _stop_on_signals() -> asyncio.Event:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def on_signal() -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)  # the next one has the system's own effect: it ends the process
        stop.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, on_signal)
    return stop


async def _drained(edge: Edge) -> None:
    """Wait, still listening so that readiness can be asked, until nothing is in flight or time is up."""
    give_up = time.monotonic() + edge.limits.drain_seconds
    while edge.in_flight and time.monotonic() < give_up:
        await asyncio.sleep(0.05)
