"""One frame of a video by its time: the right one, whether the file can be sought in or not."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mvstylizer.errors import InputError, UsageError
from mvstylizer.video import Frame, VideoReader
from mvstylizer.video import still as module
from mvstylizer.video.still import still
from tests.clips import Clip, write_clip

LONG = Clip(frames=120, options={"preset": "veryfast", "crf": "12", "g": "20", "bf": "2"})


def shown_at(path: Path, seconds: Fraction, begin: Fraction = Fraction(0)) -> Frame:
    """The frame that is shown at a time, found by reading everything."""
    with VideoReader(path) as reader:
        frames = list(reader)
        times = [frame.pts * reader.info.time_base - begin for frame in frames]
    return [frame for frame, time in zip(frames, times, strict=True) if time <= seconds or frame is frames[0]][-1]


def assert_same(found: Frame, wanted: Frame) -> None:
    assert found.pts == wanted.pts
    for plane in ("y", "u", "v", "proxy"):
        np.testing.assert_array_equal(getattr(found, plane), getattr(wanted, plane))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts", ".avi"])
def test_the_frame_of_a_time_is_found(tmp_path: Path, suffix: str) -> None:
    """Pixel for pixel what reading everything gives, also between frames and just at one."""
    path = write_clip(
        tmp_path / f"in{suffix}", replace(LONG, time_base=Fraction(1, 25 if suffix == ".avi" else 12_800))
    )
    begin = Fraction(0)
    if suffix == ".ts":
        with VideoReader(path) as reader:
            begin = next(iter(reader)).pts * reader.info.time_base
    for seconds in (Fraction(0), Fraction(1, 2), Fraction(3), Fraction(333, 100), Fraction(479, 100)):
        assert_same(still(path, seconds)[1], shown_at(path, seconds, begin))


def test_it_is_sought_and_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file can be sought in, nobody reads from its start, however late the frame comes."""
    path = write_clip(tmp_path / "in.mp4", LONG)
    wanted = shown_at(path, Fraction(4))
    monkeypatch.delattr(module, "_read_until")
    assert_same(still(path, Fraction(4))[1], wanted)


def test_the_middle_is_the_default(tmp_path: Path) -> None:
    """Without a time it is the frame in the middle."""
    path = write_clip(tmp_path / "in.mp4", LONG)
    assert still(path, None)[1].pts == 60 * 512


def test_times_count_as_players_do(tmp_path: Path) -> None:
    """A picture that begins after the sound is shown at its own time, and before that its first frame is."""
    clip = replace(LONG, start=12_800, sounds=("aac",))
    path = write_clip(tmp_path / "in.mp4", clip)
    with VideoReader(path) as reader:
        first = next(iter(reader)).pts
    assert still(path, Fraction(1, 5))[1].pts == first
    with_sound = still(path, Fraction(5, 2))[1].pts * Fraction(1, 12_800)
    assert Fraction(5, 2) - Fraction(1, 25) < with_sound <= Fraction(5, 2) or first == 0


def test_variable_rates_are_exact(tmp_path: Path) -> None:
    """A frame that stands for long is the one shown all that time."""
    times = [0, 1000, 2000, 30_000, 60_000, 61_000]
    path = write_clip(tmp_path / "in.mp4", replace(LONG, frames=len(times), pts=times, last_duration=1000))
    for seconds, pts in ((Fraction(2), 2000), (Fraction(30_000, 12_800), 30_000), (Fraction(45, 10), 30_000)):
        assert still(path, seconds)[1].pts == pts


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize("seconds", ["4.9", "6", "1000000"])
def test_a_time_after_the_end_is_refused(tmp_path: Path, suffix: str, seconds: str) -> None:
    """The error says when the video is over, and that time is possible."""
    clip = replace(LONG, time_base=Fraction(1, 25 if suffix == ".avi" else 12_800))
    path = write_clip(tmp_path / f"in{suffix}", clip)
    with pytest.raises(UsageError, match=r"is over at 4\.8\d* s") as refusal:
        still(path, Fraction(seconds))
    assert seconds.lstrip("0") in str(refusal.value) or "1e+06" in str(refusal.value)
    assert still(path, Fraction("4.8"))[1].pts > 0


def test_one_frame_is_enough(tmp_path: Path) -> None:
    """A video of a single frame has a still, with and without a time."""
    path = write_clip(tmp_path / "in.mp4", replace(LONG, frames=1))
    assert still(path, None)[1].pts == still(path, Fraction(0))[1].pts == 0


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    """As when it is read."""
    (tmp_path / "in.mp4").write_text("not a video")
    with pytest.raises(InputError, match=r"in\.mp4"):
        still(tmp_path / "in.mp4", Fraction(1))
