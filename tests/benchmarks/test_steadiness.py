"""The steadiness benchmark on scenes whose flicker is known."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.steadiness import MUST, Result, Unsteadiness, background, measure, missed, table, unsteadiness
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError
from tests.scenes import pan, texture

NOISE = 2.0


def still_scene(frames: int = 24, shift: float = 0, noise: float = NOISE) -> list[NDArray[np.uint8]]:
    """A static camera's noise, a bright square that crosses the rows 10 to 30, exposure that falls by ``shift``."""
    world = texture(72, 96).astype(np.float32) * 0.6 + 40
    rng = np.random.default_rng(0)
    pictures = []
    for index in range(frames):
        picture = world + rng.normal(0, noise, world.shape) - shift * index / frames
        picture[10:30, 3 * index : 3 * index + 20] = 250
        pictures.append(np.asarray(np.rint(picture).clip(0, 255), np.uint8))
    return pictures


def everywhere(frames: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    return np.ones(frames[0].shape[:2], np.bool_)


@pytest.mark.parametrize("shift", [0, 30])
def test_the_background_is_half_of_what_does_not_move(shift: float) -> None:
    """No pixel that the square passes, half of the others; a change of exposure is no movement."""
    where = background(still_scene(shift=shift))
    assert not where[10:30, :60].any()
    assert where.mean() == pytest.approx(0.5 * (1 - 20 * 89 / (72 * 96)), abs=0.03)


def test_a_moving_camera_is_refused() -> None:
    """Where hardly a pixel stands still there is no background: an InputError that says so."""
    with pytest.raises(InputError, match="stands still"):
        background(pan(20, 72, 96, step=4))


def test_noise_is_measured_as_it_is() -> None:
    """Of white noise both measures are its standard deviation."""
    rng = np.random.default_rng(0)
    frames = [np.asarray(np.rint(rng.normal(128, 5, (40, 50, 3))), np.uint8) for _ in range(200)]
    found = unsteadiness(frames, everywhere(frames))
    assert found.overall == pytest.approx(5, rel=0.02) and found.fast == pytest.approx(5, rel=0.02)


def test_a_slow_drift_is_no_fast_change() -> None:
    """A brightness that rises evenly has a large deviation, yet hardly changes from frame to frame."""
    frames = [np.full((8, 8, 3), 100 + index, np.uint8) for index in range(60)]
    found = unsteadiness(frames, everywhere(frames))
    assert found.overall == pytest.approx(np.arange(60).std()) and found.fast == pytest.approx(0.5**0.5)


def test_only_the_masked_pixels_count() -> None:
    """What flickers outside of the background is nothing to the measure."""
    frames = [np.full((8, 8, 3), 100, np.uint8) for _ in range(6)]
    for index, frame in enumerate(frames):
        frame[:4] += np.uint8(40 * (index % 2))
    where = everywhere(frames)
    where[:4] = False
    assert unsteadiness(frames, where) == Unsteadiness(0, 0)


def test_a_look_is_compared_with_itself_held_still(tiny_release: Path) -> None:
    """A stylizer that takes its statistics from each frame flickers with the square; its look held still does not."""
    result = measure(still_scene(noise=1.0), texture(60, 80, seed=5), "photo", Engine(tiny_release, threads=1))
    assert result.style == "photo"
    assert 0.5 < result.input.overall < 2
    assert result.held.overall < result.final.overall
    assert result.raw.overall > 0 and result.raw != result.final


def test_the_table_has_both_measures() -> None:
    """A line a style for all deviations, then one for the fast ones."""
    before, after = Unsteadiness(4, 1), Unsteadiness(2, 1.5)
    lines = list(table([Result("photo", before, after, after, before)]))
    assert lines[2] == "| photo | 4.00 | 2.00 | 0.50 | 2.00 | 0.50 | 1.00 | 0.50 | 0.50 |"
    assert lines[3] == "| photo, fast | 1.00 | 1.50 | 1.50 | 1.50 | 1.50 | 1.00 | 1.50 | 1.50 |"


@pytest.mark.parametrize(("ratio", "count"), [(MUST, 0), (MUST + 0.01, 1)])
def test_what_misses_the_must_is_said(ratio: float, count: int) -> None:
    """The must counts for what users see, not for the DNN's own output."""
    before = Unsteadiness(1, 1)
    result = Result("photo", before, Unsteadiness(9, 9), Unsteadiness(ratio, 9), before)
    assert len(missed([result])) == count


def test_a_clip_without_noise_has_no_unsteadiness(tiny_release: Path) -> None:
    """Equal frames give equal pictures, and a table without a division by zero."""
    frames = [texture(60, 80)] * 4
    result = measure(frames, texture(60, 80, seed=5), "photo", Engine(tiny_release, threads=1))
    assert result.raw == result.final == Unsteadiness(0, 0)
    assert "0.00" in list(table([result]))[2]
