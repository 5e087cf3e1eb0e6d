"""A look as a bilateral grid: what it can express, and that it answers to each frame's own luma."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.propagation.grid import LookGrid, fit_grid
from tests.scenes import texture

Field = NDArray[np.float32]
SIZE = 72, 128


def scene(seed: int = 1, size: tuple[int, int] = SIZE) -> Field:
    """YUV code values of soft blotches, none of them near black or white."""
    return np.asarray(texture(*size, seed, softness=4) * 0.6 + 50, np.float32)


def curved(frame: Field) -> Field:
    """A tone curve: a bend of luma, colours as they were."""
    y = frame[..., :1] / 255
    return np.asarray(np.concatenate([255 * (y + 0.25 * np.sin(2 * np.pi * y)), frame[..., 1:]], -1), np.float32)


def largest(a: Field, b: Field) -> float:
    return float(np.abs(a - b).max())


def test_a_map_of_colours_is_met() -> None:
    """One affine map for the whole picture, channels mixed, is reproduced to a code value."""
    frame = scene()
    mix = np.array([[0.8, 0.1, 0.0], [0.1, 1.2, -0.1], [0.0, 0.2, 0.7]], np.float32)
    wanted = np.asarray(frame @ mix + np.array([20, -15, 25], np.float32), np.float32)
    assert largest(fit_grid(frame, wanted).on_yuv(frame), wanted) < 1


def test_a_curve_of_tones_is_met() -> None:
    """A tone curve is nearly met, since each step of luma has a map of its own."""
    frame = scene()
    assert np.abs(fit_grid(frame, curved(frame)).on_yuv(frame) - curved(frame)).mean() < 1.5


def test_a_look_may_differ_from_place_to_place() -> None:
    """Left half brighter, right half darker: away from the boundary both are met."""
    frame = scene()
    wanted = frame.copy()
    wanted[:, :64, 0] += 25
    wanted[:, 64:, 0] -= 25
    found = fit_grid(frame, wanted).on_yuv(frame)
    assert np.abs(found - wanted)[:, :48].mean() < 3 and np.abs(found - wanted)[:, 80:].mean() < 3


def test_it_answers_to_the_frames_own_luma() -> None:
    """A grid fitted to one scene gives its tone curve to quite another: no flow, and nothing of the first is seen."""
    grid = fit_grid(scene(1), curved(scene(1)))
    other = scene(2)
    assert np.abs(grid.on_yuv(other) - curved(other)).mean() < 3
    assert np.abs(other - curved(other)).mean() > 8


def test_a_grid_moves_to_another_in_a_straight_line() -> None:
    """At 0 it is itself, at 1 the other, and halfway the mean of what both make."""
    frame = scene()
    plain, bright = fit_grid(frame, frame), fit_grid(frame, np.asarray(frame + np.float32(40), np.float32))
    ends = plain.on_yuv(frame), bright.on_yuv(frame)
    for share, wanted in ((0.0, ends[0]), (0.5, (ends[0] + ends[1]) / 2), (1.0, ends[1])):
        assert largest(plain.towards(bright, share).on_yuv(frame), np.asarray(wanted, np.float32)) < 0.01


def test_interpolation_is_trilinear() -> None:
    """Values of random grids are those of a plain loop over bins, each scaled up bilinearly."""
    maps = np.random.default_rng(0).normal(0, 1, (5, 4, 7, 4, 3)).astype(np.float32)
    frame = scene(size=(33, 50))
    known = np.dstack([frame, np.full((33, 50), 255, np.float32)])
    step = frame[..., 0] / 255 * 4
    wanted = np.zeros_like(frame)
    for number, each in enumerate(maps):
        planes = [
            cv2.resize(plane, (50, 33), interpolation=cv2.INTER_LINEAR)
            for plane in each.reshape(4, 7, 12).T.swapaxes(1, 2)
        ]
        scaled = np.stack(planes, -1).reshape(33, 50, 4, 3)
        wanted += np.clip(1 - np.abs(step - number), 0, 1)[..., None] * np.einsum("hwij,hwi->hwj", scaled, known)
    # OpenCV's remap knows 32 places between two pixels, its resize all of them.
    np.testing.assert_allclose(LookGrid(maps).on_yuv(frame), wanted, atol=0.02 * np.abs(known).sum(-1).max())


def test_noise_in_a_grey_picture_is_not_taken_for_a_look() -> None:
    """Where colours are empty but for noise, no brightness is made out of them."""
    rng = np.random.default_rng(0)
    frame = np.dstack([scene()[..., 0], *(128 + rng.normal(0, 0.5, (2, *SIZE)))]).astype(np.float32)
    wanted = np.asarray(frame * np.array([0.8, 1, 1], np.float32) + np.array([30, 20, 0], np.float32), np.float32)
    coloured = frame + np.array([0, 20, 0], np.float32)
    off = fit_grid(frame, wanted).on_yuv(np.asarray(coloured, np.float32))[..., 0] - wanted[..., 0]
    assert np.abs(off).mean() < 10


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (2, 3), (5, 5), (33, 31)])
def test_tiny_pictures_have_a_grid(size: tuple[int, int]) -> None:
    """However small a picture, a shift of brightness is found."""
    frame = scene(size=size)
    wanted = np.asarray(frame + np.array([30, 0, 0], np.float32), np.float32)
    assert largest(fit_grid(frame, wanted).on_yuv(frame), wanted) < 1.5


@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_are_the_ends_of_a_grid(level: int) -> None:
    """A picture of nothing but one extreme is met, and the other extreme gets no wild value."""
    frame = np.full((*SIZE, 3), 128, np.float32)
    frame[..., 0] = level
    wanted = np.asarray(frame * np.array([0.8, 1, 1], np.float32) + np.array([20, 0, 0], np.float32), np.float32)
    grid = fit_grid(frame, wanted)
    assert largest(grid.on_yuv(frame), wanted) < 1
    assert np.abs(grid.on_yuv(np.asarray(255 - frame, np.float32))).max() < 400
