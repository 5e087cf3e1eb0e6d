"""The training loop of the stylizer: decoder, colorization and meta-smoothing learn together, the encoder is frozen."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mvstylizer.errors import InputError
from mvstylizer.network.encoder import Encoder
from mvstylizer.network.objective import Loss, colour_term, edge_similarity, perceptual_loss
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.network.projection import locally_affine
from mvstylizer.network.smoothing import resample
from mvstylizer.network.stylizer import Stylizer, StylizerConfig, config_from
from mvstylizer.training import checkpoint
from mvstylizer.training.photos import Photos

Report = Callable[[str], None]


_BEGINNING = 100
"""Steps over which the learning rate rises: Adam's first steps would wreck the closed-form start."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run; ``PAPER`` has the paper's own."""

    steps: int = 3200
    batch: int = 4
    crop: int = 192
    learning_rate: float = 1e-3
    beta1: float = 0.5
    style_weight: float = 6.0
    """λ of Eq. 5; the paper has 1."""
    colour_weight: float = 3.0
    """Of the distance of colours to the style, beside Eq. 5."""
    edge_weight: float = 2.0
    """Of 1 - the similarity of edges, beside Eq. 5."""
    projected_share: float = 0.5
    """Share of steps whose objective sees the locally affine projection of the output, as users do."""
    identity_share: float = 0.1
    """Share of steps in which the style is the content itself and the output must be the content."""
    resized_share: float = 0.15
    """Share of steps with a random r in 0.5..2 instead of 1, for the meta-smoothing."""
    cosine: bool = True
    average_decay: float = 0.999
    """Of the exponential moving average of the weights, which is what is exported."""
    seed: int = 1
    save_every: int = 250
    bf16: bool = True


PAPER = TrainConfig(
    batch=2,
    learning_rate=1e-4,
    style_weight=1.0,
    colour_weight=0.0,
    edge_weight=0.0,
    projected_share=0.0,
    identity_share=0.0,
    cosine=False,
    average_decay=0.0,
    bf16=False,
)
"""Paper §4.2: Adam with β₁ = 0.5, β₂ = 0.999, learning rate 1e-4, batch 2, λ = 1."""


def train(
    stylizer: Stylizer, photos: Photos, perceptual: SixteenfoldProxy, config: TrainConfig, to: Path,
    report: Report = print,
) -> Path:  # fmt: skip
    """Train, resuming from the newest checkpoint in ``to``; returns the last checkpoint's directory.

    Raises:
        InputError: a checkpoint in ``to`` is damaged or of another network.
    """
    for network in (stylizer, perceptual):
        network.to(memory_format=torch.channels_last)
    average = {k: v.clone() for k, v in _trained(stylizer).items()}
    parameters = [p for p in stylizer.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate, betas=(config.beta1, 0.999))
    start = _resume(stylizer, average, optimizer, to) if checkpoint.exists(to) else 0
    began, last, history = time.monotonic(), to, []
    for step in range(start, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(step, config)
        loss, parts = _step_loss(stylizer, photos, perceptual, config, step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        _update_average(average, stylizer, min(config.average_decay, step / (step + 10)))
        history.append(parts)
        done = step + 1
        if done % 50 == 0:
            means = ", ".join(f"{k} {np.mean([h[k] for h in history if k in h]):.4f}" for k in _names(history))
            report(f"step {done}/{config.steps}: {means}; {time.monotonic() - began:.0f} s")
            history.clear()
        if done % config.save_every == 0 or done == config.steps:
            last = checkpoint.save(to, _snapshot(stylizer, average, optimizer, done, config))
    return last


def load_stylizer(directory: Path) -> tuple[Stylizer, checkpoint.Checkpoint]:
    """The stylizer of a checkpoint, with the averaged weights, in evaluation mode.

    Raises:
        InputError: no valid checkpoint there, or not one of this version's stylizer.
    """
    saved = checkpoint.load(directory)
    if saved.kind != "stylizer":
        raise InputError(f"{directory} is a checkpoint of a {saved.kind}; name one of a stylizer")
    stylizer = Stylizer(config_from(saved.config["stylizer"]))
    weights, averaged = _split(saved.weights)
    _fill(stylizer, weights | {k.removeprefix("average."): v for k, v in averaged.items()}, directory)
    return stylizer.eval(), saved


def _step_loss(
    stylizer: Stylizer, photos: Photos, perceptual: SixteenfoldProxy, config: TrainConfig, step: int
) -> tuple[Tensor, dict[str, float]]:
    rng = np.random.default_rng((config.seed, step))
    identity = rng.random() < config.identity_share
    projected = rng.random() < config.projected_share
    r = float(np.exp2(rng.uniform(-1, 1))) if rng.random() < config.resized_share else 1.0
    content = photos.crops(config.batch, config.crop, rng)
    style = content if identity else photos.crops(config.batch, config.crop, rng)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
        with torch.no_grad():
            code = stylizer.encode_style(style)
        output = stylizer(content, code, r).float()
    wanted = resample(content, r)
    outside = (output - output.clamp(0, 1)).square().mean() * 10
    if identity:
        loss = F.l1_loss(output, wanted)
        return loss * 4 + outside, {"identity": loss.item()}
    if projected:
        output = locally_affine(output, wanted)
    resized_style = resample(style, r)
    with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
        parts = _objective(perceptual, output, wanted, resized_style, config.style_weight)
    edges, colours = edge_similarity(output, wanted), colour_term(output, wanted, resized_style)
    total = parts.total + config.edge_weight * (1 - edges) + config.colour_weight * colours + outside
    values = {
        "content": parts.content.item(),
        "style": parts.style.item(),
        "edges": edges.item(),
        "colours": colours.item(),
    }
    return total, {f"{'projected' if projected else 'raw'} {name}": value for name, value in values.items()}


def _objective(
    perceptual: SixteenfoldProxy, output: Tensor, content: Tensor, style: Tensor, style_weight: float
) -> Loss:
    with torch.no_grad():
        content_features, style_features = perceptual(content), perceptual(style)
    return perceptual_loss(perceptual(output), content_features, style_features, style_weight)


def _learning_rate(step: int, config: TrainConfig) -> float:
    if not config.cosine:
        return config.learning_rate
    begun = min(1.0, (step + 1) / _BEGINNING)
    return float(config.learning_rate * begun * 0.5 * (1 + np.cos(np.pi * step / config.steps)))


def _trained(stylizer: Stylizer) -> dict[str, Tensor]:
    return {name: p for name, p in stylizer.named_parameters() if p.requires_grad}


@torch.no_grad()
def _update_average(average: dict[str, Tensor], stylizer: Stylizer, decay: float) -> None:
    for name, parameter in _trained(stylizer).items():
        average[name].lerp_(parameter, 1 - decay)


def _snapshot(
    stylizer: Stylizer,
    average: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    step: int,
    config: TrainConfig,
) -> checkpoint.Checkpoint:
    settings: dict[str, Any] = {"stylizer": asdict(stylizer.config), "training": asdict(config)}
    weights = stylizer.state_dict() | {f"average.{k}": v for k, v in average.items()}
    return checkpoint.Checkpoint("stylizer", step, settings, weights, checkpoint.optimizer_state(optimizer))


def _resume(stylizer: Stylizer, average: dict[str, Tensor], optimizer: torch.optim.Optimizer, directory: Path) -> int:
    saved = checkpoint.load(directory)
    if saved.kind != "stylizer" or config_from(saved.config["stylizer"]) != stylizer.config:
        raise InputError(f"{directory} holds a checkpoint of another network, not this stylizer's; name another --to")
    weights, averaged = _split(saved.weights)
    _fill(stylizer, weights, directory)
    for name, value in averaged.items():
        average[name.removeprefix("average.")].copy_(value)
    checkpoint.restore_optimizer(optimizer, saved.optimizer)
    return saved.step


def _split(weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    averaged = {k: v for k, v in weights.items() if k.startswith("average.")}
    return {k: v for k, v in weights.items() if k not in averaged}, averaged


def _fill(stylizer: Stylizer, weights: dict[str, Tensor], source: Path) -> None:
    """Every weight of the stylizer from a checkpoint: none may be missing and so stay as it was drawn."""
    try:
        stylizer.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{source} does not fit the stylizer of this version; train it again") from error


def _names(history: list[dict[str, float]]) -> list[str]:
    return sorted({name for parts in history for name in parts})


def new_stylizer(config: StylizerConfig, encoder: Encoder, seed: int) -> Stylizer:
    """An untrained stylizer around a trained encoder, its other weights drawn with ``seed``."""
    torch.manual_seed(seed)
    stylizer = Stylizer(config)
    stylizer.encoder.load_state_dict(encoder.state_dict())
    return stylizer
