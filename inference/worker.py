"""One thread that runs the stylizer, and the short queue before it.

Two cores serve best when one inference has them all, so work runs one piece at a time, in order of arrival,
off the event loop. The queue is bounded and knows how long a piece takes, so it can refuse at once and say
when to come back.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from inference.errors import ApiError

T = TypeVar("T")
_WEIGHT_OF_THE_LATEST = 0.2


@dataclass(frozen=True)
class Done(Generic[T]):
    """A result with the seconds that it waited for its turn and then took."""

    value: T
    queued: float
    took: float


class InferenceWorker:
    """Runs pieces of work one after the other; at most ``queue`` wait. For use on one event loop."""

    def __init__(self, queue: int) -> None:
        self._queue = queue
        self._pending = 0
        self._turn = asyncio.Lock()  # wakes those who wait in order of arrival
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._service_seconds: float | None = None

    @property
    def pending(self) -> int:
        """Pieces that run or wait."""
        return self._pending

    @property
    def expected_wait(self) -> float:
        """Seconds until a piece that came now would begin, by the measured mean of those before it."""
        return self._pending * (self._service_seconds or 0.0)

    def check(self, deadline: float | None) -> None:
        """Raise ApiError 503 if the queue is full or the ``time.monotonic`` deadline cannot be met."""
        if self._pending > self._queue:
            raise ApiError(503, "queue-full", "the edge is busy; come back later", retry_after=self.expected_wait)
        _check_deadline(deadline, self.expected_wait)

    async def run(self, work: Callable[[], T], deadline: float | None = None, *, typical: bool = True) -> Done[T]:
        """Run ``work`` in the thread when its turn comes; raises what it raises, or as ``check`` does.

        ``typical`` work is what waiting times are foretold by.
        """
        self.check(deadline)
        arrived = time.monotonic()
        self._pending += 1
        try:
            async with self._turn:
                began = time.monotonic()
                _check_deadline(deadline, 0.0)
                value = await self._call(work)
                took = time.monotonic() - began
        finally:
            self._pending -= 1
        if typical:
            self._learn(took)
        return Done(value, began - arrived, took)

    def close(self) -> None:
        """Let go of the thread; what it runs is run to its end."""
        self._thread.shutdown(wait=True)

    async def _call(self, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # The thread cannot be interrupted: the next piece's turn comes only once it is free.
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()
            raise

    def _learn(self, took: float) -> None:
        mean = took if self._service_seconds is None else self._service_seconds
        self._service_seconds = mean + _WEIGHT_OF_THE_LATEST * (took - mean)


def _check_deadline(deadline: float | None, wait: float) -> None:
    if deadline is not None and time.monotonic() + wait >= deadline:
        raise ApiError(503, "deadline", "X-Deadline-Ms cannot be met any more", retry_after=wait)
