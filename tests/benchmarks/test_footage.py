"""A benchmark's clips, stylized when asked for."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.footage import Footage, around, chosen, footage, likeness
from mvstylizer.engine import Engine
from mvstylizer.errors import InputError
from mvstylizer.keyframes import KeyFrameSelector
from mvstylizer.pictures import write_picture
from tests.scenes import pan, texture, write_scene


@pytest.mark.parametrize(("index", "found"), [(0, (0, 4)), (3, (0, 4)), (4, (4, 9)), (9, (9, None)), (11, (9, None))])
def test_key_frames_around_a_frame(index: int, found: tuple[int, int | None]) -> None:
    """The last one up to the frame and the first after it; none after the last."""
    assert around(index, [0, 4, 9]) == found


def test_key_frames_are_the_selectors() -> None:
    """Frames are shown to a selector in order, each once."""
    assert chosen(pan(10, 36, 64), KeyFrameSelector("interval", 4)) == [0, 4, 8]
    assert chosen(pan(10, 36, 64), KeyFrameSelector("codec"), codec_keys={3, 7}) == [0, 3, 7]


def test_another_flow_shares_what_the_dnn_made(tiny_release: Path) -> None:
    """Stylized frames are made once for all estimators; what is propagated differs, and the first keeps its own."""
    first = Footage("pan", pan(7, 96, 128, step=4), texture(60, 80, seed=5), Engine(tiny_release, threads=1))
    second = first.with_flow("farneback")
    assert second.stylized(2) is first.stylized(2) and (first.flow, second.flow) == ("dis", "farneback")
    shown = [clip.shown(3, [0, 6]) for clip in (first, second)]
    assert not np.array_equal(shown[0], shown[1]) and np.array_equal(shown[0], first.shown(3, [0, 6]))


def test_what_is_shown_of_a_key_frame_is_the_whole_path(tiny_release: Path) -> None:
    """At key frames nothing is lost; between them, on one side too, little; and frames are stylized once."""
    clip = Footage("pan", pan(7, 192, 256), texture(60, 80, seed=5), Engine(tiny_release, threads=1))
    assert likeness(clip.shown(3, [0, 3]), clip.path_luma(3)) == pytest.approx(1)
    assert 0.9 < likeness(clip.shown(1, [0, 3]), clip.path_luma(1)) < 1
    assert 0.9 < likeness(clip.shown(6, [0, 3]), clip.path_luma(6)) < 1
    assert clip.stylized(2) is clip.stylized(2)


def test_each_clip_gets_a_photo(tmp_path: Path, tiny_release: Path) -> None:
    """The clips of a folder by name, so many frames of each, each in a style of its own."""
    write_scene(tmp_path / "b.mp4", pan(5, 64, 96))
    write_scene(tmp_path / "a.mp4", pan(9, 64, 96))
    for number in range(12):
        write_picture(tmp_path / f"{number:02}.jpg", np.full((20, 30, 3), 20 * number, np.uint8))
    found = list(footage(tmp_path, tmp_path, Engine(tiny_release, threads=1), frames=6))
    assert [(clip.name, len(clip.frames)) for clip in found] == [("a", 6), ("b", 5)]
    assert found[1].stylized(0).mean() > found[0].stylized(0).mean() + 10
    with pytest.raises(InputError, match="no clips"):
        next(footage(tmp_path / "nothing", tmp_path, Engine(tiny_release, threads=1), frames=6))
