"""What is known of an edge's speed and health, with times that the test makes up."""

import math

import pytest

from inference.client.standing import Standing


def measured(seconds: float, now: float = 0.0) -> Standing:
    standing = Standing()
    standing.answered(seconds, 1, now)
    return standing


def test_a_queue_makes_an_edge_slower() -> None:
    """Every request under way adds one turn to the time expected of the next."""
    standing = measured(0.2)
    assert standing.expected(0.0) == pytest.approx(0.2)
    standing.in_flight = 3
    assert standing.expected(0.0) == pytest.approx(0.8)


def test_an_answer_from_a_queue_is_not_held_against_the_edge() -> None:
    """Four requests at a time that take four turns each tell the same speed as one at a time that takes one."""
    busy = Standing()
    for _ in range(20):
        busy.answered(0.8, 4, 0.0)
    assert busy.expected(0.0) == pytest.approx(measured(0.2).expected(0.0))


def test_the_latest_answers_count_most() -> None:
    """The mean follows a change within a few answers, and a single odd one does not turn it over."""
    standing = measured(0.1)
    standing.answered(1.0, 1, 0.0)
    assert 0.1 < standing.expected(0.0) < 0.5
    for _ in range(10):
        standing.answered(1.0, 1, 0.0)
    assert standing.expected(0.0) == pytest.approx(1.0, abs=0.05)


def test_one_that_was_slow_gets_another_chance() -> None:
    """What was measured long ago counts less, but only of an edge that has nothing to do."""
    slow, quick = measured(1.0), measured(0.3, now=100.0)
    assert slow.expected(1.0) > quick.expected(100.0) > slow.expected(100.0)
    slow.in_flight = 1
    assert slow.expected(100.0) > 1.0


def test_a_health_check_is_believed_until_work_is_measured() -> None:
    """It only says how far away an edge is, so one first request is sent, and no second until that is back."""
    standing = Standing()
    standing.greeted(0.01, 0.0)
    assert not standing.is_measured and standing.expected(0.0) == pytest.approx(0.01)
    standing.in_flight = 1
    assert math.isinf(standing.expected(0.0))
    standing.answered(0.5, 1, 0.0)
    standing.in_flight = 0
    standing.greeted(0.01, 0.0)
    assert standing.is_measured and standing.expected(0.0) == pytest.approx(0.5)


def test_failures_keep_it_away_for_longer_and_longer() -> None:
    """The time grows up to seconds, shrinks after answers, and is never less than the edge asked for."""
    standing = Standing()
    longest = 0.0
    for _ in range(200):
        standing.failed(None, 100.0)
        assert 100.0 <= standing.away_until <= 105.0
        longest = max(longest, standing.away_until)
    assert longest > 102.0
    for _ in range(10):
        standing.answered(0.1, 1, 100.0)
    standing.failed(None, 100.0)
    assert standing.away_until <= 100.2
    standing.failed(7.0, 100.0)
    assert standing.away_until >= 107.0


def test_what_is_overdue() -> None:
    """Quick edges are given seconds, slow ones a multiple of what they take."""
    assert 1.0 < measured(0.01).overdue() < 10.0
    assert measured(10.0).overdue() > 30.0
