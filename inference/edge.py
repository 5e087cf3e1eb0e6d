"""What one running edge holds, shared by all handlers."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from aiohttp import web

from inference.bodies import Bodies
from inference.contributions import Collect, Contributions
from inference.data_dir import DataDir
from inference.errors import ApiError
from inference.frame_store import FrameStore
from inference.limits import Limits
from inference.metrics import Metrics
from inference.quota import Quota
from inference.replies import Replies
from inference.security import Security
from inference.styles import StyleShelf
from inference.stylizer import Stylizer
from inference.worker import Done, InferenceWorker

P = ParamSpec("P")
T = TypeVar("T")
_CODEC_THREADS = 2


class Edge:
    """The state of one edge, on one event loop."""

    def __init__(
        self,
        stylizer: Stylizer,
        limits: Limits,
        security: Security,
        data: DataDir | None = None,
        frames: FrameStore | None = None,
        collect: Collect = Collect.NEVER,
    ) -> None:
        self.stylizer = stylizer
        self.limits = limits
        self.security = security
        self.data = data
        self.styles = StyleShelf(limits.max_styles)
        self.bodies = Bodies(limits)
        self.worker = InferenceWorker(limits.queue)
        self.replies = Replies(limits)
        self.quota = Quota(limits.per_client, security.behind_proxy)
        self.metrics = Metrics()
        self.contributions = Contributions(frames, collect, self.metrics)
        self.draining = False
        self.in_flight = 0
        self._codecs = ThreadPoolExecutor(_CODEC_THREADS, thread_name_prefix="codec")
        self._measure()

    def not_ready(self) -> ApiError | None:
        """Why no work is welcome just now; None if it is."""
        if self.draining:
            return ApiError(503, "draining", "the edge is shutting down", retry_after=1, close=True)
        return None

    def check(self, request: web.Request, deadline: float | None) -> None:
        """Refuse work before its body is read: raises ApiError 429 or 503 as ``run`` does."""
        self.quota.check(request, self.worker.expected_wait)
        self.worker.check(deadline)

    async def run(
        self, request: web.Request, work: Callable[[], T], deadline: float | None, *, typical: bool = True
    ) -> Done[T]:
        """``InferenceWorker.run`` for a request; raises ApiError 429 too, if its client has its share already."""
        with self.quota.share(request, self.worker.expected_wait):
            return await self.worker.run(work, deadline, typical=typical)

    async def off_loop(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that takes milliseconds (decoding, encoding, hashing) beside the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._codecs, lambda: function(*args, **kwargs))

    async def close(self) -> None:
        """Let go of all threads, once what they run is done."""
        await self.replies.close()
        self.worker.close()
        self._codecs.shutdown(wait=True)

    def _measure(self) -> None:
        gauge = self.metrics.gauge
        gauge("mvstylizer_pending", "Key frames and styles that run or wait", lambda: self.worker.pending)
        gauge("mvstylizer_expected_wait_seconds", "Until one that comes now begins", lambda: self.worker.expected_wait)
        gauge("mvstylizer_in_flight", "Requests with work that are being answered", lambda: self.in_flight)
        gauge("mvstylizer_held_bytes", "Of request bodies in memory", lambda: self.bodies.held)
        gauge("mvstylizer_styles", "Style codes at hand", lambda: len(self.styles))
        gauge("mvstylizer_ready", "1 if work is welcome", lambda: float(self.not_ready() is None))
        self.metrics.model.info({"version": self.stylizer.version, "sha256": self.stylizer.sha256})


EDGE = web.AppKey("edge", Edge)
