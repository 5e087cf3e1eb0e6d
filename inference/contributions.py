"""Key frames that devices offer for training: taken by the edge, off its event loop, or truthfully refused."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import TypeVar

from aiohttp import web

from inference.data_dir import DataDir
from inference.errors import ApiError
from inference.frame_store import Contribution, FrameStore, OfferedFrame
from inference.limits import Limits
from inference.metrics import Metrics
from inference.openapi import header
from inference.picture_metadata import is_picture_only
from mvstylizer.errors import MVStylizerError, UsageError

log = logging.getLogger(__name__)
T = TypeVar("T")
CONTRIBUTOR_FORM = "^[0-9a-f]{32}$"
CONTRIBUTOR = header(
    "Contributor",
    {"type": "string", "pattern": CONTRIBUTOR_FORM},
    "offers the key frame for training under this id; the reply's Contribution says what became of it: kept, "
    "duplicate or refused",
)
_CONTRIBUTOR = re.compile(r"[0-9a-f]{32}")
_DAY_SECONDS = 86_400
_PRUNE_SECONDS = 3600.0
_MOST_WAITING = 16
_PATIENCE_SECONDS = 0.25


class Collect(Enum):
    """Whether an edge keeps key frames."""

    NEVER = "never"
    OPT_IN = "opt-in"
    """Those that a device offers."""


class Contributions:
    """What devices gave to one edge, on its event loop; one thread of its own does all the work with the disk.

    Without ``store`` there is nothing and all is refused. With Collect.NEVER offers are refused, but what was given
    before can still be counted and deleted.
    """

    def __init__(self, store: FrameStore | None, collect: Collect, metrics: Metrics) -> None:
        self._store, self._collects = store, collect is Collect.OPT_IN
        self._frames = self._bytes = self._waiting = 0
        self._is_failing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="frame-store")
        self._results = metrics.counter(
            "mvstylizer_contributions", "Key frames offered: kept, duplicate, refused, failed", ("result",)
        )
        metrics.gauge("mvstylizer_contributed_frames", "Key frames kept for training", lambda: self._frames)
        metrics.gauge("mvstylizer_contributed_bytes", "That they take of the disk", lambda: self._bytes)

    async def offer(self, contributor: str, frame: OfferedFrame) -> Contribution:
        """Keep the frame if it may be kept; REFUSED too if the disk fails or is too slow to wait for."""
        store = self._store
        if store is None or not self._collects or self._waiting >= _MOST_WAITING:
            return self._counted(Contribution.REFUSED)

        def add() -> Contribution:
            if not is_picture_only(frame.picture):
                return Contribution.REFUSED
            return store.add(contributor, frame)

        try:
            return self._counted(await self._within_patience(add))
        except MVStylizerError as error:
            self._results.labels("failed").inc()
            self._told(error)
            return Contribution.REFUSED

    async def count(self, contributor: str) -> tuple[int, int]:
        """How many frames there are of a contributor, and their bytes; raises ApiError 503 if the disk fails."""
        store = self._store
        return (0, 0) if store is None else await self._asked(lambda: store.count(contributor))

    async def delete(self, contributor: str) -> int:
        """Delete all of a contributor's frames; gives how many. Raises ApiError 503 if the disk fails."""
        store = self._store
        return 0 if store is None else await self._asked(lambda: store.delete(contributor))

    @asynccontextmanager
    async def kept_within_bounds(self) -> AsyncIterator[None]:
        """Delete what is too old or too much, now and every hour; when the context is left, let go of the store."""
        task = asyncio.create_task(self._prune_for_ever())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._store is not None:
                await asyncio.wrap_future(self._thread.submit(self._close, self._store))
            self._thread.shutdown(wait=True)

    async def _prune_for_ever(self) -> None:
        store = self._store
        while store is not None:
            with suppress(ApiError):
                await self._asked(store.prune)
            await asyncio.sleep(_PRUNE_SECONDS)

    async def _within_patience(self, add: Callable[[], Contribution]) -> Contribution:
        """What has not begun in time is dropped; what has begun is waited for, or the reply might not be true."""
        future = self._thread.submit(self._measured, add)
        waited = asyncio.wrap_future(future)
        self._waiting += 1
        try:
            done, _ = await asyncio.wait([waited], timeout=_PATIENCE_SECONDS)
            if not done and future.cancel():
                return Contribution.REFUSED
            return await waited
        finally:
            self._waiting -= 1
            waited.cancel()

    async def _asked(self, question: Callable[[], T]) -> T:
        try:
            return await asyncio.wrap_future(self._thread.submit(self._measured, question))
        except MVStylizerError as error:
            self._told(error)
            text = "the edge cannot reach its frames just now; ask again"
            raise ApiError(503, "frame-store", text, retry_after=5) from error

    def _measured(self, work: Callable[[], T]) -> T:
        """Work on the store's thread; what metrics tell is kept for whoever asks on another."""
        result = work()
        if self._store is not None:
            self._frames, self._bytes = self._store.frames(), self._store.used_bytes()
        return result

    def _counted(self, result: Contribution) -> Contribution:
        if result is Contribution.KEPT:
            self._is_failing = False
        self._results.labels(result.value).inc()
        return result

    def _told(self, error: MVStylizerError) -> None:
        if not self._is_failing:  # a full disk is told once, not with every frame
            log.warning("contributions fail: %s", error)
        self._is_failing = True

    def _close(self, store: FrameStore) -> None:
        try:
            store.close()
        except MVStylizerError as error:
            log.warning("%s", error)


def open_store(data: DataDir | None, collect: Collect, limits: Limits) -> FrameStore | None:
    """The frame store of an edge that collects, or that once did; takes a moment for a large one.

    Raises UsageError if it is to collect and has no data directory, and what FrameStore raises.
    """
    if data is None:
        if collect is Collect.OPT_IN:
            raise UsageError("--collect opt-in needs a place for the frames; name one with --data-dir DIR")
        return None
    if collect is Collect.NEVER and not data.frames.exists():
        return None
    return FrameStore(data.frames, limits.max_collected_bytes, limits.max_collected_days * _DAY_SECONDS)


def contributor_of(request: web.Request) -> str | None:
    """The request's Contributor; None without one. Raises ApiError 400 for one that is malformed."""
    contributor = request.headers.get("Contributor")
    return None if contributor is None else checked_contributor(contributor)


def checked_contributor(text: str) -> str:
    """The text, if it is a contributor's id; raises ApiError 400 if it is not."""
    if _CONTRIBUTOR.fullmatch(text) is None:
        raise ApiError(400, "bad-contributor", "a contributor's id is 32 lower-case hex digits")
    return text
