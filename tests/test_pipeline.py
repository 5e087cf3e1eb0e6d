"""Stages that overlap: order, bounds, exceptions, and no thread that is left over."""

import itertools
import random
import signal
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

import pytest

from mvstylizer.pipeline import Budget, FollowingSink, running_ahead
from tests.scenes import no_thread_left

T = TypeVar("T")


class Boom(Exception):
    pass


def done_at_once(source: Iterable[T], size: int) -> Generator[T, None, None]:
    """Runs ahead of a consumer that is done with each item before it asks for the next."""
    budget = Budget(size)
    for item in running_ahead(source, budget):
        yield item
        budget.give_back()


def wait_until_still(values: list[int]) -> int:
    """How many values there are once none has come for a while."""
    count = -1
    while count != len(values):
        count = len(values)
        time.sleep(0.15)
    return count


def test_items_come_in_order() -> None:
    """All items arrive, in the order of the source."""
    with no_thread_left():
        assert list(done_at_once(range(200), 3)) == list(range(200))


def test_an_empty_source_is_an_empty_stream() -> None:
    """Nothing in, nothing out."""
    assert list(done_at_once([], 1)) == []


@pytest.mark.parametrize("size", [1, 4])
def test_the_source_runs_ahead_within_a_budget(size: int) -> None:
    """Items count against the budget until they are given back, whether they are ready, worked on, or kept."""
    made: list[int] = []

    def source() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    budget = Budget(size)
    ahead = running_ahead(source(), budget)
    for _ in range(1, size):
        next(ahead)
        assert wait_until_still(made) == size
    for given_back in range(1, 4):
        budget.give_back()
        next(ahead)
        assert wait_until_still(made) == size + given_back
    ahead.close()


def test_the_source_runs_in_a_thread_of_its_own() -> None:
    """Work in the source does not hold up the caller's thread."""
    source = (threading.current_thread() for _ in range(2))
    assert threading.current_thread() not in list(done_at_once(source, 1))


def test_an_exception_in_the_source_surfaces_in_its_place() -> None:
    """What was made before the exception is delivered first, then the exception itself."""

    def source() -> Iterator[int]:
        yield from range(3)
        raise Boom

    got = []
    with no_thread_left(), pytest.raises(Boom):
        for item in running_ahead(source(), Budget(8)):
            got.append(item)
    assert got == [0, 1, 2]


@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_stops_the_source(taken: int) -> None:
    """After ``close`` the thread has stopped, and the source is asked for nothing more."""
    made: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    with no_thread_left():
        ahead = done_at_once(endless(), 2)
        for _ in range(taken):
            next(ahead)
        ahead.close()
        count = len(made)
        assert count <= taken + 3
        time.sleep(0.05)
        assert len(made) == count


def test_a_sink_consumes_in_order_and_completely() -> None:
    """Leaving the block waits until every item has been consumed, in order, in another thread."""
    got: list[int] = []
    threads = set()

    def consume(item: int) -> None:
        threads.add(threading.current_thread())
        time.sleep(0.001)
        got.append(item)

    with no_thread_left(), FollowingSink[int](consume, 2) as sink:
        for i in range(50):
            sink.put(i)
    assert got == list(range(50))
    assert threads.isdisjoint({threading.current_thread()})


def test_a_sink_falls_behind_by_a_bounded_number() -> None:
    """``put`` waits while the queue is full, so items do not pile up behind a slow sink."""
    done: list[int] = []
    lags = []

    def slow(item: int) -> None:
        time.sleep(0.005)
        done.append(item)

    with FollowingSink[int](slow, 3) as sink:
        for i in range(30):
            sink.put(i)
            lags.append(i + 1 - len(done))
    assert max(lags) <= 3 + 1  # and the one that is being consumed


@pytest.mark.parametrize("items", [1, 100])
def test_an_exception_in_the_consumer_surfaces(items: int) -> None:
    """An exception of the consumer ends the block, by the next ``put`` or at its end, and nothing more is consumed."""
    tried: list[int] = []

    def fail(item: int) -> None:
        tried.append(item)
        raise Boom

    with no_thread_left(), pytest.raises(Boom), FollowingSink[int](fail, 2) as sink:
        for i in range(items):
            sink.put(i)
    assert tried == [0]


def test_an_exception_in_the_block_drops_the_queue() -> None:
    """When the block fails, its exception goes on and what was still queued is not consumed."""
    may_go_on = threading.Event()
    got: list[int] = []

    def consume(item: int) -> None:
        may_go_on.wait(5)
        got.append(item)

    with no_thread_left(), pytest.raises(Boom), FollowingSink[int](consume, 10) as sink:
        for i in range(10):
            sink.put(i)
        threading.Timer(0.1, may_go_on.set).start()
        raise Boom
    assert len(got) <= 1


def test_an_interruption_at_the_end_waits_for_the_consumer() -> None:
    """Ctrl-C while the last items are consumed drops them, and returns only when the consumer is idle."""
    started, finished = threading.Event(), threading.Event()
    got: list[int] = []

    def consume(item: int) -> None:
        started.set()
        finished.wait(0.3)
        got.append(item)

    class InterruptedSink(FollowingSink[int]):
        def _finish(self) -> None:
            if not self._worker.stopped:
                started.wait(5)
                raise KeyboardInterrupt
            super()._finish()

    with no_thread_left(), pytest.raises(KeyboardInterrupt), InterruptedSink(consume, 10) as sink:
        for i in range(5):
            sink.put(i)
    assert got == [0]


# Python itself reports and loses an interruption that falls into a weak reference's callback: it must come again.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("trials", [150])
def test_ctrl_c_never_leads_to_a_deadlock(trials: int) -> None:
    """Whenever an interruption comes, it comes out, and no thread goes on working or waits for ever."""
    working = 0

    def consume(item: int) -> None:
        nonlocal working
        working += 1
        time.sleep(0)
        working -= 1

    def interrupt(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    chance = random.Random(1)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with no_thread_left():
            for _ in range(trials):
                with pytest.raises(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, chance.uniform(5e-4, 4e-3), 1.0)
                    budget = Budget(3)
                    with (
                        closing(running_ahead(itertools.count(), budget)) as items,
                        FollowingSink(consume, 2) as sink,
                    ):
                        for item in items:
                            sink.put(item)
                            budget.give_back()
                signal.setitimer(signal.ITIMER_REAL, 0)
                assert working == 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
