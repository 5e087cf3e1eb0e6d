"""The measures of steady video, on flicker and pulses of known size."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.footage import Footage
from benchmarks.steady_video import (
    MUST_PULSE,
    MUST_WARP,
    Result,
    gains,
    matched,
    measure,
    missed,
    steps,
    summary,
    table,
)
from mvstylizer.engine import Engine
from mvstylizer.flow import DenseInverseSearch, Flow
from tests.scenes import pan, texture

Clip = list[NDArray[np.uint8]]


def soft_pan(frames: int = 9) -> Clip:
    return [(frame // 2 + 60).astype(np.uint8) for frame in pan(frames, 96, 128)]


def result(frames: Clip, outputs: Clip, keys: list[int]) -> Result:
    return summary("clip", len(keys), steps(frames, outputs, keys, DenseInverseSearch()))


def uniform(x: float, y: float) -> Flow:
    return np.full((40, 60, 2), (x, y), np.float32)


def test_flow_that_comes_back_is_a_match() -> None:
    """A shift there and back matches, one that does not come back does not, nor does an edge of motion."""
    assert matched(uniform(3, 1), uniform(-3, -1)).all()
    assert not matched(uniform(3, 1), uniform(3, 1)).any()
    torn = uniform(0, 0)
    torn[:, 30:] = 8
    assert not matched(torn, -torn)[:, 29:31].any()


def test_the_input_itself_is_as_steady_as_itself() -> None:
    """A result that changes nothing has the input's warping error, and not a single step of its own."""
    frames = soft_pan()
    found = result(frames, frames, [0, 4])
    assert found.warp_ratio == 1 and found.held_ratio == pytest.approx(1, rel=0.02)
    assert (found.at_keys, found.between, found.pulse) == (0, 0, 0)


def test_contrast_is_no_flicker_of_a_look_that_is_held() -> None:
    """A look of twice the contrast has four times the input's error, and as much as the same look held still."""
    frames = soft_pan()
    outputs = [((frame.astype(int) - 125) * 1.8 + 125).clip(0, 255).astype(np.uint8) for frame in frames]
    found = result(frames, outputs, [0, 4])
    assert found.warp_ratio == pytest.approx(1.8**2, rel=0.1)
    assert found.held_ratio == pytest.approx(1, abs=0.06)


def test_flicker_is_measured() -> None:
    """Brightness that goes up and down by 6 from frame to frame is a step of 6, and a larger warping error."""
    frames = soft_pan()
    outputs = [frame + np.uint8(6 * (index % 2)) for index, frame in enumerate(frames)]
    found = result(frames, outputs, [0])
    assert found.warp_ratio > MUST_WARP
    assert found.between == pytest.approx(6, abs=0.1) and found.brightness_between == pytest.approx(6, abs=0.1)


def test_a_pulse_at_key_frames_is_measured() -> None:
    """A look that drifts by 1 a frame and jumps by 8 at key frames has a pulse, by pixel and in brightness."""
    frames = soft_pan(12)
    offsets = np.cumsum([0] + [8 if index % 4 == 0 else 1 for index in range(1, 12)])
    outputs = [frame + np.uint8(offset) for frame, offset in zip(frames, offsets, strict=True)]
    found = result(frames, outputs, [0, 4, 8])
    # Steps into and out of key frames: 1, 8, 1, 8, 1.
    assert found.at_keys == pytest.approx(19 / 5, abs=0.1) and found.between == pytest.approx(1, abs=0.1)
    assert found.pulse == pytest.approx(3.8, rel=0.1) and found.brightness_pulse == pytest.approx(3.8, rel=0.1)


def test_gains_are_local() -> None:
    """A look that doubles contrast on the left and halves it on the right has these gains."""
    frame = (texture(96, 128).astype(float) * 0.4 + 70).astype(np.uint8)
    factor = np.where(np.arange(128) < 64, 1.8, 0.5)[:, None]
    found = gains(frame, np.asarray((frame - 120.0) * factor + 120, np.uint8))
    assert found[:, :40].mean() == pytest.approx(1.8, abs=0.15) and found[:, -40:].mean() == pytest.approx(0.5, abs=0.1)


def test_a_clip_is_measured_as_the_device_shows_it(tiny_release: Path) -> None:
    """Through a release, with the default key frames, every number of the table is there."""
    clip = Footage("pan", soft_pan(20), texture(60, 80, seed=5), Engine(tiny_release, threads=1))
    found = measure(clip, "best")
    assert found.clip == "pan" and found.keys >= 1
    assert found.input > 0 and found.output > 0 and found.held > 0 and found.at_keys > 0
    assert len(list(table([found]))) == 3


def test_what_misses_the_must_is_said() -> None:
    """One line for each bound of each clip that is above it; what contrast alone would do is told beside it."""
    good = Result("good", 3, 1.0, MUST_WARP, 1.0, MUST_PULSE, 1.0, 9.0, 0.1)
    bad = Result("bad", 3, 1.0, MUST_WARP + 0.01, 1.0, MUST_PULSE + 0.01, 1.0, 0.0, 0.0)
    vivid = Result("vivid", 3, 1.0, 2.0, 1.9, 1.0, 1.0, 0.0, 0.0)
    assert missed([good]) == []
    assert [line.split(":")[0] for line in missed([good, bad, vivid])] == ["bad", "bad", "vivid"]
    assert "held still: 1.90" in missed([vivid])[0]
