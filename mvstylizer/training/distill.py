"""Distilling the compact encoder: teach a thin VGG to carry a teacher's features at all four levels.

Linear 1×1 adapters map the student's channels to the teacher's, normalised per channel by mean and standard
deviation. Without adapters, or without normalised targets, the deepest level dies (measured). The adapters are thrown
away afterwards: what matters is that the information is there.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mvstylizer.errors import InputError
from mvstylizer.network.encoder import LEVELS, Encoder
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.training import checkpoint
from mvstylizer.training.photos import Photos

Report = Callable[[str], None]


@dataclass(frozen=True)
class DistillConfig:
    """Settings of one distillation run; what it takes to repeat it."""

    steps: int = 6000
    batch: int = 16
    crop: int = 128
    learning_rate: float = 2e-3
    seed: int = 1
    save_every: int = 500
    bf16: bool = True


class Distillation(nn.Module):
    """Student, adapters and the teacher's statistics; ``forward`` gives the unexplained variance per level."""

    def __init__(self, teacher: SixteenfoldProxy, calibration: Tensor) -> None:
        super().__init__()
        self.student = Encoder("compact")
        with torch.no_grad():
            targets = teacher.thin(calibration, LEVELS)
        self.adapters = nn.ModuleList(
            nn.Conv2d(width, target.shape[1], 1) for width, target in zip(self.student.widths, targets, strict=True)
        )
        for level, target in enumerate(targets):
            self.register_buffer(f"mean{level}", target.mean((0, 2, 3), keepdim=True))
            self.register_buffer(f"std{level}", target.std((0, 2, 3), keepdim=True) + 1e-4)

    def forward(self, photos: Tensor, targets: list[Tensor]) -> Tensor:
        """Mean squared error of normalised features per level: ``(4,)``; 1 - this is the variance explained."""
        errors = []
        for level, features in enumerate(self.student(photos)):
            mean, std = self.get_buffer(f"mean{level}"), self.get_buffer(f"std{level}")
            errors.append(((self.adapters[level](features) - (targets[level] - mean) / std) ** 2).float().mean())
        return torch.stack(errors)


def distill(photos: Photos, teacher: SixteenfoldProxy, config: DistillConfig, to: Path, report: Report = print) -> Path:
    """Train the compact encoder, resuming from the newest checkpoint in ``to``; returns the last checkpoint.

    Raises:
        InputError: a checkpoint in ``to`` is damaged or not of an encoder.
    """
    torch.manual_seed(config.seed)
    teacher = teacher.to(memory_format=torch.channels_last)
    run = Distillation(teacher, photos.crops(64, config.crop, np.random.default_rng(config.seed)))
    run.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(run.parameters(), lr=config.learning_rate)
    start = _resume(run, optimizer, to)
    began, last = time.monotonic(), to
    for step in range(start, config.steps):
        rng = np.random.default_rng((config.seed, step))
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + np.cos(np.pi * step / config.steps))
        batch = photos.crops(config.batch, config.crop, rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            with torch.no_grad():
                targets = teacher.thin(batch, LEVELS)
            errors = run(batch, targets)
        optimizer.zero_grad()
        errors.sum().backward()
        optimizer.step()
        done = step + 1
        if done % 50 == 0:
            explained = ", ".join(f"{1 - e:.3f}" for e in errors.tolist())
            report(f"step {done}/{config.steps}: variance explained {explained}; {time.monotonic() - began:.0f} s")
        if done % config.save_every == 0 or done == config.steps:
            last = checkpoint.save(to, _snapshot(run, optimizer, done, config))
    return last


def _resume(run: Distillation, optimizer: torch.optim.Optimizer, directory: Path) -> int:
    if not checkpoint.exists(directory):
        return 0
    saved = _load(directory)
    run.load_state_dict(saved.weights)
    checkpoint.restore_optimizer(optimizer, saved.optimizer)
    return saved.step


def _load(directory: Path) -> checkpoint.Checkpoint:
    saved = checkpoint.load(directory)
    if saved.kind != "encoder":
        raise InputError(f"{directory} is a checkpoint of a {saved.kind}; name one of an encoder")
    return saved


def _snapshot(
    run: Distillation, optimizer: torch.optim.Optimizer, step: int, config: DistillConfig
) -> checkpoint.Checkpoint:
    settings: dict[str, Any] = {"encoder": run.student.name, "distillation": asdict(config)}
    return checkpoint.Checkpoint("encoder", step, settings, run.state_dict(), checkpoint.optimizer_state(optimizer))


def encoder_from(directory: Path) -> Encoder:
    """The compact encoder that a distillation left in ``directory``.

    Raises:
        InputError: no valid checkpoint there, or not one of an encoder.
    """
    saved = _load(directory)
    encoder = Encoder("compact")
    prefix = "student."
    encoder.load_state_dict({k.removeprefix(prefix): v for k, v in saved.weights.items() if k.startswith(prefix)})
    return encoder
