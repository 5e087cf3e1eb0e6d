"""The objective (Eq. 5) and the similarity of edges beside it."""

import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mvstylizer.network.objective import (
    closed_form,
    colour_term,
    content_term,
    edge_similarity,
    gram,
    grams,
    perceptual_loss,
    style_term,
)
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.pictures import fit_within, read_picture
from tests.networks import SHARED, proxy_weights, smooth_picture

RESIDUE = 2e-3
"""Left where nothing differs, by what keeps the square root's gradient finite."""


@pytest.fixture(scope="module")
def proxy() -> SixteenfoldProxy:
    return SixteenfoldProxy(proxy_weights((4, 6, 8, 10, 10), 12))


def textured(seed: int, height: int = 96, width: int = 112) -> torch.Tensor:
    """A picture with edges for the similarity to see."""
    generator = torch.Generator().manual_seed(seed)
    blocks = F.interpolate(torch.rand(1, 3, height // 8, width // 8, generator=generator), (height, width))
    return 0.25 + 0.5 * (0.5 * blocks + 0.5 * smooth_picture(height, width, seed))


def test_nothing_is_lost_where_nothing_differs(proxy: SixteenfoldProxy) -> None:
    """Output, content and style the same: both parts of Eq. 5 are zero."""
    picture = smooth_picture(64, 80)
    loss = perceptual_loss(proxy, picture, picture, picture, picture)
    assert loss.content.abs() < 1e-5 and loss.style < RESIDUE and loss.total < RESIDUE


def test_the_total_is_content_plus_weighted_style(proxy: SixteenfoldProxy) -> None:
    """Eq. 5: D(output, content) + λ · D(output, style), for any λ and a style of another size."""
    output, content, style = smooth_picture(64, 64, 1), smooth_picture(64, 64, 2), textured(3)
    for weight in (0.0, 1.0, 7.5):
        loss = perceptual_loss(proxy, output, content, style, content, weight)
        torch.testing.assert_close(loss.total, loss.content + weight * loss.style)
    assert loss.content > 0.01 and loss.style > RESIDUE
    seen, wanted = proxy.thin(output), proxy.thin(content)
    expected = (content_term(seen[2], wanted[2]) + content_term(seen[3], wanted[3])) / 2
    torch.testing.assert_close(loss.content, expected)


def test_style_is_the_share_of_what_the_yardstick_leaves(proxy: SixteenfoldProxy) -> None:
    """An output nearer to the style costs less, the style itself nothing, and the yardstick at most 1."""
    yardstick, style = smooth_picture(64, 64, 2), smooth_picture(64, 64, 9)
    costs = [
        perceptual_loss(proxy, torch.lerp(yardstick, style, share), yardstick, style, yardstick).style.item()
        for share in (0.0, 0.5, 1.0)
    ]
    assert 1 >= costs[0] > costs[1] > costs[2] and costs[2] < RESIDUE
    batch = [torch.cat([a, b]) for a, b in zip(proxy(yardstick), proxy(style), strict=True)]
    distances = style_term(grams(batch), grams(proxy(style)))
    assert distances.shape == (2,) and distances[0] > 100 * distances[1]


def test_the_closed_form_has_the_styles_colours() -> None:
    """Mean and covariance of the yardstick are the style's, up to its small floor."""
    content, style = textured(1), textured(2) * 0.5 + 0.2
    moved = closed_form(content, style).flatten(2)[0]
    torch.testing.assert_close(moved.mean(1), style.flatten(2)[0].mean(1), rtol=0, atol=1e-4)
    torch.testing.assert_close(torch.cov(moved), torch.cov(style.flatten(2)[0]), rtol=0.02, atol=1e-4)


def test_gram_matrices_are_numpys() -> None:
    """G = F Fᵀ / (C·H·W), as numpy computes it, in double precision."""
    features = torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    flat = features.numpy().astype(np.float64).reshape(2, 5, 42)
    expected = flat @ flat.transpose(0, 2, 1) / (5 * 42)
    np.testing.assert_allclose(gram(features).numpy(), expected, rtol=1e-5, atol=1e-6)
    other = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(1))
    flat = other.numpy().astype(np.float64).reshape(2, 5, 12)
    distance = np.linalg.norm(expected - flat @ flat.transpose(0, 2, 1) / (5 * 12), axis=(1, 2))
    np.testing.assert_allclose(style_term([gram(features)], [gram(other)]).numpy(), distance, rtol=1e-4)


def test_the_gradient_of_a_gram_matrix_is_the_derivative() -> None:
    """It is written by hand, for speed: checked against finite differences."""
    features = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1))

    def weighted(x: torch.Tensor) -> torch.Tensor:
        return (gram(x) * weights).sum().double()

    assert torch.autograd.gradcheck(weighted, features.requires_grad_(), eps=1e-3, atol=1e-4)


