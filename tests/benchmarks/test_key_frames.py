"""The benchmark of adaptive key frames, on settings whose outcome is known."""

from pathlib import Path

import pytest

from benchmarks.footage import Footage
from benchmarks.key_frames import (
    Clip,
    Setting,
    clip_table,
    error_changes,
    measure,
    missed,
    saved,
    selector,
    table,
    verdict,
)
from mvstylizer.engine import Engine
from mvstylizer.keyframes import ERROR_BUDGET
from tests.scenes import pan, texture

FIXED = [
    Setting(4, None, (Clip("a", 100, (0.01, 0.03)), Clip("b", 100, (0.00, 0.0)))),
    Setting(8, None, (Clip("a", 50, (0.04, 0.04)), Clip("b", 50, (0.04, 0.04)))),
]


def adaptive(keys: int, error: float, budget: float = 0.08) -> Setting:
    return Setting(None, budget, (Clip("a", keys, (error, error)), Clip("b", 0, (error, error))))


def test_errors_are_averaged_over_clips() -> None:
    """A setting's error is the mean of its clips', its key frames are their sum, its worst clip is named."""
    assert FIXED[0].error == pytest.approx(0.01) and FIXED[0].keys == 200
    assert FIXED[0].worst.name == "a"
    assert FIXED[0].worst_twentieth == pytest.approx(0.03, abs=0.004)


@pytest.mark.parametrize(("keys", "error", "share"), [(150, 0.01, 0.25), (75, 0.04, 0.25), (100, 0.02, 0.293)])
def test_key_frames_saved_are_those_of_the_same_quality(keys: int, error: float, share: float) -> None:
    """Against fixed intervals of the same error; between two measured, both on logarithmic scales."""
    assert saved(adaptive(keys, error), FIXED) == pytest.approx(share, abs=1e-3)


@pytest.mark.parametrize("error", [0.009, 0.041, 0.0])
def test_nothing_is_said_beyond_what_was_measured(error: float) -> None:
    """Better or worse than every fixed interval: no number is made up."""
    assert saved(adaptive(1, error), FIXED) is None
    assert missed([*FIXED, adaptive(1, error)]) == []


def test_errors_are_compared_with_those_of_as_many() -> None:
    """Fixed intervals of 200 and 100 key frames err by 0.01 and 0.04, so 141 by 0.02; beyond them nothing is said."""
    mean, worst = error_changes(adaptive(141, 0.01), FIXED)
    assert mean == pytest.approx(-0.5, abs=0.01) and worst is not None and -0.8 < worst < -0.6
    assert error_changes(adaptive(99, 0.01), FIXED) == error_changes(adaptive(201, 0.01), FIXED) == (None, None)


@pytest.mark.parametrize(("keys", "error", "count"), [(149, 0.01, 0), (160, 0.0101, 0), (200, 0.0101, 1)])
def test_what_misses_the_must_is_said(keys: int, error: float, count: int) -> None:
    """A default that neither saves a quarter nor does better with as many gets a line; others are information."""
    other = adaptive(200, 0.0101, budget=0.02)
    assert len(missed([*FIXED, adaptive(keys, error), other])) == count


def test_tables_have_a_line_a_setting_and_a_line_a_clip() -> None:
    """The default is marked, its saving told, and its clips stand beside the fixed interval nearest in number."""
    settings = [*FIXED, adaptive(120, 0.01, ERROR_BUDGET["balanced"])]
    lines = list(table(settings))
    assert len(lines) == 5
    assert lines[-1].startswith("| adaptive 0.08 **default** | 120 | 0.99000 |") and lines[-1].split(" | ")[5] == "40%"
    assert "same quality -40%; error with as many -64%" in verdict(settings)
    by_clip = list(clip_table(settings))
    assert len(by_clip) == 4 and "every 8" in by_clip[0]
    assert by_clip[2] == "| a | 50 | 0.9600 | 120 | 0.9900 |"


def test_a_clip_is_measured_with_its_key_frames(tiny_release: Path) -> None:
    """More key frames, less error; all frames key frames, none at all."""
    clip = Footage("pan", pan(16, 96, 128, step=3), texture(60, 80, seed=5), Engine(tiny_release, threads=1))
    few, more, all_of_them = (measure(clip, range(0, 16, step), 2) for step in (15, 5, 1))
    assert sum(few.errors) > sum(more.errors) > 0 == sum(all_of_them.errors)
    assert (few.keys, more.keys, all_of_them.keys, len(few.errors)) == (2, 4, 16, 8)


def test_selectors_are_the_products() -> None:
    """A fixed interval, or adaptive with a budget: a vanishing one makes every frame of a pan a key frame."""
    frames = pan(6, 96, 128, step=3)
    by_interval, by_budget = selector(4, None), selector(None, 1e-9)
    assert [by_interval.decide(frame, False).is_key for frame in frames] == [True, False, False, False, True, False]
    assert all(by_budget.decide(frame, False).is_key for frame in frames)
