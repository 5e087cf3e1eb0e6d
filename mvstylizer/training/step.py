"""What one step of training asks of the stylizer.

Most steps transfer the style of one photo to another and judge by Eq. 5 and the terms beside it. Some have an answer
that is known: a content in its own style must stay as it is, and in the style of another part of the same photo under
a random preset it must get that preset.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mvstylizer.network.objective import closed_form, colour_term, edge_similarity, perceptual_loss
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.network.projection import locally_affine
from mvstylizer.network.smoothing import resample
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.training.config import TrainConfig
from mvstylizer.training.grading import grade, random_preset
from mvstylizer.training.photos import Photos

_KNOWN_WEIGHT = 4.0
"""Of the L1 distance to the answer, where it is known."""


def step_loss(
    stylizer: Stylizer, photos: Photos, perceptual: SixteenfoldProxy, config: TrainConfig, step: int
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one step and its parts by name; seed and step alone decide what the step shows."""
    rng = np.random.default_rng((config.seed, step))
    kind, projected = rng.random(), rng.random() < config.projected_share
    r = float(np.exp2(rng.uniform(-1, 1))) if rng.random() < config.resized_share else 1.0
    if kind < config.identity_share:
        content = photos.crops(config.batch, config.crop, rng)
        return _known_answer(stylizer, content, content, content, r, config.bf16, "identity")
    if kind < config.identity_share + config.known_share:
        content, style, answer = _graded(photos, config, rng)
        return _known_answer(stylizer, content, style, answer, r, config.bf16, "known")
    content = photos.crops(config.batch, config.crop, rng)
    style = photos.crops(config.batch, config.crop, rng)
    output = _stylized(stylizer, content, style, r, config.bf16)
    outside = _outside(output)
    with torch.no_grad():
        yardstick = closed_form(content, style).clamp(0, 1)
    content, style, yardstick = resample(content, r), resample(style, r), resample(yardstick, r)
    if projected:
        output = locally_affine(output, content)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
        parts = perceptual_loss(perceptual, output, content, style, yardstick, config.style_weight)
    edges, colours = edge_similarity(output, content), colour_term(output, content, style)
    blunter = (edge_similarity(yardstick, content) - edges).clamp(min=0).mean()
    total = parts.total + config.edge_weight * (1 - edges.mean()) + config.blunter_weight * blunter
    total = total + config.colour_weight * colours + outside
    values = {
        "content": parts.content.item(),
        "style": parts.style.item(),
        "edges": edges.mean().item(),
        "blunter": blunter.item(),
        "colours": colours.item(),
    }
    return total, {f"{'projected' if projected else 'raw'} {name}": value for name, value in values.items()}


def _known_answer(
    stylizer: Stylizer, content: Tensor, style: Tensor, answer: Tensor, r: float, bf16: bool, name: str
) -> tuple[Tensor, dict[str, float]]:
    output = _stylized(stylizer, content, style, r, bf16)
    loss = F.l1_loss(output, resample(answer, r))
    return loss * _KNOWN_WEIGHT + _outside(output), {name: loss.item()}


def _graded(photos: Photos, config: TrainConfig, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Content, style and answer: the style is another part of the photo, in the same random look as the answer."""
    content, other = photos.crops_of_same(config.batch, config.crop, rng)
    presets = [random_preset(rng) for _ in range(config.batch)]
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


def _stylized(stylizer: Stylizer, content: Tensor, style: Tensor, r: float, bf16: bool) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        with torch.no_grad():
            code = stylizer.encode_style(style)
        output: Tensor = stylizer(content, code, r)
    return output.float()


def _outside(output: Tensor) -> Tensor:
    """How far the output leaves 0..1."""
    return (output - output.clamp(0, 1)).square().mean() * 10
