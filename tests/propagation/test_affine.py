"""Propagation `affine`: the fit, the move along the flow, and the fixed-point arithmetic on full-size planes."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mvstylizer.flow import estimator
from mvstylizer.propagation import AffinePropagation, WarpPropagation, propagation
from mvstylizer.propagation.affine import AffineField, fit_affine
from mvstylizer.video import ColourSpace, rgb_to_yuv, yuv_to_rgb
from mvstylizer.video.frame import Planes
from tests.scenes import cropped, pan, texture

COLOUR = ColourSpace("bt709", "limited")
GAIN = np.array([0.7, 1.2, 0.5], np.float32)
OFFSET = np.array([40, -20, 70], np.float32)


def affine() -> AffinePropagation:
    return AffinePropagation(COLOUR, estimator("dis"))


def graded(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A look that is one affine map of YUV for the whole picture, soft enough that nothing is clipped."""
    yuv = rgb_to_yuv(rgb, COLOUR) * GAIN + OFFSET
    return np.clip(np.rint(yuv_to_rgb(yuv, COLOUR)), 0, 255).astype(np.uint8)


def soft(height: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    """A texture whose grade stays inside RGB."""
    return (texture(height, width, seed) // 3 + 80).astype(np.uint8)


def soft_pan(frames: int, height: int, width: int, step: int = 1) -> list[NDArray[np.uint8]]:
    return [(frame // 3 + 80).astype(np.uint8) for frame in pan(frames, height, width, step)]


def full_size(proxy: NDArray[np.uint8]) -> Planes:
    """A frame of twice the proxy's size that shows the same."""
    height, width = proxy.shape[:2]
    y, u, v = np.moveaxis(np.rint(rgb_to_yuv(proxy, COLOUR)).astype(np.uint8), -1, 0)
    return np.asarray(cv2.resize(y, (2 * width, 2 * height)), np.uint8), u.copy(), v.copy()


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.asarray(np.abs(a.astype(np.int64) - b), np.int64)


def field(gain: float, offset: float, shape: tuple[int, int] = (9, 16)) -> AffineField:
    return AffineField(np.full((*shape, 3), gain, np.float32), np.full((*shape, 3), offset, np.float32), COLOUR)


def test_it_is_made_by_its_name() -> None:
    """``affine`` needs key frames at proxy size only."""
    way = propagation("affine", COLOUR, estimator("dis"))
    assert isinstance(way, AffinePropagation)
    assert not way.full_size


@pytest.mark.parametrize("two_sided", [False, True])
def test_a_look_that_is_the_same_everywhere_is_exact(two_sided: bool) -> None:
    """One affine map of YUV is reproduced to within a code value on key frames and between them, planes included."""
    frames = soft_pan(5, 72, 128, step=2)
    way = affine()
    previous, following = (way.key(frames[i], graded(frames[i])) for i in (0, 4))
    looks = [previous.look, *(way.between(f, previous, following if two_sided else None, 0.5) for f in frames[1:4])]
    for frame, look in zip(frames, looks, strict=False):
        # A rounded RGB value is up to half a code off, before and after.
        assert difference(look.on_proxy(frame), graded(frame)).max() <= 2
        planes = full_size(frame)
        for i, (before, after) in enumerate(zip(planes, look.on_planes(planes), strict=True)):
            assert np.abs(after - (before * GAIN[i] + OFFSET[i])).max() <= 1


def test_faint_texture_survives() -> None:
    """The identity changes nothing, in flat places either: faint texture and grain are not smoothed away."""
    grain = np.random.default_rng(0).integers(-4, 5, (72, 128, 3))
    proxy = (128 + grain).astype(np.uint8)
    look = affine().key(proxy, proxy).look
    assert difference(look.on_proxy(proxy), proxy).max() <= 1


def test_noise_in_a_grey_picture_is_not_taken_for_a_look() -> None:
    """Where a whole channel is empty, no large gain is made up from its noise."""
    rng = np.random.default_rng(0)
    frame = np.dstack([texture(72, 128)[..., 0], *(128 + rng.integers(-1, 2, (2, 72, 128)))]).astype(np.float32)
    wanted = frame.copy()
    wanted[..., 1:] += 30 * (frame[..., :1] > 128)  # a split tone
    gain, _ = fit_affine(frame, wanted, 12, 65.0)
    assert np.abs(gain[..., 1:]).max() < 2.5


def test_a_still_scene_keeps_the_key_frames_look() -> None:
    """Where nothing moves, a frame between two equal key frames gets exactly their look."""
    proxy = soft(72, 128)
    way = affine()
    key = way.key(proxy, texture(72, 128, seed=5))
    look = way.between(proxy, key, key, 0.3)
    assert difference(look.on_proxy(proxy), key.look.on_proxy(proxy)).max() <= 1


def test_a_look_moves_with_the_scene() -> None:
    """A local look (one half warm, one half as it was) moves with what it belongs to."""
    world, boundary, shift = texture(72, 160, softness=4), 70, 10
    first, frame = cropped(world, 0, 0, 72, 128), cropped(world, shift, 0, 72, 128)
    warm = first.astype(int)
    warm[:, :boundary] += 30, 0, -30
    way = affine()
    key = way.key(first, np.clip(warm, 0, 255).astype(np.uint8))

    def crossing(look: AffineField) -> int:
        """The first column that is more like the right half than like the left."""
        redness = (look.gain[10:-10, :, 2] * 128 + look.offset[10:-10, :, 2]).mean(0)
        return int(np.argmax(redness < (redness[5:30].mean() + redness[90:110].mean()) / 2))

    assert crossing(key.look) == pytest.approx(boundary, abs=2)
    assert crossing(way.between(frame, key, None, 0.0)) == pytest.approx(boundary - shift, abs=2)


def test_looks_go_over_from_one_side_to_the_other_with_time() -> None:
    """Between key frames of different looks the look goes steadily from the previous to the following."""
    proxy = soft(64, 96)
    way = affine()
    dark, bright = way.key(proxy, proxy - 30), way.key(proxy, proxy + 60)
    levels = [
        float(way.between(proxy, dark, bright, position).on_proxy(proxy).mean() - proxy.mean())
        for position in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert levels == pytest.approx([-30, -7.5, 15, 37.5, 60], abs=1)


def test_the_side_that_agrees_counts_more() -> None:
    """Where one key frame does not show what the frame shows, the other one decides."""
    proxy, other = soft(64, 96), np.full((64, 96, 3), 250, np.uint8)
    way = affine()
    fitting, misleading = way.key(proxy, proxy + 20), way.key(other, other // 4)
    found = way.between(proxy, fitting, misleading, 0.5).on_proxy(proxy)
    assert float(np.abs(found.astype(float) - (proxy + 20)).mean()) < 15


def test_where_flow_fails_the_look_answers_to_the_frames_own_tones() -> None:
    """What the key frames show elsewhere gets the look of its tones: dark becomes warm, bright becomes cold."""

    def split_toned(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        lift = np.tanh((rgb_to_yuv(rgb, COLOUR)[..., :1] - 110) / 25)
        return np.asarray(np.clip(rgb + lift * (-35, 0, 35), 0, 255), np.uint8)

    proxy = np.clip(texture(144, 256) // 6 + 90 + np.linspace(-60, 60, 256)[:, None], 0, 255).astype(np.uint8)
    mirrored = np.ascontiguousarray(proxy[:, ::-1])
    way = affine()
    key = way.key(proxy, split_toned(proxy))
    for following in (key, None):
        found = way.between(mirrored, key, following, 0.5).on_proxy(mirrored)
        # The look of the same place, at the wrong end of the ramp, would be worse than none.
        assert (
            difference(found, split_toned(mirrored)).mean() < 0.7 * difference(mirrored, split_toned(mirrored)).mean()
        )


def test_an_occluder_leaves_no_ghost() -> None:
    """Where an object was in a key frame, its outline is not to be seen in a frame without it: nothing is copied."""
    background = np.tile(np.linspace(60, 190, 160).astype(np.uint8), (90, 1))[..., None].repeat(3, axis=2)
    with_object = background.copy()
    with_object[10:80, 40:150] = (20, 200, 40)
    warped = WarpPropagation(COLOUR, estimator("dis"))

    stylized = with_object.copy()
    stylized[10:80, 40:150] += 50  # the look depends on the object, too

    def steepest(way: AffinePropagation | WarpPropagation, two_sided: bool) -> float:
        """The largest step from pixel to pixel that a look brings into a frame without steps."""
        previous, following = way.key(with_object, stylized), way.key(background, background)
        look = way.between(background, previous, following if two_sided else None, 0.4)
        return float(np.abs(np.diff(look.on_proxy(background).astype(np.int64), axis=1)).max())

    ghost = steepest(warped, two_sided=False)
    assert steepest(affine(), two_sided=True) < 0.15 * ghost
    assert steepest(affine(), two_sided=False) < 0.4 * ghost


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (35, 63), (64, 96), (719, 1279)])
def test_fixed_point_agrees_with_float(size: tuple[int, int]) -> None:
    """On planes of any size, odd ones too, the 16-bit result is within one code value of the same in float."""
    rng = np.random.default_rng(3)
    gain = rng.uniform(-1.5, 4.0, (9, 16, 3)).astype(np.float32)
    offset = rng.uniform(-300, 300, (9, 16, 3)).astype(np.float32)
    height, width = size
    shapes = [(height, width), *[((height + 1) // 2, (width + 1) // 2)] * 2]
    y, u, v = (rng.integers(0, 256, shape, np.uint8) for shape in shapes)
    for i, (before, after) in enumerate(
        zip((y, u, v), AffineField(gain, offset, COLOUR).on_planes((y, u, v)), strict=True)
    ):
        gains, offsets = (
            cv2.resize(f[..., i], before.shape[::-1], interpolation=cv2.INTER_LINEAR) for f in (gain, offset)
        )
        wanted = np.clip(before * gains + offsets, 0, 255)
        assert after.shape == before.shape and after.dtype == np.uint8
        assert np.abs(after - wanted).max() <= 1


def test_gains_and_results_are_clipped_not_wrapped() -> None:
    """Gains beyond ±8 count as ±8, and results outside 0..255 saturate."""
    plane = np.arange(256, dtype=np.uint8).reshape(16, 16)
    values = plane.astype(np.float32)
    cases = [(100.0, 0.0), (-100.0, 255.0), (8.0, -1000.0), (1.0, 1e6), (1.0, -1e6), (-8.0, 2040.0)]
    for gain, offset in cases:
        after = field(gain, offset).on_planes((plane, plane, plane))[0]
        wanted = np.clip(values * np.clip(gain, -8, 8) + offset, 0, 255)
        assert np.abs(after - wanted).max() <= 1


def test_strength_is_a_straight_line_from_the_frame() -> None:
    """At strength s gain and offset are 1 + s(A − 1) and sB; at 1 the look is itself, at 0 it changes no value."""
    rng = np.random.default_rng(0)
    gain, offset = rng.uniform(-1, 3, (9, 16, 3)), rng.uniform(-300, 300, (9, 16, 3))
    look = AffineField(gain.astype(np.float32), offset.astype(np.float32), COLOUR)
    assert look.at(1) is look
    half = look.at(0.5)
    np.testing.assert_allclose(half.gain, (1 + gain) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(half.offset, offset / 2, rtol=1e-5)
    y, u, v = (rng.integers(0, 256, size, np.uint8) for size in ((70, 122), (35, 61), (35, 61)))
    for before, after in zip((y, u, v), look.at(0).on_planes((y, u, v)), strict=True):
        np.testing.assert_array_equal(after, before)
    picture = rng.integers(0, 256, (90, 160, 3), np.uint8)
    np.testing.assert_array_equal(look.at(0).on_proxy(picture), picture)


def test_planes_may_be_read_only_and_padded() -> None:
    """A decoder's planes, read-only with padded rows, are read in place and left as they are."""
    memory = np.random.default_rng(0).integers(0, 256, (20, 64), np.uint8)
    padded = memory[:, :33]
    padded.flags.writeable = False
    before = padded.copy()
    after = field(0.5, 10).on_planes((padded, padded, padded))
    for plane in after:
        assert np.abs(plane - (before * 0.5 + 10)).max() <= 1
        assert not np.shares_memory(plane, memory)
    np.testing.assert_array_equal(padded, before)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 5), (9, 12)])
def test_tiny_proxies_work(shape: tuple[int, int]) -> None:
    """Videos of a few pixels are propagated like any other."""
    proxy = np.random.default_rng(0).integers(60, 190, (*shape, 3), np.uint8)
    way = affine()
    key = way.key(proxy, proxy + 10)
    look = way.between(proxy, key, key, 0.5)
    assert difference(look.on_proxy(proxy), proxy + 10).max() <= 2


def test_another_propagations_key_frames_are_refused() -> None:
    """A key frame of `warp` is a programming error, told as such."""
    proxy = texture(32, 32)
    foreign = WarpPropagation(COLOUR, estimator("dis")).key(proxy, proxy)
    with pytest.raises(TypeError, match="WarpKey"):
        affine().between(proxy, foreign, None, 0.0)
