"""What ``mvstylizer distill`` and ``mvstylizer train`` run: files in, checkpoints out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mvstylizer.errors import UsageError
from mvstylizer.network import stylizer
from mvstylizer.network.colorization import ColorizationName
from mvstylizer.network.encoder import Encoder, load_imagenet_weights
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.training.config import PAPER, TrainConfig
from mvstylizer.training.distill import DistillConfig, distill, encoder_from
from mvstylizer.training.loop import new_stylizer, train
from mvstylizer.training.photos import Photos, photo_paths

MINIMUM_CROP = 64
"""In pixels: at r = 0.5 the perceptual network still sees the 32 that it needs."""


def run_distillation(photos: Path, teacher: Path, to: Path, steps: int | None, seed: int) -> None:
    """Distil the compact encoder into ``to``; raises InputError where photos or teacher cannot be read."""
    config = DistillConfig(seed=seed, steps=steps or DistillConfig.steps)
    proxy = SixteenfoldProxy.load(teacher)
    print(distill(Photos(photo_paths(photos, held_out=False), config.crop), proxy, config, to))


def run_training(
    photos: Path, teacher: Path, encoder: Path | None, to: Path, paper: bool, colorization: ColorizationName,
    overrides: dict[str, Any],
) -> None:  # fmt: skip
    """Train a stylizer into ``to``; the paper's configuration takes VGG-19, unless a compact encoder is named.

    Raises:
        InputError: photos, teacher or encoder cannot be read.
        UsageError: neither an encoder nor the paper's configuration was asked for, or the crop is too small.
    """
    config = replace(PAPER if paper else TrainConfig(), **overrides)
    if config.crop < MINIMUM_CROP:
        raise UsageError(f"--crop {config.crop} is too small for the perceptual network; choose {MINIMUM_CROP} or more")
    network = stylizer.PAPER if paper else stylizer.StylizerConfig(colorization=colorization)
    if paper and encoder is not None:
        network = replace(network, encoder="compact")
    proxy = SixteenfoldProxy.load(teacher)
    fresh = new_stylizer(network, _encoder(encoder, paper), config.seed)
    print(train(fresh, Photos(photo_paths(photos, held_out=False), config.crop), proxy, config, to))


def _encoder(directory: Path | None, paper: bool) -> Encoder:
    if directory is not None:
        return encoder_from(directory)
    if not paper:
        raise UsageError("the compact encoder must be trained first; name its checkpoints with --encoder")
    encoder = Encoder("vgg19")
    load_imagenet_weights(encoder)
    return encoder
