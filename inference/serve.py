"""Runs an edge: listens, says so, and on SIGTERM finishes what it has begun before it goes."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from inference.app import make_app
from inference.edge import EDGE, Edge
from inference.limits import Limits
from inference.stylizer import Stylizer
from mvstylizer.errors import UsageError

DEFAULT_PORT = 8080
_LINGER_SECONDS = 2.0
_LAST_BYTES_SECONDS = 2.0


def _print_at_once(line: str) -> None:
    print(line, flush=True)


def serve(
    stylizer: Stylizer,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    limits: Limits | None = None,
    *,
    announce: Callable[[str], None] = _print_at_once,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight and return; a second signal ends at once.

    ``announce`` gets one line as soon as the edge listens. Port 0 takes any free one. To be called in the
    main thread. Raises UsageError if it cannot listen there.
    """
    asyncio.run(_serve(stylizer, host, port, limits, announce))


@asynccontextmanager
async def listening(
    stylizer: Stylizer, host: str = "127.0.0.1", port: int = 0, limits: Limits | None = None
) -> AsyncIterator[tuple[str, Edge]]:
    """An edge that listens as long as the context lasts; gives its URL and its state.

    Raises UsageError if it cannot listen there.
    """
    limits = limits or Limits()
    app = make_app(stylizer, limits)
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
    try:
        await _listen(runner, host, port)
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{runner.addresses[0][1]}", app[EDGE]
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else str(error)
        raise UsageError(f"cannot listen on {host}:{port} ({reason}); choose another with --host and --port") from error


async def _serve(
    stylizer: Stylizer, host: str, port: int, limits: Limits | None, announce: Callable[[str], None]
) -> None:
    async with listening(stylizer, host, port, limits) as (url, edge):
        stop = _stop_on_signals()
        announce(f"mvstylizer edge listening on {url} (release {stylizer.version})")
        await stop.wait()
        edge.draining = True
        await _drained(edge)


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
