"""Before and after side by side, as a viewer sees them, whichever way up the video is stored."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.compare import pictures_side_by_side, side_by_side, side_by_side_info
from mvstylizer.errors import UsageError
from mvstylizer.video import VideoInfo, VideoReader, VideoWriter, upright
from mvstylizer.video.frame import Planes
from tests.clips import Clip, write_clip

Size = tuple[int, int]


def planes(height: int, width: int, luma: int) -> Planes:
    half = (height + 1) // 2, (width + 1) // 2
    return np.full((height, width), luma, np.uint8), np.full(half, 90, np.uint8), np.full(half, 150, np.uint8)


def even(size: int) -> int:
    return size + size % 2


@pytest.fixture
def info(tmp_path: Path) -> VideoInfo:
    """Of a small video, 96x64."""
    with VideoReader(write_clip(tmp_path / "in.mp4", Clip(frames=1))) as reader:
        return reader.info


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(64, 96), (63, 97), (1, 1), (2, 5)])
def test_before_is_left_and_after_right(rotation: int, size: Size) -> None:
    """To a viewer, who turns the picture: twice as wide, before on the left half, after on the right."""
    y, u, v = side_by_side(planes(*size, 40), planes(*size, 200), rotation)
    assert u.shape == v.shape == (y.shape[0] // 2, y.shape[1] // 2)
    assert y.shape[0] % 2 == y.shape[1] % 2 == 0
    seen = upright(y, rotation)
    middle = seen.shape[1] // 2
    assert (seen[:, :middle] == 40).all() and (seen[:, middle:] == 200).all()
    assert (u == 90).all() and (v == 150).all()


def test_a_whole_frame_is_kept() -> None:
    """Each half is the very frame, with the edge repeated where its sizes are odd."""
    noise = np.random.default_rng(1).integers(0, 256, (2, 5, 7), np.uint8)
    chroma = np.zeros((3, 4), np.uint8)
    y, _, _ = side_by_side((noise[0], chroma, chroma), (noise[1], chroma, chroma), 0)
    for half, original in zip((y[:, :8], y[:, 8:]), noise, strict=True):
        np.testing.assert_array_equal(half[:5, :7], original)
        np.testing.assert_array_equal(half[5, :7], original[4])
        np.testing.assert_array_equal(half[:, 7], half[:, 6])


@pytest.mark.parametrize("rotation", [None, 90, 180, 270])
@pytest.mark.parametrize("size", [(64, 96), (63, 97)])
def test_a_comparison_is_a_video(tmp_path: Path, rotation: int | None, size: Size) -> None:
    """Written with the info that goes with the planes it reads back twice as wide, with rotation and pixel shape."""
    pixels = Fraction(4, 3)
    # 4:2:0 has even sizes only.
    clip = Clip(width=size[1], height=size[0], frames=3, rotation=rotation, sample_aspect_ratio=pixels,
                codec="libx264", pixel_format="yuv420p" if size[0] % 2 == 0 else "yuv444p")  # fmt: skip
    source = write_clip(tmp_path / "in.mp4", clip)
    with VideoReader(source) as reader:
        turned = reader.info.rotation
        info = side_by_side_info(reader.info)
        with VideoWriter(tmp_path / "out.mp4", info) as writer:
            for frame in reader:
                before = (frame.y, frame.u, frame.v)
                after = (255 - frame.y, frame.u, frame.v)
                writer.write(side_by_side(before, after, turned), frame.pts)
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert (reader.info.rotation, reader.info.sample_aspect_ratio) == (turned, pixels)
        frame = next(iter(reader))
        seen = upright(frame.y, turned).astype(int)
    assert seen.shape[1] == 2 * (even(size[0]) if turned in (90, 270) else even(size[1]))
    left, right = np.split(seen, 2, axis=1)
    assert np.abs(left + right - 255).mean() < 4


def test_a_turned_picture_is_shifted_as_far_as_it_is_wide(info: VideoInfo) -> None:
    """Cameras write by how much the turned picture has to be moved; to the right it is twice as far."""
    matrix = (0, 65536, 0, -65536, 0, 0, 64 * 65536, 7, 1 << 30)
    turned = replace(info, rotation=90, display_matrix=matrix)
    assert side_by_side_info(turned).display_matrix == (*matrix[:6], 128 * 65536, 7, 1 << 30)
    assert side_by_side_info(info).display_matrix is None


def test_what_is_too_large_is_refused(info: VideoInfo) -> None:
    """No encoder takes pictures of any width."""
    with pytest.raises(UsageError, match=r"17000x64.*--compare"):
        side_by_side_info(replace(info, width=8500))


def test_pictures_stand_side_by_side() -> None:
    """Two pictures become one of twice the width."""
    before, after = np.zeros((5, 7, 3), np.uint8), np.full((5, 7, 3), 9, np.uint8)
    both: NDArray[np.uint8] = pictures_side_by_side(before, after)
    assert both.shape == (5, 14, 3) and (both[:, :7] == 0).all() and (both[:, 7:] == 9).all()
