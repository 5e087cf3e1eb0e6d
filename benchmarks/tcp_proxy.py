"""A bad network in one process: a TCP proxy that delays, throttles, cuts, silences or garbles what goes through it.

Linux's ``tc netem`` does the same for whole machines, but needs root and a kernel that has it.
"""

import asyncio
import os
import struct
from collections.abc import Coroutine
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Any, Self

_CHUNK = 2048
_CHUNKS_ON_THE_WAY = 256


class TcpProxy:
    """Passes connections on to ``host:port``; use as ``async with``, then connect to ``url``.

    Every fault is an attribute that may be set at any time, from any thread:

    - ``latency``: seconds one way, added to every byte.
    - ``rate``: bytes a second each way, of all connections together; None for no limit.
    - ``cut_after``: reset a connection once so many bytes have come back on it; None for never.
    - ``cut_every``: reset all connections whenever so many seconds are over; None for never.
    - ``refuse``: reset every connection at once, those that are open too.
    - ``half_close``: end what comes back, as if it were over, after so many bytes; None for never.
    - ``silent``: let nothing through any more, in neither direction, and say nothing.
    - ``garbage``: send random bytes in place of those that come back.

    ``chunk`` bytes at most are passed on at a time: few where a slow line is to flow, many where nothing is to be slow.
    ``connections`` counts those that were tried, ``sent`` and ``received`` the bytes that went up and down.
    """

    def __init__(self, host: str, port: int, chunk: int = _CHUNK) -> None:
        self._target, self._chunk = (host, port), chunk
        self.latency = 0.0
        self.rate: float | None = None
        self.cut_after: int | None = None
        self.cut_every: float | None = None
        self.refuse = self.silent = self.garbage = False
        self.half_close: int | None = None
        self.connections = self.sent = self.received = 0
        self.url = ""
        self._free_at = {True: 0.0, False: 0.0}  # when the line is free again, up and down
        self._open = set[asyncio.StreamWriter]()
        self._tasks = set[asyncio.Task[None]]()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._on_connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._start(self._cut_regularly())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.cut()

    def cut(self) -> None:
        """Reset all connections; to be called on the proxy's own loop."""
        for writer in list(self._open):
            _reset(writer)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        connected = self._start(self._connected(reader, writer))
        await asyncio.wait([connected])
        self._open.discard(writer)
        if connected.cancelled() or connected.exception() is not None:
            _reset(writer)
        else:
            writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Returns when both directions have ended; raises OSError when the connection is to be reset."""
        if self.refuse:
            raise ConnectionResetError
        there_reader, there = await asyncio.open_connection(*self._target)
        self._open.add(there)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass_on(reader, there, True))
                ways.create_task(self._pass_on(there_reader, writer, False))
        except* OSError:
            raise ConnectionResetError from None
        finally:
            self._open.discard(there)
            there.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, is_up: bool) -> None:
        """One direction of one connection; raises OSError when it is cut."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_ON_THE_WAY)
        receiving = asyncio.create_task(self._receive(source, on_the_way))
        try:
            await self._deliver(on_the_way, target, is_up)
        finally:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)

    async def _receive(self, source: asyncio.StreamReader, on_the_way: "asyncio.Queue[tuple[float, bytes]]") -> None:
        now, chunk = asyncio.get_running_loop().time, b" "
        while chunk:
            try:
                chunk = await source.read(self._chunk)
            except OSError:  # a reset arrives as the end does; what came before it is still delivered
                chunk = b""
            await on_the_way.put((now() + self.latency, chunk))

    async def _deliver(
        self, on_the_way: "asyncio.Queue[tuple[float, bytes]]", target: asyncio.StreamWriter, is_up: bool
    ) -> None:
        passed = 0
        while True:
            due, chunk = await on_the_way.get()
            await self._travel(due, len(chunk), is_up)
            is_over = not is_up and self.half_close is not None and passed >= self.half_close
            if not chunk or is_over:
                break
            passed += len(chunk)
            if not is_up and self.cut_after is not None and passed > self.cut_after:
                raise ConnectionResetError
            self.sent, self.received = self.sent + is_up * len(chunk), self.received + (not is_up) * len(chunk)
            target.write(os.urandom(len(chunk)) if self.garbage and not is_up else chunk)
            await target.drain()
        target.write_eof()

    async def _travel(self, due: float, size: int, is_up: bool) -> None:
        """Return when ``size`` bytes have come through: the latency is over, and the line was free for long enough."""
        now = asyncio.get_running_loop().time
        if self.rate is not None:
            due = self._free_at[is_up] = max(due, self._free_at[is_up]) + size / self.rate
        await asyncio.sleep(due - now())
        while self.silent:
            await asyncio.sleep(0.02)

    async def _cut_regularly(self) -> None:
        loop = asyncio.get_running_loop()
        latest = loop.time()
        while True:
            await asyncio.sleep(0.02)
            if self.cut_every is None:
                latest = loop.time()
            if self.refuse or (self.cut_every is not None and loop.time() - latest >= self.cut_every):
                latest = loop.time()
                self.cut()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a crash would: with a reset, not as if everything had been said."""
    socket = writer.get_extra_info("socket")
    if not writer.transport.is_closing():
        socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
