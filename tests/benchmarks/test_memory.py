"""The memory benchmark, and with it the promise itself on small clips: a long video needs no more than a short one."""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks.memory import Run, measure, peak_bytes, table, write_loop
from mvstylizer.pictures import write_picture
from mvstylizer.video import VideoReader
from tests.scenes import pan, texture, write_scene

MEGABYTES = 2**20


def test_a_loop_repeats_the_clip_at_its_own_rate(tmp_path: Path) -> None:
    """Frames start over where the clip ends, evenly spaced, until the seconds are full."""
    clip = write_scene(tmp_path / "clip.mp4", pan(10, 64, 96, step=4))
    assert write_loop(clip, tmp_path / "loop.mp4", 1.0) == 25
    with VideoReader(tmp_path / "loop.mp4") as reader:
        frames = list(reader)
        assert [frame.pts * reader.info.time_base for frame in frames] == [Fraction(i, 25) for i in range(25)]
    assert np.abs(frames[0].proxy.astype(int) - frames[20].proxy).mean() < 4
    assert np.abs(frames[0].proxy.astype(int) - frames[9].proxy).mean() > 10


def test_the_peak_is_seen_although_it_passes() -> None:
    """Memory that a process had for a moment, and not its parent's, is what counts."""
    moment = "import time; block = bytearray({}); time.sleep(0.3); del block; time.sleep(0.3)"
    little, much = (peak_bytes([sys.executable, "-c", moment.format(size * MEGABYTES)]) for size in (1, 101))
    assert 95 * MEGABYTES < much - little < 105 * MEGABYTES
    assert little < 40 * MEGABYTES


def test_the_table_compares_with_the_first_row() -> None:
    """Lengths, frames, megabytes, and the share of the first run's."""
    lines = list(table([Run(10, 250, 400_000_000), Run(120, 3000, 410_000_000)]))
    assert lines[2:] == ["| 10 s | 250 | 400 MB | 100.0% |", "| 120 s | 3000 | 410 MB | 102.5% |"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path: Path, tiny_release: Path) -> None:
    """Three times as long a video takes at most a tenth more memory, in the command as users run it."""
    clip = write_scene(tmp_path / "clip.mp4", pan(25, 180, 320))
    write_picture(tmp_path / "photo.png", texture(60, 80))
    arguments = ["--style", str(tmp_path / "photo.png"), "--release", str(tiny_release), "--preset", "ultrafast"]
    # The shorter one, too, has more frames than may wait at a time, and time enough for the heap to settle.
    short, long = (measure(clip, seconds, arguments).bytes for seconds in (20.0, 60.0))
    assert 0.9 < long / short < 1.1
