"""The bad network does what it says, so that tests and benchmarks through it say something."""

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from benchmarks.tcp_proxy import TcpProxy


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """Before a server that gives back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async with (
        await asyncio.start_server(echo, "127.0.0.1", 0) as server,
        TcpProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy,
    ):
        yield proxy


async def echoed(proxy: TcpProxy, data: bytes) -> bytes:
    """What comes back before the connection ends or nothing more comes; raises OSError if it is reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(proxy.url).port)
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read(-1)
    finally:
        writer.close()


DATA = bytes(range(256)) * 200


async def test_nothing_is_lost(proxy: TcpProxy) -> None:
    """Without a fault, and however slow the line is, everything arrives as it was."""
    assert await echoed(proxy, DATA) == DATA
    proxy.latency, proxy.rate = 0.05, 500_000
    assert await asyncio.gather(*(echoed(proxy, DATA) for _ in range(2))) == [DATA, DATA]
    assert (proxy.connections, proxy.sent, proxy.received) == (3, 3 * len(DATA), 3 * len(DATA))


async def test_latency_and_rate(proxy: TcpProxy) -> None:
    """Latency counts once each way however much is sent; the rate is shared by all connections."""
    proxy.latency = 0.2
    begun = time.monotonic()
    await echoed(proxy, DATA)
    assert 0.4 <= time.monotonic() - begun < 2
    proxy.latency, proxy.rate = 0.0, len(DATA) / 0.2
    begun = time.monotonic()
    await asyncio.gather(*(echoed(proxy, DATA) for _ in range(3)))
    assert time.monotonic() - begun >= 0.6


@pytest.mark.parametrize("fault", [{"cut_after": 1000}, {"refuse": True}])
async def test_resets(proxy: TcpProxy, fault: dict[str, object]) -> None:
    """A connection that is cut or refused is reset, not ended."""
    for name, value in fault.items():
        setattr(proxy, name, value)
    with pytest.raises(OSError):
        await echoed(proxy, DATA)
    assert proxy.received <= 1000


async def test_regular_cuts(proxy: TcpProxy) -> None:
    """Connections that are open when the time is over are reset; the next one is well."""
    proxy.rate, proxy.cut_every = 20_000, 0.2
    with pytest.raises(OSError):
        await echoed(proxy, DATA)
    proxy.rate, proxy.cut_every = None, None
    assert await echoed(proxy, DATA) == DATA


async def test_half_close(proxy: TcpProxy) -> None:
    """What comes back ends early, as if that were all."""
    proxy.half_close = 4000
    found = await echoed(proxy, DATA)
    assert 4000 <= len(found) < len(DATA) and DATA.startswith(found)


async def test_silence_and_garbage(proxy: TcpProxy) -> None:
    """A silent line holds everything until it speaks again; a garbled one keeps the length and nothing else."""
    proxy.silent = True
    task = asyncio.create_task(echoed(proxy, DATA))
    await asyncio.sleep(0.2)
    assert not task.done() and proxy.received == 0
    proxy.silent = False
    assert await task == DATA
    proxy.garbage = True
    found = await echoed(proxy, DATA)
    assert len(found) == len(DATA) and found != DATA
