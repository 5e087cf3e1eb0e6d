"""The training loop of the stylizer: decoder, colorization and meta-smoothing learn together, the encoder is frozen."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mvstylizer.errors import InputError
from mvstylizer.network.encoder import Encoder
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.network.stylizer import Stylizer, StylizerConfig, config_from
from mvstylizer.training import checkpoint
from mvstylizer.training.config import TrainConfig
from mvstylizer.training.photos import Photos
from mvstylizer.training.step import step_loss

Report = Callable[[str], None]

_BEGINNING = 100
"""Steps over which the learning rate rises: Adam's first steps would wreck the closed-form start."""


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
        loss, parts = step_loss(stylizer, photos, perceptual, config, step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(parameters, 1.0)
        if norm.isfinite():
            optimizer.step()
            _update_average(average, stylizer, min(config.average_decay, step / (step + 10)))
            history.append(parts)
        else:
            report(f"step {step + 1}: not a finite gradient; its photos are left out")
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
