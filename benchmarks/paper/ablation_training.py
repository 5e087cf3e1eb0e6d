"""Training variants of the stylizer alike, from scratch and briefly, and judging them on photos held out."""

import shutil
import sys
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from benchmarks.footage import COLOUR
from benchmarks.pair_scores import Features, Pair, Result, Scores, codes, prepared, real, score_all, teacher_features
from benchmarks.pair_scores import Picture as Real
from benchmarks.paper.material import PHOTOS
from benchmarks.paper.part import Context, Picture
from mvstylizer.errors import InputError
from mvstylizer.flow import estimator
from mvstylizer.network.perceptual import SixteenfoldProxy
from mvstylizer.network.stylizer import Stylizer, StylizerConfig
from mvstylizer.pictures import fit_within, read_picture
from mvstylizer.propagation import AffinePropagation
from mvstylizer.training.config import TrainConfig
from mvstylizer.training.distill import encoder_from
from mvstylizer.training.loop import load_stylizer, new_stylizer, train
from mvstylizer.training.photos import Photos, is_held_out
from mvstylizer.training.step import step_loss

_LONG_SIDE = 320
"""Of photos that are trained on."""
_FEW_PHOTOS = 40
"""In a folder of fewer, every third is held out."""


@dataclass(frozen=True)
class Budget:
    """What all variants get, and what they are judged by."""

    steps: int = 240
    batch: int = 4
    crop: int = 96
    photos: int = 400
    judged_batches: int = 16
    pairs: int = 24
    pair_size: int = 256
    timed: tuple[int, int] = (288, 512)
    """Height and width of the proxy that time is measured on."""

    def training(self) -> TrainConfig:
        """Training's defaults but for the size: its whole schedule in so many steps; float32, on any processor."""
        return TrainConfig(self.steps, self.batch, self.crop, save_every=self.steps, bf16=False)


@dataclass(frozen=True)
class Variant:
    """One row."""

    name: str
    config: StylizerConfig
    is_trained: bool = True
    has_smoothing: bool = True
    """Whether the meta-smoothing learns; else it stays the identity, and only resamples."""


def split(folder: Path) -> tuple[list[Path], list[Path]]:
    """Photos to train on, and those to judge by: training's own split, or every third of a small folder."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTOS)
    is_large = len(paths) >= _FEW_PHOTOS
    held = {path for index, path in enumerate(paths) if (is_held_out(path.name) if is_large else index % 3 == 0)}
    return [path for path in paths if path not in held], sorted(held)


class Laboratory:
    """Trains and judges variants; photos are read when the first variant needs them."""

    def __init__(self, context: Context, budget: Budget, encoder: Path, teacher: Path) -> None:
        self.budget = budget
        self._context, self._encoder, self._teacher = context, encoder, teacher
        photos = context.material.photos or Path()
        self._training = cache(lambda: Photos.of(self._drawn(split(photos)[0], budget.photos)))
        self._judged = cache(lambda: self._drawn(split(photos)[1], max(budget.pairs, 2)))
        self._proxy = cache(lambda: SixteenfoldProxy.load(teacher))
        self._features = cache(lambda: teacher_features(teacher))

    def once(self, variant: Variant) -> dict[str, float]:
        """How a variant does; each is trained and judged once."""
        key = self._context.key("ablations, networks", variant, self.budget, self._encoder.name, self._teacher.name)
        return dict(self._context.finished.once(key, lambda: self._measured(variant)))

    def _measured(self, variant: Variant) -> dict[str, float]:
        print(f"{variant.name} …", file=sys.stderr)
        stylizer = self.stylizer(variant)
        return {
            "objective": self._objective(stylizer, resized=False),
            "resized": self._objective(stylizer, resized=True),
            **self._scores(stylizer),
            "milliseconds": milliseconds(stylizer, *self.budget.timed),
            "thousands": sum(p.numel() for p in stylizer.parameters() if p.requires_grad) / 1000,
        }

    def stylizer(self, variant: Variant) -> Stylizer:
        """A variant after its training, in evaluation mode."""
        config = self.budget.training()
        stylizer = new_stylizer(variant.config, encoder_from(self._encoder), config.seed)
        stylizer.smoothing.requires_grad_(variant.has_smoothing)
        if not variant.is_trained:
            return stylizer.eval()
        to = self._context.scratch / "ablation"
        shutil.rmtree(to, ignore_errors=True)
        train(stylizer, self._training(), self._proxy(), config, to, report=lambda line: print(line, file=sys.stderr))
        return load_stylizer(to)[0]

    def _objective(self, stylizer: Stylizer, resized: bool) -> float:
        """Training's own on held-out photos where a style is transferred; at r = 1, or at r of 0.5 to 2."""
        transfers = replace(
            self.budget.training(), identity_share=0, known_share=0, toned_share=0, resized_share=float(resized)
        )
        photos = Photos.of(self._judged())
        with torch.no_grad():
            losses = [
                step_loss(stylizer, photos, self._proxy(), transfers, step)[0].item()
                for step in range(self.budget.judged_batches)
            ]
        return float(np.mean(losses))

    def _scores(self, stylizer: Stylizer) -> dict[str, float]:
        """Of what users see of held-out pairs, and the edges of the network's own output."""
        photos = [prepared(photo, self.budget.pair_size) for photo in self._judged()]
        styles = [*photos[len(photos) // 2 :], *photos[: len(photos) // 2]]
        found = [
            scores_of(stylizer, Pair("", content, style), self._features())
            for content, style in zip(photos, styles, strict=True)
        ]
        values = {name: np.mean([getattr(final, name) for final, _ in found]) for name in ("edge", "halo", "gram")}
        return {name: float(value) for name, value in values.items()} | {
            "raw_edge": float(np.mean([raw.edge for _, raw in found]))
        }

    def _drawn(self, paths: list[Path], count: int) -> list[Picture]:
        """Photos that have a crop, drawn by lot."""
        pictures: list[Picture] = []
        for index in np.random.default_rng(0).permutation(len(paths)):
            if len(pictures) == count:
                break
            picture = fit_within(read_picture(paths[index]), _LONG_SIDE)
            if min(picture.shape[:2]) >= self.budget.crop:
                pictures.append(picture)
        if len(pictures) < 2:
            raise InputError(f"too few photos of at least {self.budget.crop} px to train on and to judge by")
        return pictures


def scores_of(stylizer: Stylizer, pair: Pair, features: Features) -> tuple[Scores, Scores]:
    """Of a pair as users see it, through the affine fit, and of the network's own output."""
    content, style = (torch.from_numpy(p.transpose(2, 0, 1).copy())[None] for p in (pair.content, pair.style))
    with torch.inference_mode():
        raw: Real = stylizer(content, stylizer.encode_style(style)).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    proxy = codes(pair.content)
    final = AffinePropagation(COLOUR, estimator("dis")).key(proxy, codes(raw)).look.on_proxy(proxy)
    found = score_all({"final": Result(real(final)), "raw": Result(raw)}, pair, features)
    return found["final"], found["raw"]


def milliseconds(stylizer: Stylizer, height: int, width: int) -> float:
    """Processor time of stylizing a proxy in torch, the median of five; the style is encoded already."""
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    times = []
    with torch.inference_mode():
        code = stylizer.encode_style(picture)
        for _ in range(6):
            began = time.process_time()
            stylizer(picture, code)
            times.append(time.process_time() - began)
    return 1000 * float(np.median(times[1:]))