def test_gram_matrices_do_not_see_size_or_place() -> None:
    """A picture beside itself, or shuffled, has the same Gram matrix."""
    features = torch.randn(1, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(gram(torch.cat([features, features.flip(2)], dim=3)), gram(features))


def test_a_change_of_light_is_no_change_of_content() -> None:
    """Gain and offset of whole channels cost nothing; other structure does."""
    features = torch.randn(1, 5, 12, 12, generator=torch.Generator().manual_seed(0))
    gains, offsets = torch.tensor([0.5, 1.0, 2.0, 3.0, 1.5]), torch.tensor([1.0, -1.0, 0.0, 3.0, 0.5])
    relit = features * gains.view(1, 5, 1, 1) + offsets.view(1, 5, 1, 1)
    assert content_term(relit, features) < 1e-5
    assert content_term(features.roll(3, 3), features) > 0.5


def test_edges_are_the_pictures_own() -> None:
    """The similarity is 1 with itself, stays there when the light changes, and falls with blur and with noise."""
    picture = textured(4)
    assert abs(edge_similarity(picture, picture).item() - 1) < 1e-5
    for gain, offset in ((0.8, 0.1), (1.25, 0.0)):
        assert edge_similarity(picture * gain + offset, picture) > 0.95
    blurred = F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    more = F.avg_pool2d(F.pad(picture, (3, 3, 3, 3), mode="reflect"), 7, stride=1)
    noisy = picture + 0.05 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))
    assert edge_similarity(more, picture) < edge_similarity(blurred, picture) < 0.9
    assert edge_similarity(noisy, picture) < 0.9


@pytest.mark.parametrize("side", [32, 48, 64])
def test_small_pictures_have_edges_too(side: int) -> None:
    """Also pictures smaller than the neighbourhood, as training makes of small crops with r < 1, have a similarity."""
    picture = textured(5, side, side)
    assert abs(edge_similarity(picture, picture).item() - 1) < 1e-5
    assert edge_similarity(picture.flip(2), picture) < 0.9


def test_gradients_are_finite(proxy: SixteenfoldProxy) -> None:
    """Also where output and content are the same, or flat, every gradient is a number."""
    for start in (textured(6), torch.full((1, 3, 96, 112), 0.5)):
        output = start.clone().requires_grad_()
        loss = perceptual_loss(proxy, output, start, start, start).total + edge_similarity(output, start).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        assert output.grad is not None and output.grad.isfinite().all()


def test_it_agrees_with_the_independent_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """On real photos the similarity of edges is within 2 % of the score that results are judged by."""
    folder = SHARED / "data" / "train" / "photos"
    photos = sorted(folder.glob("*.jpg"))[:200:50] if folder.is_dir() else []
    if not photos or not (SHARED / "score" / "metrics.py").exists():
        pytest.skip(f"no photos or no score in {SHARED}")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(str(SHARED / "score"))
    metrics = pytest.importorskip("metrics")
    for path in photos:
        content = torch.from_numpy(fit_within(read_picture(path), 320)).permute(2, 0, 1)[None].float() / 255
        for output in (
            (content**1.3 * 0.9).clamp(0, 1),
            F.avg_pool2d(F.pad(content, (1, 1, 1, 1), mode="reflect"), 3, stride=1),
        ):
            expected = metrics.edge_ssim(*(x[0].permute(1, 2, 0).numpy() for x in (output, content)))
            assert edge_similarity(output, content).item() == pytest.approx(expected, rel=0.02)


def test_colours_are_compared_as_distributions() -> None:
    """Colour is all there where the style's pixels are, in whatever order, and none gained where nothing changed."""
    content, style = (torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    style = style * 0.4 + 0.1
    shuffled = style.flatten(2)[:, :, torch.randperm(64 * 64, generator=torch.Generator().manual_seed(2))]
    assert colour_term(shuffled.view_as(style), content, style) < 0.01
    assert 0.8 < colour_term(content, content, style) < 1
    halfway = (content + style) / 2
    assert 0.2 < colour_term(halfway, content, style) < 0.8
