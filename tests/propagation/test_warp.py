"""Propagation `warp`, the paper's Algorithm 1."""

import cv2
import numpy as np
import pytest

from mvstylizer.flow import estimator
from mvstylizer.propagation import AffinePropagation, WarpPropagation, propagation
from mvstylizer.video import ColourSpace, planes_to_rgb, rgb_to_yuv
from tests.scenes import pan, texture

COLOUR = ColourSpace("bt709", "limited")


def warp() -> WarpPropagation:
    return WarpPropagation(COLOUR, estimator("dis"))


def test_it_is_made_by_its_name() -> None:
    """``warp`` is Algorithm 1, which needs key frames at full size."""
    way = propagation("warp", COLOUR, estimator("dis"))
    assert isinstance(way, WarpPropagation)
    assert way.full_size


def test_a_still_scene_keeps_the_stylized_key_frame() -> None:
    """Where nothing moves, every frame is the stylized key frame itself."""
    proxy, stylized = texture(64, 96), texture(64, 96, seed=2)
    way = warp()
    key = way.key(proxy, stylized)
    look = way.between(proxy, key, None, 0.0)
    assert np.abs(look.on_proxy(proxy).astype(int) - stylized).max() <= 2
    np.testing.assert_array_equal(key.look.on_proxy(proxy), stylized)


def test_stylized_pixels_move_with_the_scene() -> None:
    """Where the scene moves by so many pixels, the stylized key frame moves with it."""
    first, *_, last = pan(5, 64, 96)
    stylized = 255 - first
    way = warp()
    found = way.between(last, way.key(first, stylized), None, 0.0).on_proxy(last)
    wanted = 255 - last
    inside = np.s_[8:-8, 8:-12]
    assert np.abs(found.astype(int) - wanted)[inside].mean() < 2
    assert np.abs(stylized.astype(int) - wanted)[inside].mean() > 10


@pytest.mark.parametrize("position", [0.0, 0.5, 1.0])
def test_the_following_key_frame_is_never_used(position: float) -> None:
    """Algorithm 1 looks back only: a following key frame changes nothing."""
    first, frame, following = pan(3, 64, 96)
    way = warp()
    previous, other = way.key(first, 255 - first), way.key(following, np.zeros_like(following))
    alone = way.between(frame, previous, None, 0.0).on_proxy(frame)
    np.testing.assert_array_equal(way.between(frame, previous, other, position).on_proxy(frame), alone)


def test_flow_of_proxies_moves_full_size_key_frames() -> None:
    """Key frames are stylized at full size: flow found on proxies is scaled up, and full-size planes come out."""
    scale = 3
    large = pan(3, 180, 300, step=2 * scale, seed=3)
    first, frame = (np.asarray(cv2.GaussianBlur(p, (0, 0), 3), np.uint8) for p in (large[0], large[2]))
    small_first, small = (
        np.asarray(cv2.resize(p, (100, 60), interpolation=cv2.INTER_AREA), np.uint8) for p in (first, frame)
    )
    way = warp()
    look = way.between(small, way.key(small_first, 255 - first), None, 0.0)
    half = np.zeros((90, 150), np.uint8)
    y, u, v = look.on_planes((np.zeros((180, 300), np.uint8), half, half))
    assert (y.shape, u.shape, v.shape) == ((180, 300), (90, 150), (90, 150))
    wanted = rgb_to_yuv(255 - frame, COLOUR)
    inside = np.s_[20:-20, 20:-40]
    assert np.abs(y - wanted[..., 0])[inside].mean() < 2
    assert np.abs(planes_to_rgb(y, u, v, COLOUR).astype(int) - (255 - frame))[inside].mean() < 5


def test_sizes_that_do_not_divide_are_met() -> None:
    """A key frame stylized to a rounded size still fills planes of the frame's exact, odd size."""
    proxy = texture(17, 31)
    way = warp()
    key = way.key(proxy, texture(34, 61, seed=2))
    planes = np.zeros((35, 63), np.uint8), np.zeros((18, 32), np.uint8), np.zeros((18, 32), np.uint8)
    for look in (key.look, way.between(proxy, key, None, 0.0)):
        assert [plane.shape for plane in look.on_planes(planes)] == [(35, 63), (18, 32), (18, 32)]


def test_strength_lays_the_picture_over_the_frame() -> None:
    """Pixels lie on a straight line from the frame's own to the picture's: neither moves at strength 0 or 1."""
    proxy, stylized = texture(34, 62), texture(34, 62, seed=2)
    look = warp().key(proxy, stylized).look
    rng = np.random.default_rng(0)
    y, u, v = (rng.integers(0, 256, size, np.uint8) for size in ((34, 62), (17, 31), (17, 31)))
    planes = y, u, v
    whole = look.on_planes(planes)
    for strength in (0.0, 0.3, 0.5, 1.0):
        weaker = look.at(strength)
        found = [*weaker.on_planes(planes), weaker.on_proxy(proxy)]
        for frame, full, value in zip((*planes, proxy), (*whole, stylized), found, strict=True):
            wanted = strength * full.astype(float) + (1 - strength) * frame
            assert np.abs(value - wanted).max() <= (0 if strength in (0, 1) else 0.51)


def test_tiny_proxies_work() -> None:
    """A single pixel can be propagated."""
    proxy = np.full((1, 1, 3), 90, np.uint8)
    way = warp()
    look = way.between(proxy, way.key(proxy, proxy + 7), None, 0.0)
    np.testing.assert_array_equal(look.on_proxy(proxy), proxy + 7)


def test_another_propagations_key_frames_are_refused() -> None:
    """A key frame of `affine` is a programming error, told as such."""
    proxy = texture(32, 32)
    foreign = AffinePropagation(COLOUR, estimator("dis")).key(proxy, proxy)
    with pytest.raises(TypeError, match="AffineKey"):
        warp().between(proxy, foreign, None, 0.0)
