"""Frames: the arithmetic between planes and RGB, and what libswscale makes of the same."""

from typing import get_args

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.video import ColourSpace, planes_to_rgb, proxy_shape, rgb_to_yuv, upright, yuv_to_rgb
from mvstylizer.video.convert import FrameConverter, plane_array
from mvstylizer.video.frame import Matrix, Range
from tests.clips import Clip, picture

SPACES = [ColourSpace(matrix, kind) for matrix in get_args(Matrix) for kind in get_args(Range)]


def frame_of(planes: list[NDArray[np.uint8]], pixel_format: str) -> av.VideoFrame:
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], pixel_format)
    for target, plane in zip(frame.planes, planes, strict=True):
        plane_array(target)[:] = plane
    return frame


@pytest.mark.parametrize("colour", SPACES, ids=lambda c: f"{c.matrix}-{c.range}")
def test_yuv_and_back_is_the_identity(colour: ColourSpace) -> None:
    """rgb_to_yuv and yuv_to_rgb are inverse to each other for every matrix and range."""
    rgb = np.random.default_rng(1).uniform(0, 255, (9, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(yuv_to_rgb(rgb_to_yuv(rgb, colour), colour), rgb, atol=2e-3)


@pytest.mark.parametrize("colour", SPACES, ids=lambda c: f"{c.matrix}-{c.range}")
def test_black_and_white_have_the_codes_of_the_standard(colour: ColourSpace) -> None:
    """Black is 16 or 0, white 235 or 255, both with neutral chroma."""
    greys = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    low, high = (0, 255) if colour.range == "full" else (16, 235)
    np.testing.assert_allclose(rgb_to_yuv(greys, colour), [[[low, 128, 128], [high, 128, 128]]], atol=1e-3)


@pytest.mark.parametrize("colour", SPACES, ids=lambda c: f"{c.matrix}-{c.range}")
def test_the_proxy_agrees_with_rgb_to_yuv(colour: ColourSpace) -> None:
    """What libswscale makes of YUV is, back in YUV, what went in, within 1.5 code values."""
    yuv = np.rint(rgb_to_yuv(picture(Clip(), 0), colour)).astype(np.uint8)
    decoded = frame_of([yuv[..., channel] for channel in range(3)], "yuv444p")
    _, proxy = FrameConverter(colour, 512).planes_and_proxy(decoded)
    assert np.abs(rgb_to_yuv(proxy, colour) - yuv).max() <= 1.5


@pytest.mark.parametrize("colour", SPACES[:4], ids=lambda c: f"{c.matrix}-{c.range}")
def test_planes_to_rgb_agrees_with_the_proxy(colour: ColourSpace) -> None:
    """The full-size picture of the planes and the unscaled proxy differ by chroma interpolation only."""
    yuv = np.rint(rgb_to_yuv(picture(Clip(), 0), colour)).astype(np.uint8)
    decoded = frame_of([yuv[..., 0], yuv[::2, ::2, 1], yuv[::2, ::2, 2]], "yuv420p")
    planes, proxy = FrameConverter(colour, 512).planes_and_proxy(decoded)
    assert np.abs(planes_to_rgb(*planes, colour).astype(int) - proxy)[2:-2, 2:-2].max() <= 6


def test_grey_has_neutral_chroma_and_a_grey_proxy_of_its_own_range() -> None:
    """Grey luma is read with the stream's range, not as full range, and has no colour."""
    luma = np.tile(np.linspace(16, 235, 64).astype(np.uint8), (48, 1))
    (y, u, v), proxy = FrameConverter(ColourSpace("bt709", "limited"), 64).planes_and_proxy(frame_of([luma], "gray"))
    np.testing.assert_array_equal(y, luma)
    assert (u == 128).all() and (v == 128).all()
    assert proxy[0, 0].tolist() == [0, 0, 0] and proxy[0, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("height", "width", "long_side", "expected"),
    [
        (1080, 1920, 512, (288, 512)),
        (1920, 1080, 512, (512, 288)),
        (63, 95, 512, (63, 95)),
        (4, 4000, 100, (1, 100)),
    ],
)
def test_proxy_shape_keeps_the_aspect(height: int, width: int, long_side: int, expected: tuple[int, int]) -> None:
    """The long side is what was asked for, never more than there is, and no side vanishes."""
    assert proxy_shape(height, width, long_side) == expected


def test_upright_turns_counter_clockwise() -> None:
    """90 degrees bring the right edge to the top."""
    sideways = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert upright(sideways, 90).tolist() == [[2, 5], [1, 4], [0, 3]]
    with pytest.raises(ValueError, match="quarter"):
        upright(sideways, 45)
