"""What goes on beside a federation in this process: devices that ask for key frames, proxies that count bytes."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.tcp_proxy import TcpProxy
from inference.client.edge_client import EdgeClient
from mvstylizer.errors import EdgeError
from mvstylizer.pictures import encode_png

T = TypeVar("T")
_CHUNK = 2**17


@dataclass(frozen=True)
class Answer:
    """Of one request: when it was answered (seconds since 1970), how long it took, and by which release."""

    time: float
    took: float
    version: str
    failure: str = ""
    """Why there was no picture."""


class Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()

    def result(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work there and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    @contextmanager
    def proxy(self, port: int) -> Iterator[TcpProxy]:
        """To a port of this machine."""
        proxy = TcpProxy("127.0.0.1", port, _CHUNK)
        self.result(proxy.__aenter__())
        try:
            yield proxy
        finally:
            self.result(proxy.__aexit__(None, None, None))

    @contextmanager
    def device(self, url: str, picture: NDArray[np.uint8], every: float) -> Iterator[list[Answer]]:
        """One that asks the edge for ``picture``, again ``every`` seconds after each answer; the list grows."""
        answers: list[Answer] = []
        asking = asyncio.run_coroutine_threadsafe(_ask(url, picture, every, answers), self._loop)
        try:
            yield answers
        finally:
            asking.cancel()

    def close(self) -> None:
        """End what still goes on."""
        self.result(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def background() -> Iterator[Background]:
    """A Background that is closed at the end."""
    found = Background()
    try:
        yield found
    finally:
        found.close()


async def _ask(url: str, picture: NDArray[np.uint8], every: float, answers: list[Answer]) -> None:
    """One try for each picture: an edge that is busy or away for a moment counts as a failure."""
    async with EdgeClient(url, patience=30.0) as patient:
        style = await patient.put_style(encode_png(np.ascontiguousarray(picture[:, ::-1])))
    async with EdgeClient(url, patience=0.0) as client:
        while True:
            began = time.time()
            try:
                version, failure = (await client.stylized(picture, style)).version, ""
            except EdgeError as error:
                version, failure = "", str(error)
            answers.append(Answer(time.time(), time.time() - began, version, failure))
            await asyncio.sleep(every)


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
