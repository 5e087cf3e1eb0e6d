"""The contact sheet: before, after, and the style photo, from videos of any length."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mvstylizer.demo.contact_sheet import contact_sheet
from mvstylizer.errors import InputError, OutputError


def write_video(path: Path, levels: list[int], size: tuple[int, int] = (160, 90)) -> Path:
    """Write a video at 10 frames a second, each frame of one grey level."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "10"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for index, level in enumerate(levels):
            picture = np.full((size[1], size[0], 3), level, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def style(tmp_path: Path) -> Path:
    path = tmp_path / "style.png"
    Image.new("RGB", (300, 200), (20, 40, 200)).save(path)
    return path


def test_sheet_shows_frames_at_equal_times(tmp_path: Path, style: Path) -> None:
    """Each column shows both videos at the same time, a row each, and the style photo stands beside them."""
    before = write_video(tmp_path / "a.mp4", [20 * index for index in range(10)])
    after = write_video(tmp_path / "b.mp4", [255 - 20 * index for index in range(10)])
    output = contact_sheet(before, after, style, tmp_path / "sheet.png", columns=2)
    with Image.open(output) as opened:
        sheet = np.asarray(opened.convert("RGB"), np.int32)
    assert sheet.shape == (2 * 28 + 2 * 90 + 2 * 34 + 10, 2 * 28 + 2 * 170 + 20 + 337, 3)[:1] + sheet.shape[1:]
    rows = [28 + 34 + 45, 28 + 34 + 90 + 10 + 34 + 45]
    shown = [[int(sheet[row, 28 + 80 + 170 * column, 1]) for column in range(2)] for row in rows]
    assert shown[0] == pytest.approx([60, 160], abs=6)
    assert shown[1] == pytest.approx([195, 95], abs=6)
    is_style = np.abs(sheet - (20, 40, 200)).max(axis=2) == 0
    assert is_style[28 + 34 : -28, -28 - 336 : -28].all()
    assert is_style.sum() == 224 * 336


def test_a_shorter_result_fills_its_row(tmp_path: Path, style: Path) -> None:
    """Where one video ends early its last frame is shown again, and nothing fails."""
    before = write_video(tmp_path / "a.mp4", [100] * 10)
    after = write_video(tmp_path / "b.mp4", [200] * 3)
    with Image.open(contact_sheet(before, after, style, tmp_path / "sheet.png")) as sheet:
        assert sheet.getpixel((28 + 3 * 170 + 80, 28 + 34 + 90 + 10 + 34 + 45)) == pytest.approx((200,) * 3, abs=4)


def test_a_style_that_is_no_picture_is_an_input_error(tmp_path: Path) -> None:
    """What cannot be read is named."""
    video = write_video(tmp_path / "a.mp4", [100] * 3)
    (tmp_path / "style.png").write_text("no picture")
    with pytest.raises(InputError, match=r"style\.png: not a picture"):
        contact_sheet(video, video, tmp_path / "style.png", tmp_path / "sheet.png")


def test_an_unwritable_sheet_is_an_output_error(tmp_path: Path, style: Path) -> None:
    """A place that cannot be written to is told in one line."""
    video = write_video(tmp_path / "a.mp4", [100] * 3)
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(OutputError, match="is a directory"):
        contact_sheet(video, video, style, tmp_path / "sheet.png")
