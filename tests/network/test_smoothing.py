"""Meta-smoothing: one kernel for every real factor r (Eqs. 3 and 4)."""

import pytest
import torch
from torch.nn import functional as F

from mvstylizer.network.smoothing import MetaSmoothing, resample, triangle_weights
from mvstylizer.release import output_shape
from tests.networks import smooth_picture

FACTORS = (0.3, 0.5, 1.0, 1.7, 2.0, 3.75)


@pytest.fixture
def smoothing() -> MetaSmoothing:
    """Kernels as training may leave them."""
    torch.manual_seed(0)
    smoothing = MetaSmoothing()
    with torch.no_grad():
        for parameter in smoothing.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return smoothing.requires_grad_(False)


def test_untrained_it_changes_nothing() -> None:
    """Both kernels start as the identity."""
    picture = smooth_picture(17, 23)
    torch.testing.assert_close(MetaSmoothing()(picture), picture)


def test_factor_one_is_a_plain_convolution(smoothing: MetaSmoothing) -> None:
    """For r = 1 the output is two 5×5 convolutions of the input, borders repeated."""
    expected = smooth_picture(17, 23)
    picture = expected
    for layer in (smoothing.meta, smoothing.smoothing):
        expected = F.conv2d(F.pad(expected, (2, 2, 2, 2), mode="replicate"), layer.weight, layer.bias)
    torch.testing.assert_close(smoothing(picture, 1.0), expected)


@pytest.mark.parametrize("r", FACTORS)
def test_constant_pictures_stay_constant(smoothing: MetaSmoothing, r: float) -> None:
    """A picture of one colour stays one for every r, and the same as for r = 1, with any kernels."""
    flat = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 21, 34)
    torch.testing.assert_close(MetaSmoothing()(flat, r)[:, :, :1, :1], flat[:, :, :1, :1])
    result = smoothing(flat, r)
    torch.testing.assert_close(result, smoothing(flat)[:, :, :1, :1].expand_as(result), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("r", [*FACTORS, 0.001, 1.0501])
@pytest.mark.parametrize("size", [(21, 34), (5, 1), (10, 30)])
def test_sizes_are_rounded(smoothing: MetaSmoothing, size: tuple[int, int], r: float) -> None:
    """The output has round(r·size) pixels, at least one, as the release says."""
    shape = smoothing(smooth_picture(*size), r).shape[2:]
    assert tuple(shape) == output_shape(*size, r)
    assert all(side >= 1 and abs(side - max(1, r * whole)) <= 0.5001 for side, whole in zip(shape, size, strict=True))


@pytest.mark.parametrize("new", [(7, 9), (11, 25), (31, 40), (23, 17), (60, 100)])
def test_resampling_is_a_triangle_filter(new: tuple[int, int]) -> None:
    """Resampling agrees with torch's own antialiased bilinear interpolation."""
    picture = smooth_picture(23, 31)
    rows, columns = triangle_weights(23, new[0]), triangle_weights(31, new[1])
    expected = F.interpolate(picture, new, mode="bilinear", antialias=True)
    torch.testing.assert_close(rows @ picture @ columns.T, expected, rtol=1e-4, atol=1e-5)


def test_weights_of_the_same_size_are_the_identity() -> None:
    """The short cut for an unchanged size is what the long way gives."""
    torch.testing.assert_close(triangle_weights(37, 37), torch.eye(37))


def test_output_is_continuous_in_r(smoothing: MetaSmoothing) -> None:
    """An r next to 1 that leaves the size alone leaves the picture alone, and one pixel more hardly changes it."""
    picture = smooth_picture(40, 60)
    reference = smoothing(picture, 1.0)
    for r in (1 - 1e-4, 1 + 1e-4, 0.995, 1.005):
        torch.testing.assert_close(smoothing(picture, r), reference)
    larger = smoothing(picture, 61 / 60)
    assert larger.shape[3] == 61
    back = F.interpolate(larger, (40, 60), mode="bilinear")
    assert (back - reference).abs().mean() < 0.005


def test_small_pictures_lose_no_light() -> None:
    """Resampling keeps the mean brightness of a picture, up or down."""
    picture = smooth_picture(32, 48)
    for r in FACTORS:
        assert abs(float(resample(picture, r).mean() - picture.mean())) < 0.01
