"""Stages of work that overlap: a source that runs ahead in a thread, a sink that follows in another.

PyAV, OpenCV and ONNX Runtime release the interpreter's lock, so threads are enough to use all cores. Queues are
bounded: memory does not depend on the length of what flows through.

Ctrl-C may come at any moment in the main thread. ``queue.Queue``, ``Event``, ``Condition`` and ``Thread.join`` are
Python code: an exception in the middle of it leaves a lock locked or loses a wake-up, and both sides wait for ever.
So only plain attributes and ``SimpleQueue``, whose every call is done or not done, are shared between threads here.
"""

import threading
from collections.abc import Callable, Generator, Iterable
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
_POLL = 0.1
"""Seconds between looks at whether the other side is still there."""


class _End:
    """Marks the end of a stream, with the exception that ended it, if any."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Budget:
    """How many items may be in flight: one is taken before an item is made, and given back when it is done with."""

    def __init__(self, size: int) -> None:
        self._left: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._left.put(None)

    def take(self, given_up: Callable[[], bool]) -> bool:
        """Wait until there is one to take, unless ``given_up``; says whether it was taken."""
        while not given_up():
            try:
                self._left.get(timeout=_POLL)
            except Empty:
                continue
            return not given_up()
        return False

    def give_back(self) -> None:
        """Let one more item be made."""
        self._left.put(None)


def running_ahead(source: Iterable[T], budget: Budget) -> Generator[T, None, None]:
    """The items of ``source``, produced in a thread of its own as far ahead as ``budget`` allows.

    Whoever is done with an item gives it back to the budget; items that are kept for later so count until then.
    An exception in the source is raised here, in its place among the items. When the generator is closed, the thread
    stops at its next item, and has stopped when ``close`` returns.
    """
    items: SimpleQueue[T | _End] = SimpleQueue()

    def produce() -> None:
        end = _End()
        try:
            rest = iter(source)
            while budget.take(lambda: worker.stopped):
                items.put(next(rest))
        except StopIteration:
            pass
        except BaseException as error:
            end = _End(error)
        items.put(end)

    worker = _Worker("source", produce)
    try:
        worker.start()
        while True:
            item = items.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        worker.stopped = True
        # So that a thread that waits for its next item sees at once that nobody wants it.
        budget.give_back()
        worker.wait()


class FollowingSink(Generic[T]):
    """Feeds items to ``consume`` in a thread of its own, at most ``size`` behind; a context manager.

    An exception in ``consume`` is raised by the next ``put``, or at the end of the block. Leaving the block normally
    waits until everything is consumed; leaving it by an exception drops what is still queued. Either way ``consume``
    is not running any more afterwards.
    """

    def __init__(self, consume: Callable[[T], None], size: int) -> None:
        self._consume = consume
        self._items = _Bounded[T | _End](size)
        self._error: BaseException | None = None
        self._worker = _Worker("sink", self._run)

    def __enter__(self) -> "FollowingSink[T]":
        try:
            self._worker.start()
        except BaseException:
            self._drop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._drop()
            return
        try:
            self._finish()
        except BaseException:
            # Interrupted while waiting: what is consumed into must not be taken away under the thread's hands.
            self._drop()
            raise
        if self._error is not None:
            raise self._error

    def put(self, item: T) -> None:
        """Hand over an item; waits while the sink is ``size`` behind."""
        if not self._items.put(item, self._failed) and self._error is not None:
            raise self._error

    def _failed(self) -> bool:
        return self._error is not None

    def _drop(self) -> None:
        self._worker.stopped = True
        self._finish()

    def _finish(self) -> None:
        self._items.put(_End(), self._failed)
        self._worker.wait()

    def _run(self) -> None:
        try:
            while not isinstance(item := self._items.get(), _End):
                if not self._worker.stopped:
                    self._consume(item)
        except BaseException as error:
            self._error = error


class _Bounded(Generic[T]):
    """A queue that holds at most ``size`` items, for one thread at each end."""

    def __init__(self, size: int) -> None:
        self._items: SimpleQueue[T] = SimpleQueue()
        self._room = Budget(size)

    def put(self, item: T, given_up: Callable[[], bool]) -> bool:
        """Put as soon as there is room, unless the other side has given up; says which."""
        if not self._room.take(given_up):
            return False
        self._items.put(item)
        return True

    def get(self) -> T:
        item = self._items.get()
        self._room.give_back()
        return item


class _Worker:
    """A thread that can be told to stop and be waited for, whatever interrupts the starting or the waiting."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.stopped = False
        """Set from outside; work that has not begun by then never begins."""
        self._work = work
        self._has_begun = self._has_ended = False
        self._end: SimpleQueue[None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        """Return when the work has ended, or is stopped before it has begun."""
        while not self._has_ended and (self._has_begun or not self.stopped):
            try:
                self._end.get(timeout=_POLL)
            except Empty:
                continue

    def _run(self) -> None:
        self._has_begun = True
        try:
            if not self.stopped:
                self._work()
        finally:
            self._has_ended = True
            self._end.put(None)
