"""Changes the release of a running edge: the new one is loaded and tried beside the old one, then takes its place.

Whatever goes wrong before leaves the old one where it is. Requests keep the release that they began with; the old one
is freed when the last of them lets go.
"""

import asyncio
import ctypes
import gc
import logging
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from aiohttp import web

from inference.edge import Edge
from inference.errors import ApiError
from inference.model_store import ModelStore, StoredRelease, UnknownVersionError
from inference.stylizer import Stylizer
from inference.trial import difference, try_out
from mvstylizer.engine import Engine
from mvstylizer.errors import NoSpaceError, OutputError, ReleaseError

log = logging.getLogger(__name__)

SWAPPED, UNCHANGED, FAILED, BUSY = "swapped", "unchanged", "failed", "busy"
READY, UNAVAILABLE, LOADING = "READY", "UNAVAILABLE", "LOADING"


class HotSwap:
    """Swaps the stylizer of one edge for releases of its store, one at a time. For use on the edge's event loop."""

    def __init__(self, edge: Edge, store: ModelStore) -> None:
        self._edge, self._store = edge, store
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hot-swap")
        self._ending = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._loading: str | None = None
        self._refused: dict[str, str] = {}
        self._swaps = edge.metrics.counter(
            "mvstylizer_swaps", "Requests to change the release: swapped, unchanged, failed, busy", ("result",)
        )

    async def to(self, version: str) -> bool:
        """Run this version from now on, also after the next start; False if it runs already.

        Goes on to its end when who asked for it leaves. Raises ApiError: 404 unknown version, 409 another swap is
        going on, 422 the release is refused, 503 the edge is shutting down, 507 the store cannot be written; the old
        release runs on.
        """
        if (reason := self._edge.not_ready()) is not None:
            raise reason
        if self._task is not None:
            self._swaps.labels(BUSY).inc()
            raise ApiError(409, "busy", f"release {self._loading} is being loaded; ask again later", retry_after=1)
        if version == self._edge.stylizer.version:
            self._swaps.labels(UNCHANGED).inc()
            return False
        self._loading, self._task = version, asyncio.create_task(self._swap(version))
        self._task.add_done_callback(_retrieve)
        await asyncio.shield(self._task)
        return True

    async def index(self) -> list[dict[str, str]]:
        """Version, state and reason of every release, as the Open Inference Protocol's extension has them."""
        stored = await asyncio.to_thread(self._store.versions)
        running = self._edge.stylizer.version
        if running not in [each.version for each in stored]:
            stored.append(StoredRelease(running))
        return [self._told(each, running) for each in stored]

    async def close(self) -> None:
        """Give up a swap that is going on, and let go of the thread."""
        self._ending.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        self._thread.shutdown(wait=True)

    def _told(self, stored: StoredRelease, running: str) -> dict[str, str]:
        version = stored.version
        if version == running:
            return {"version": version, "state": READY, "reason": ""}
        if version == self._loading:
            return {"version": version, "state": LOADING, "reason": ""}
        return {"version": version, "state": UNAVAILABLE, "reason": stored.reason or self._refused.get(version, "")}

    async def _swap(self, version: str) -> None:
        edge, result = self._edge, FAILED
        loop = asyncio.get_running_loop()
        try:
            engine = await loop.run_in_executor(self._thread, self._prepared, version, edge.stylizer)
            weakref.finalize(edge.stylizer, self._freed, loop).atexit = False
            old, edge.stylizer = edge.stylizer.version, engine
            edge.metrics.model.info({"version": engine.version, "sha256": engine.sha256})
            self._refused.pop(version, None)
            self._thread.submit(gc.collect)
            log.info("release %s runs in place of %s", version, old)
            result = SWAPPED
        except UnknownVersionError as error:
            raise ApiError(404, "unknown-version", str(error)) from error
        except ReleaseError as error:
            self._refused[version] = str(error)
            log.warning("release %s is refused, %s runs on: %s", version, edge.stylizer.version, error)
            raise ApiError(422, "release-refused", f"{error} (release {edge.stylizer.version} runs on)") from error
        except (OutputError, NoSpaceError) as error:
            raise ApiError(507, "store-not-writable", str(error)) from error
        finally:
            self._task = self._loading = None
            self._swaps.labels(result).inc()

    def _prepared(self, version: str, running: Stylizer) -> Engine:
        """The engine of a version that may take over from the running one; the store points at it then."""
        engine = Engine(self._store.load(version), threads=running.threads if isinstance(running, Engine) else 0)
        self._check_ending()
        try_out(engine)
        self._check_ending()
        apart = difference(engine, running)
        if apart > (bound := self._edge.limits.max_release_difference):
            raise ReleaseError(
                f"release {version} makes pictures {apart:.0f} of 255 apart from those of {running.version}, "
                f"more than {bound:g}; check what it was trained on"
            )
        self._check_ending()
        # Before the swap: what cannot be written down is not to run until the next start only.
        self._store.point_at(version)
        return engine

    def _check_ending(self) -> None:
        if self._ending.is_set():
            raise ApiError(503, "draining", "the edge is shutting down", retry_after=1, close=True)

    def _freed(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called wherever the last user of an old engine lets go: takes no lock, as that place may hold any."""
        with suppress(RuntimeError):  # the loop has ended, and the process with it
            loop.call_soon_threadsafe(self._trim)

    def _trim(self) -> None:
        with suppress(RuntimeError):  # closed
            self._thread.submit(return_free_memory)


def return_free_memory() -> None:
    """Give memory that is not used any more back to the system, where the C library can (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _retrieve(task: asyncio.Task[None]) -> None:
    """So that nobody complains about a failure whose asker has gone."""
    if not task.cancelled():
        task.exception()


HOT_SWAP = web.AppKey("hot_swap", HotSwap)
