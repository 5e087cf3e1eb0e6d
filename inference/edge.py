"""What one running edge holds: its stylizer, styles, worker and limits, shared by all handlers."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from aiohttp import web

from inference.bodies import Bodies
from inference.limits import Limits
from inference.styles import StyleShelf
from inference.stylizer import Stylizer
from inference.worker import InferenceWorker

P = ParamSpec("P")
T = TypeVar("T")
_CODEC_THREADS = 2


class Edge:
    """The state of one edge; lives from the application's start to its cleanup, on one event loop."""

    def __init__(self, stylizer: Stylizer, limits: Limits) -> None:
        self.stylizer = stylizer
        self.limits = limits
        self.styles = StyleShelf(limits.max_styles)
        self.bodies = Bodies(limits)
        self.worker = InferenceWorker(limits.queue)
        self.draining = False
        self.in_flight = 0
        self._codecs = ThreadPoolExecutor(_CODEC_THREADS, thread_name_prefix="codec")

    async def off_loop(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that takes milliseconds (decoding, encoding, hashing) beside the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._codecs, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Let go of all threads, once what they run is done."""
        self.worker.close()
        self._codecs.shutdown(wait=True)


EDGE = web.AppKey("edge", Edge)
