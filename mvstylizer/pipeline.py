"""Stages of work that overlap: a source that runs ahead in a thread, a sink that follows in another.

PyAV, OpenCV and ONNX Runtime release the interpreter's lock, so threads are enough to use all cores. Queues are
bounded: memory does not depend on the length of what flows through.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
_POLL = 0.1
"""Seconds between looks at whether the other side is still there."""


class _End:
    """Marks the end of a stream, with the exception that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def running_ahead(source: Iterable[T], size: int) -> Generator[T, None, None]:
    """The items of ``source``, produced in a thread of its own, at most ``size`` ahead.

    An exception in the source is raised here, in its place among the items. When the generator is closed, the thread
    stops at its next item, and has stopped when ``close`` returns.
    """
    items: queue.Queue[T | _End] = queue.Queue(size)
    stopped = threading.Event()

    def produce() -> None:
        end = _End()
        try:
            for item in source:
                if not _put(items, item, stopped):
                    return
        except BaseException as error:
            end = _End(error)
        _put(items, end, stopped)

    thread = threading.Thread(target=produce, name="source", daemon=True)
    thread.start()
    try:
        while True:
            item = items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        thread.join()


class FollowingSink(Generic[T]):
    """Feeds items to ``consume`` in a thread of its own, at most ``size`` behind; a context manager.

    An exception in ``consume`` is raised by the next ``put``, or at the end of the block. Leaving the block normally
    waits until everything is consumed; leaving it by an exception drops what is still queued.
    """

    def __init__(self, consume: Callable[[T], None], size: int) -> None:
        self._consume = consume
        self._items: queue.Queue[T | _End] = queue.Queue(size)
        self._failed = threading.Event()
        self._dropped = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)

    def __enter__(self) -> "FollowingSink[T]":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._dropped.set()
        _put(self._items, _End(), self._failed)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        """Hand over an item; waits while the sink is ``size`` behind."""
        if not _put(self._items, item, self._failed) and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not isinstance(item := self._items.get(), _End):
                if not self._dropped.is_set():
                    self._consume(item)
        except BaseException as error:
            self._error = error
            self._failed.set()


def _put(items: "queue.Queue[T | _End]", item: T | _End, given_up: threading.Event) -> bool:
    """Put, unless the other side has given up; says which."""
    while not given_up.is_set():
        try:
            items.put(item, timeout=_POLL)
            return True
        except queue.Full:
            continue
    return False
