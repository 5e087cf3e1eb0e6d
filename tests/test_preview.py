"""One frame before and after, as a viewer sees it."""

from concurrent.futures import Future
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mvstylizer.device import DeviceOptions, Picture, stylize_video
from mvstylizer.engine import Engine, LocalStylizer
from mvstylizer.errors import UsageError
from mvstylizer.preview import Preview, preview_video
from mvstylizer.styles import Style
from mvstylizer.video import VideoReader, planes_to_rgb
from tests.clips import Clip, write_clip
from tests.scenes import texture

STYLE = Style.of_photo(texture(20, 20))
CLIP = Clip(frames=50)


class Darkening:
    """A stylizer that halves every value, and counts what it is asked."""

    def __init__(self) -> None:
        self.styles: list[Style] = []
        self.asked = 0

    @property
    def identity(self) -> str:
        return "darkening"

    def set_style(self, style: Style) -> None:
        self.styles.append(style)

    def submit(self, proxy: Picture, r: float = 1.0) -> Future[Picture]:
        self.asked += 1
        height, width = (round(side * r) for side in proxy.shape[:2])
        answer: Future[Picture] = Future()
        answer.set_result(np.full((height, width, 3), 60, np.uint8) if r != 1 else proxy // 2)
        return answer

    def close(self) -> None:
        pass


def test_one_frame_is_stylized(tmp_path: Path) -> None:
    """Before is the very frame of that time, after is what the stylizer makes of it; it is asked once."""
    source = write_clip(tmp_path / "in.mp4", CLIP)
    stylizer = Darkening()
    preview = preview_video(source, STYLE, stylizer, Fraction(3, 2))
    assert (stylizer.asked, stylizer.styles, preview.seconds) == (1, [STYLE], 1.48 if preview.seconds < 1.5 else 1.5)
    with VideoReader(source) as reader:
        frame = [frame for frame in reader if frame.pts * reader.info.time_base <= Fraction(3, 2)][-1]
        wanted = planes_to_rgb(frame.y, frame.u, frame.v, reader.info.colour)
    np.testing.assert_array_equal(preview.before, wanted)
    assert np.abs(preview.after.astype(int) - wanted // 2).mean() < 4


@pytest.mark.parametrize("way", ["affine", "warp"])
def test_it_is_what_the_video_would_show(tmp_path: Path, tiny_release: Path, way: str) -> None:
    """But for the encoder, the frame is the one that the whole video has at that time."""
    source = write_clip(tmp_path / "in.mp4", CLIP)
    options = DeviceOptions(propagation="warp" if way == "warp" else "affine", interval=1, crf=1)
    stylizer = LocalStylizer(Engine(tiny_release))
    try:
        preview = preview_video(source, STYLE, stylizer, Fraction(1), options)
        stylize_video(source, STYLE, tmp_path / "out.mp4", stylizer, options)
    finally:
        stylizer.close()
    with VideoReader(tmp_path / "out.mp4") as reader:
        frame = list(reader)[25]
        shown = planes_to_rgb(frame.y, frame.u, frame.v, reader.info.colour)
    assert np.abs(preview.after.astype(int) - shown).mean() < 1.5
    assert np.abs(preview.before.astype(int) - shown).mean() > 5


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("pixels", [None, Fraction(2), Fraction(1, 2)])
def test_a_viewer_sees_it_upright(tmp_path: Path, rotation: int, pixels: Fraction | None) -> None:
    """Turned as players turn it, and enlarged along one side so that pixels are square."""
    clip = replace(CLIP, rotation=rotation, sample_aspect_ratio=pixels, width=96, height=64)
    preview = preview_video(write_clip(tmp_path / "in.mp4", clip), STYLE, Darkening())
    height, width = 64 * (2 if pixels == Fraction(1, 2) else 1), 96 * (2 if pixels == 2 else 1)
    expected = (height, width) if rotation % 180 == 0 else (width, height)
    assert preview.before.shape == preview.after.shape == (*expected, 3)
    plain = preview_video(write_clip(tmp_path / "plain.mp4", CLIP), STYLE, Darkening()).before.astype(int)
    with VideoReader(tmp_path / "in.mp4") as reader:
        turned = np.rot90(plain, reader.info.rotation // 90)
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    for row, column in corners:
        assert np.abs(preview.before[row, column].astype(int) - turned[row, column]).max() < 12


def test_both_stand_side_by_side() -> None:
    """Before on the left, after on the right, white between."""
    both = Preview(np.zeros((10, 300, 3), np.uint8), np.full((10, 300, 3), 9, np.uint8), 0.0).side_by_side()
    assert both.shape == (10, 603, 3)
    assert (both[:, :300] == 0).all() and (both[:, 300:303] == 255).all() and (both[:, 303:] == 9).all()


def test_a_time_after_the_end_costs_no_work(tmp_path: Path) -> None:
    """The stylizer hears nothing of a frame that is not there."""
    stylizer = Darkening()
    with pytest.raises(UsageError, match="over"):
        preview_video(write_clip(tmp_path / "in.mp4", CLIP), STYLE, stylizer, Fraction(3))
    assert (stylizer.asked, stylizer.styles) == (0, [])
