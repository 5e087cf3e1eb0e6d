"""Colorization: what each way promises about the statistics of its output."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mvstylizer.network.colorization import (
    AdaptiveInstanceNormalization,
    Colorization,
    MeanColorization,
    OptimalTransport,
    WhiteningColouring,
    colorization,
    matrix_square_roots,
)
from tests.networks import smooth_picture

WAYS: list[Callable[[], Colorization]] = [
    MeanColorization,
    AdaptiveInstanceNormalization,
    WhiteningColouring,
    OptimalTransport,
]


def features(seed: int, channels: int = 8, height: int = 20, width: int = 24, count: int = 1) -> Tensor:
    """Correlated random features with means of their own, of about the size that pictures have."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.eye(channels) + 0.3 * torch.randn(channels, channels, generator=generator)
    noise = torch.randn(count, channels, height, width, generator=generator)
    means = torch.randn(count, channels, 1, 1, generator=generator)
    return 0.3 * torch.einsum("ij,njhw->nihw", mixing, noise) + means


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and covariance of the first of a batch."""
    flat = x[0].flatten(1)
    return flat.mean(1), torch.cov(flat, correction=0)


def applied(way: Colorization, content: Tensor, style: Tensor) -> Tensor:
    return way(content, way.statistics(content), way.statistics(style))  # type: ignore[no-any-return]


def relative_error(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("make", WAYS)
def test_codes_have_the_promised_size(make: Callable[[], Colorization]) -> None:
    """A code is as long as code_size says, whatever the size of the photo."""
    way = make()
    for channels, height in ((3, 9), (8, 30)):
        assert way.statistics(features(0, channels, height, count=2)).shape == (2, way.code_size(channels))


@pytest.mark.parametrize("make", WAYS)
def test_the_contents_own_style_changes_nothing(make: Callable[[], Colorization]) -> None:
    """Colorized with its own statistics, content stays what it is."""
    content = features(1)
    assert relative_error(applied(make(), content, content), content) < 1e-2


@pytest.mark.parametrize("make", WAYS)
def test_members_of_a_batch_do_not_see_each_other(make: Callable[[], Colorization]) -> None:
    """Two contents with two styles at once give what they give one by one."""
    way, content, style = make(), features(2, count=2), features(3, count=2)
    single = [applied(way, content[i : i + 1], style[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(applied(way, content, style), torch.cat(single), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", WAYS)
def test_averaging_may_come_first(make: Callable[[], Colorization]) -> None:
    """Features averaged before they are colorized give what the colorized ones give averaged."""
    way, content, style = make(), features(11), features(12)
    own, code = way.statistics(content), way.statistics(style)
    late, early = F.avg_pool2d(way(content, own, code), 4), way(F.avg_pool2d(content, 4), own, code)
    torch.testing.assert_close(early, late, rtol=1e-4, atol=1e-4)


def test_mean_moves_nothing_but_the_mean() -> None:
    """Every channel gets the style's mean (Eq. 2); its differences within the picture stay the content's."""
    content, style = features(4), features(5, height=13)
    result = applied(MeanColorization(), content, style)
    torch.testing.assert_close(moments(result)[0], moments(style)[0])
    offset = result - content
    torch.testing.assert_close(offset, offset[:, :, :1, :1].expand_as(offset), rtol=1e-4, atol=1e-5)


def test_adain_gives_mean_and_deviation() -> None:
    """Every channel gets the style's mean and standard deviation."""
    content, style = features(6), features(7, width=11)
    mean, covariance = moments(applied(AdaptiveInstanceNormalization(), content, style))
    wanted_mean, wanted = moments(style)
    torch.testing.assert_close(mean, wanted_mean, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(covariance.diag(), wanted.diag(), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize(
    ("way", "tolerance"),
    [
        (WhiteningColouring(), 0.15),
        (WhiteningColouring(iterations=25, ridge=0.0), 2e-3),
        (OptimalTransport(), 0.05),
        (OptimalTransport(iterations=25, floor=1e-7), 2e-3),
    ],
)
def test_covariance_is_the_styles(way: Colorization, tolerance: float) -> None:
    """Mean and covariance are the style's: as far as the ridge allows, and without one exactly."""
    content, style = features(8), features(9)
    mean, covariance = moments(applied(way, content, style))
    wanted_mean, wanted = moments(style)
    assert relative_error(mean, wanted_mean) < 1e-3
    assert relative_error(covariance, wanted) < tolerance


def test_optimal_transport_moves_colours_least() -> None:
    """Of the two maps with the same result on average, it is the one that moves pixels less, and it turns no hue."""
    content, style = smooth_picture(24, 30, 1), smooth_picture(24, 30, 2)
    ways = OptimalTransport(25, 1e-6), WhiteningColouring(25, 0.0)
    moved = [(applied(way, content, style) - content).square().mean() for way in ways]
    assert moved[0] <= moved[1]
    centred, result = (
        x[0].flatten(1) - x[0].flatten(1).mean(1, keepdim=True) for x in (content, applied(ways[0], content, style))
    )
    linear = torch.linalg.lstsq(centred.T, result.T).solution
    torch.testing.assert_close(linear, linear.T, rtol=1e-2, atol=1e-2)
    assert torch.linalg.eigvalsh(linear).min() > 0


def test_grey_content_does_not_blow_up() -> None:
    """A grey picture's tiny colour noise gets no more gain than √(style / floor), and a flat one becomes flat."""
    generator = torch.Generator().manual_seed(0)
    grey = smooth_picture(24, 30, 3).mean(1, keepdim=True).expand(1, 3, 24, 30)
    noise = 0.002 * torch.randn(1, 3, 24, 30, generator=generator)
    style, way = smooth_picture(24, 30, 4), OptimalTransport()
    code = way.statistics(style)
    largest = torch.linalg.eigvalsh(moments(style)[1]).max() + way.floor
    limit = (largest / way.floor).sqrt()
    result = way(grey + noise, way.statistics(grey + noise), code)
    assert result.isfinite().all()
    centred, moved = (x[0].flatten(1) - x[0].flatten(1).mean(1, keepdim=True) for x in (grey + noise, result))
    assert torch.linalg.svdvals(torch.linalg.lstsq(centred.T, moved.T).solution).max() <= 1.02 * limit
    for flat in (0.0, 0.5, 1.0):
        picture = torch.full((1, 3, 8, 8), flat)
        result = way(picture, way.statistics(picture), code)
        torch.testing.assert_close(result, code[:, :3, None, None].expand_as(result), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("make", WAYS)
def test_flat_pictures_give_finite_results(make: Callable[[], Colorization]) -> None:
    """Neither a content nor a style without any variation gives infinities."""
    flat, other = torch.full((1, 8, 6, 6), 0.3), features(10)
    for content, style in ((flat, other), (other, flat), (flat, flat), (torch.zeros(1, 8, 1, 1), other)):
        assert applied(make(), content, style).isfinite().all()


@pytest.mark.parametrize("channels", [3, 16, 64])
def test_square_roots_agree_with_eigenvectors(channels: int) -> None:
    """Newton–Schulz gives the roots that an eigendecomposition gives, for condition numbers up to a hundred."""
    generator = torch.Generator().manual_seed(channels)
    basis, _ = torch.linalg.qr(torch.randn(2, channels, channels, generator=generator))
    values = torch.logspace(-2, 0, channels).expand(2, channels)
    scale = torch.tensor([5.0, 0.01])[:, None, None]
    matrices = scale * (basis * values[:, None]) @ basis.transpose(1, 2)
    eigenvalues, vectors = torch.linalg.eigh(matrices)
    roots = matrix_square_roots(matrices, 20)
    for root, power in zip(roots, (0.5, -0.5), strict=True):
        expected = (vectors * eigenvalues[:, None] ** power) @ vectors.transpose(1, 2)
        assert relative_error(root, expected) < 2e-3


def test_ways_are_found_by_name() -> None:
    """The three names that commands and manifests use stand for the three ways."""
    assert [type(colorization(name)) for name in ("mean", "adain", "wct")] == WAYS[:3]
