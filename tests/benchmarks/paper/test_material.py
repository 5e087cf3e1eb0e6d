"""What the paper's tables are measured on: folders as they come, and clips made here."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.paper.material import COLOUR, frames_of, made, material, planes_of
from mvstylizer.errors import InputError
from mvstylizer.pictures import write_picture
from mvstylizer.video.frame import planes_to_rgb
from tests.scenes import pan, texture, write_scene


def test_any_folder_of_videos_and_photos_will_do(tmp_path: Path) -> None:
    """Wherever in it they lie; each clip gets another style; a folder without one of the two is an error."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("one", "two"):
        write_scene(tmp_path / "a" / f"{name}.mp4", pan(3, 48, 64))
    with pytest.raises(InputError, match="jpg"):
        material(tmp_path)
    for number in range(4):
        write_picture(tmp_path / "a" / "b" / f"{number}.png", np.full((40, 40, 3), 50 * number, np.uint8))
    found = material(tmp_path)
    assert [path.stem for path in found.clips] == ["one", "two"] and found.evaluation is None
    assert [int(found.style(number)[0, 0, 0]) for number in range(2)] == [0, 100]


def test_a_laid_out_folder_is_known(tmp_path: Path) -> None:
    """``eval/clips`` and its neighbours; what is elsewhere in the folder counts for nothing."""
    for folder in ("eval/clips", "eval/styles", "eval/pairs", "train/photos"):
        (tmp_path / folder).mkdir(parents=True)
    write_scene(tmp_path / "eval" / "clips" / "clip.mp4", pan(3, 48, 64))
    write_scene(tmp_path / "other.mp4", pan(3, 48, 64))
    write_picture(tmp_path / "eval" / "styles" / "style.png", texture(40, 40))
    found = material(tmp_path)
    assert [path.name for path in found.clips] == ["clip.mp4"] and len(found.styles) == 1
    assert (found.evaluation, found.photos) == (tmp_path / "eval", tmp_path / "train" / "photos")


def test_a_short_clip_goes_back_and_forth(tmp_path: Path) -> None:
    """Frames have the size that is asked for, and there is no cut where the clip ends."""
    clip = write_scene(tmp_path / "clip.mp4", pan(4, 48, 64))
    frames = frames_of(clip, 32, 24, 8)
    assert [frame.shape for frame in frames] == [(24, 32, 3)] * 8
    for i, j in ((4, 2), (5, 1), (6, 0), (7, 1)):
        np.testing.assert_array_equal(frames[i], frames[j])


def test_planes_are_the_picture() -> None:
    """There and back a smooth picture is the same but for rounding."""
    picture = texture(48, 64, softness=8.0)
    y, u, v = planes_of(picture)
    assert (y.shape, u.shape, v.shape) == ((48, 64), (24, 32), (24, 32))
    again = planes_to_rgb(y, u, v, COLOUR)
    assert np.abs(again.astype(int) - picture).mean() < 3


def test_made_clips_move(tmp_path: Path) -> None:
    """Two clips of the same length and different speed, and photos of different colours."""
    found = made(tmp_path / "made")
    changes = [
        np.abs(np.diff(np.stack(frames_of(path, 160, 80, 9)).astype(int), axis=0)).mean() for path in found.clips
    ]
    assert changes[0] < changes[1]
    assert np.abs(found.style(0).astype(int).mean((0, 1)) - found.style(1).mean((0, 1))).max() > 5
