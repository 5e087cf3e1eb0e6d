"""The objective of an edge: zero where nothing is left to do, smaller for what is nearer, and differentiable."""

import pytest
import torch

from mvstylizer.network.stylizer import Stylizer, StylizerConfig
from mvstylizer.training.frame_loss import OURS, Weights, closed_form_of_code, code_distance, frame_loss
from tests.networks import perturbed_stylizer, smooth_picture


@pytest.fixture(scope="module")
def stylizer() -> Stylizer:
    return perturbed_stylizer()


def test_the_content_in_its_own_style_costs_nothing(stylizer: Stylizer) -> None:
    """A picture that stays as it is in its own style has no distance to either, and all its edges."""
    picture = smooth_picture(64, 64, count=2)
    parts = frame_loss(stylizer, picture, picture, stylizer.encode_style(picture))
    assert parts.content < 1e-5 and parts.style < 1e-4 and parts.lost < 1e-6 and parts.edges > 0.9999


def test_each_part_sees_its_own(stylizer: Stylizer) -> None:
    """The closed form is nearer to the style than the content; noise costs content and edges."""
    content, style = smooth_picture(64, 64, 1, 2), smooth_picture(64, 64, 2, 2)
    code = stylizer.encode_style(style)
    noise = torch.randn(content.shape, generator=torch.Generator().manual_seed(0)) * 0.1
    moved = closed_form_of_code(stylizer, content, code).clamp(0, 1)
    kept, transported, noisy = (frame_loss(stylizer, x, content, code) for x in (content, moved, moved + noise))
    assert transported.style < 0.8 * kept.style
    assert noisy.content > 1.5 * transported.content and noisy.lost > 2 * transported.lost
    assert noisy.edges < transported.edges
    expected = noisy.content + 2 * noisy.style + 3 * noisy.lost
    assert torch.isclose(noisy.total(Weights(2, 3)), expected)


def test_every_level_counts_the_same(stylizer: Stylizer) -> None:
    """The same relative error costs about as much in the picture's own nine colour covariances as in 64 channels."""
    wanted = stylizer.encode_style(smooth_picture(64, 64))
    distances = []
    for level, part in stylizer.by_level(wanted).items():
        changed = {k: v.clone() for k, v in stylizer.by_level(wanted).items()}
        changed[level] = part * 1.5
        distances.append(float(code_distance(stylizer, torch.cat(list(changed.values()), 1), wanted)))
    assert max(distances) < 1.3 * min(distances)
    assert code_distance(stylizer, wanted, wanted) < 1e-3


@pytest.mark.parametrize(
    "config",
    [StylizerConfig(colorization="wct"), StylizerConfig(colorization="mean"), StylizerConfig(decoder="mirrored")],
    ids=["wct", "mean", "mirrored"],
)
@pytest.mark.parametrize("r", [0.7, 1.0, 1.6])
def test_every_variant_can_learn_from_it(config: StylizerConfig, r: float) -> None:
    """Whatever the colorization, the decoder and r, the loss is finite and has a gradient for every trained weight."""
    stylizer = perturbed_stylizer(config)
    content = smooth_picture(48, 64, 1)
    code = stylizer.encode_style(smooth_picture(48, 64, 2))
    parts = frame_loss(stylizer, stylizer(content, code, r), content, code, r, projected=True)
    parts.total(OURS).backward()  # type: ignore[no-untyped-call]
    for name, parameter in stylizer.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name
