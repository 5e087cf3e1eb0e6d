"""The commands ``mvstylizer distill`` and ``train``: their options; torch is imported only when they run."""

import argparse
from pathlib import Path
from typing import Any

from mvstylizer.errors import UsageError
from mvstylizer.options import Commands, Parser, add_command


def _add_training_data(parser: Parser) -> None:
    parser.setting("--photos", "folder of training photos", type=Path, required=True, metavar="DIR")
    parser.setting("--teacher", "weights of the 16x proxy (safetensors)", type=Path, required=True, metavar="FILE")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="checkpoints; resumes from there")


def add_distill(commands: Commands) -> None:
    """``mvstylizer distill``."""
    parser = add_command(
        commands,
        "distill",
        "Distil the compact encoder from a perceptual network.",
        "mvstylizer distill --photos photos/ --teacher vgg19_16x.safetensors --to runs/encoder",
        _distill,
    )
    _add_training_data(parser)
    parser.add_argument("--steps", type=int, help="default: see docs/training.md")
    parser.add_argument("--seed", type=int, default=1)


def _distill(options: argparse.Namespace) -> None:
    runs = training_runs()
    runs.run_distillation(options.photos, options.teacher, options.to, options.steps, options.seed)


def add_train(commands: Commands) -> None:
    """``mvstylizer train``."""
    parser = add_command(
        commands,
        "train",
        "Train decoder, colorization and meta-smoothing.",
        "mvstylizer train --photos photos/ --teacher vgg19_16x.safetensors --encoder runs/encoder --to runs/stylizer",
        _train,
    )
    _add_training_data(parser)
    parser.add_argument(
        "--encoder", type=Path, metavar="DIR", help="distilled encoder; --paper without one takes VGG-19"
    )
    parser.add_argument("--paper", action="store_true", help="the paper's own configuration (Eq. 2, one level, §4.2)")
    parser.add_argument("--colorization", choices=("mean", "adain", "wct"), default="adain")
    parser.add_argument("--steps", type=int, help="default: see docs/training.md")
    parser.add_argument("--crop", type=int, help="side of training crops in pixels")
    parser.add_argument("--seed", type=int, default=1)


def _train(options: argparse.Namespace) -> None:
    runs = training_runs()
    overrides = {k: getattr(options, k) for k in ("steps", "crop", "seed") if getattr(options, k) is not None}
    runs.run_training(
        options.photos,
        options.teacher,
        options.encoder,
        options.to,
        options.paper,
        options.colorization,
        overrides,
    )


def training_runs() -> Any:
    """The module that trains; raises UsageError where torch is not installed."""
    try:
        from mvstylizer.training import runs
    except ImportError as error:
        raise UsageError(f"this needs torch ({error.name} is missing); pip install 'mvstylizer[train]'") from error
    return runs
