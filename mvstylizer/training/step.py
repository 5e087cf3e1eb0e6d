"""What one step of training asks of the stylizer.

Most steps transfer the style of one photo to another and judge by Eq. 5 and the terms beside it. Some have an answer
that is known: a content in its own style must stay as it is, in the style of another part of the same photo under a
random preset it must get that preset, and greys in the style of a toned black-and-white photo must get its tone.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from mvstylizer.network.objective import closed_form, colour_term, cost_of_share, edge_similarity, perceptual_loss
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.network.projection import locally_affine
from mvstylizer.network.smoothing import resample
from mvstylizer.network.stylizer import PASSES, Stylizer
from mvstylizer.training.config import TrainConfig
from mvstylizer.training.grading import grade, random_preset, toned
from mvstylizer.training.photos import Photos

_KNOWN_WEIGHT = 4.0
"""Of the L1 distance to the answer, where it is known."""
_TONED_WEIGHT = 20.0
_FAR_ENOUGH = 0.01
"""Loss of edges that counts as next to nothing: a share of less would be noise."""


def step_loss(
    stylizer: Stylizer, photos: Photos, perceptual: SixteenfoldProxy, config: TrainConfig, step: int
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one step and its parts by name; seed and step alone decide what the step shows."""
    rng = np.random.default_rng((config.seed, step))
    kind, projected = rng.random(), rng.random() < config.projected_share
    r = float(np.exp2(rng.uniform(-1, 1))) if rng.random() < config.resized_share else 1.0
    # Every pass learns from where it finds the picture; that the one before was to prepare it, it need not know.
    stylized = partial(_stylized, stylizer, r=r, passes=int(rng.integers(1, PASSES + 1)), bf16=config.bf16)
    if kind < config.identity_share:
        content = photos.crops(config.batch, config.crop, rng)
        return known_answer(stylized(content, content), resample(content, r), "identity")
    kind -= config.identity_share
    if kind < config.known_share:
        content, style, answer = graded(photos, config.batch, config.crop, rng)
        return known_answer(stylized(content, style), resample(answer, r), "known")
    kind -= config.known_share
    if kind < config.toned_share:
        return toned_answer(stylized, photos, config.batch, config.crop, rng)
    content = photos.crops(config.batch, config.crop, rng)
    style = photos.crops(config.batch, config.crop, rng)
    output = stylized(content, style)
    beyond = outside(output)
    with torch.no_grad():
        yardstick = closed_form(content, style).clamp(0, 1)
    content, style, yardstick = resample(content, r), resample(style, r), resample(yardstick, r)
    if projected:
        output = locally_affine(output, content)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
        parts = perceptual_loss(perceptual, output, content, style, yardstick, config.style_weight)
    edges, colours = edge_similarity(output, content), colour_term(output, content, style)
    # As a share of the closed form's, like the distance to the style: to be better in one does not excuse the other.
    lost = cost_of_share((1 - edges) / (1 - edge_similarity(yardstick, content) + _FAR_ENOUGH))
    total = parts.total + config.edge_weight * lost + config.colour_weight * colours + beyond
    values = {
        "content": parts.content.item(),
        "style": parts.style.item(),
        "edges": edges.mean().item(),
        "lost": lost.item(),
        "colours": colours.item(),
    }
    return total, {f"{'projected' if projected else 'raw'} {name}": value for name, value in values.items()}


def known_answer(output: Tensor, answer: Tensor, name: str) -> tuple[Tensor, dict[str, float]]:
    """The loss of pictures ``(N, 3, H, W)`` whose answer is known, and its distance under ``name``."""
    loss = F.l1_loss(output, answer)
    return loss * _KNOWN_WEIGHT + outside(output), {name: loss.item()}


def toned_answer(
    stylized: Callable[[Tensor, Tensor], Tensor], photos: Photos, batch: int, crop: int, rng: np.random.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Greys in the style of a toned black-and-white photo: every luma must get the colour that the tone gives it.

    ``stylized`` is called with contents and style photos, ``(batch, 3, crop, crop)`` both.
    """
    grey, style = (_luma(photos.crops(batch, crop, rng)) for _ in range(2))
    if rng.random() < 0.5:
        # Photos of few shades would say nothing of the others.
        grey = torch.linspace(0, 1, crop).expand_as(grey)
    tones = np.exp(0.35 * rng.standard_normal((batch, 3))).astype(np.float32)
    output = stylized(grey.expand(-1, 3, -1, -1), _toned_as(style, tones))
    loss = F.l1_loss(output, _toned_as(_luma(output.detach()).clamp(0, 1), tones))
    return loss * _TONED_WEIGHT + outside(output), {"toned": loss.item()}


def _toned_as(luma: Tensor, tones: NDArray[np.float32]) -> Tensor:
    """``(N, 1, H, W)`` → RGB ``(N, 3, H, W)``, each picture in its own tone."""
    pictures = [toned(x[0].numpy(), tone) for x, tone in zip(luma, tones, strict=True)]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def _luma(rgb: Tensor) -> Tensor:
    return (rgb * rgb.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)


def graded(photos: Photos, batch: int, crop: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Content, style and answer: the style is another part of the photo, in the same random look as the answer."""
    content, other = photos.crops_of_same(batch, crop, rng)
    presets = [random_preset(rng) for _ in range(batch)]
    answer, style = (
        torch.stack(
            [
                torch.from_numpy(grade(picture.permute(1, 2, 0).numpy(), preset)).permute(2, 0, 1)
                for picture, preset in zip(pictures, presets, strict=True)
            ]
        )
        for pictures in (content, other)
    )
    return content, style, answer


def _stylized(stylizer: Stylizer, content: Tensor, style: Tensor, r: float, passes: int, bf16: bool) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        with torch.no_grad():
            code = stylizer.encode_style(style)
        output: Tensor = stylizer(content, code, r, passes)
    return output.float()


def outside(output: Tensor) -> Tensor:
    """How far the output leaves 0..1."""
    return (output - output.clamp(0, 1)).square().mean() * 10
