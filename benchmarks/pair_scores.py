"""Scores of results on content/style pairs: structure against the content, light and colour against the style.

Pictures are RGB float32 ``(H, W, 3)`` in 0..1 unless they say uint8.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import SHARED
from mvstylizer import metrics
from mvstylizer.errors import InputError, UsageError
from mvstylizer.metrics.style import FeatureMap
from mvstylizer.pictures import read_picture

Picture = NDArray[np.float32]
Features = Callable[[Picture], list[FeatureMap]]
"""A picture's feature maps at relu1_1 … relu5_1, ``(C, H, W)`` each."""

TEACHER = SHARED.parents[1] / "teacher" / "vgg19_16x.safetensors"
_RESULT_TYPES = (".png", ".jpg", ".webp")
_MIN_SIDE = 32
"""What the teacher's deepest level needs."""


@dataclass(frozen=True)
class Pair:
    """One content and the style it is to get, as the scorer of the field's tables prepares them."""

    name: str
    content: Picture
    style: Picture


@dataclass(frozen=True)
class Result:
    """What a method made of a pair, of the content's shape, and the CPU seconds that took; None where not run here."""

    picture: Picture
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Scores:
    """Of one result, by ``mvstylizer.metrics``: the first four against the content, the others against the style.

    ``gram`` and ``mean_std`` are NaN where no teacher's features are at hand.
    """

    edge: float
    halo: float
    canny: float
    luma: float
    gram: float
    mean_std: float
    swd: float
    cpu_seconds: float | None = None

    def wins(self, other: "Scores") -> bool:
        """Whether this keeps the edges at least as well *and* is at least as near to the style."""
        return self.edge >= other.edge and self.gram <= other.gram


def pair_names(folder: Path) -> list[str]:
    """The ids of a folder's pairs ``<id>_content.png`` and ``<id>_style.png``; raises InputError where it has none."""
    names = sorted(path.name.removesuffix("_content.png") for path in folder.glob("*_content.png"))
    if not names:
        raise InputError(f"{folder}: no <id>_content.png; name another --data")
    return names


def read_pair(folder: Path, name: str, size: int) -> Pair:
    """Both pictures of a pair at long side ``size``; raises InputError where one cannot be read."""
    content, style = (prepared(read_picture(folder / f"{name}_{kind}.png"), size) for kind in ("content", "style"))
    return Pair(name, content, style)


def prepared(picture: NDArray[np.uint8], size: int) -> Picture:
    """RGB uint8 scaled to the long side, both sides cut to multiples of 16: the field's scorers, and so we, do this."""
    scale = size / max(picture.shape[:2])
    height, width = (max(_MIN_SIDE, int(side * scale) // 16 * 16) for side in picture.shape[:2])
    return _resized(real(picture), height, width)


def read_result(folder: Path, pair: Pair) -> Picture:
    """Another method's ``<id>.png``, ``.jpg`` or ``.webp`` at the content's size; raises InputError without one."""
    path = next((p for p in (folder / f"{pair.name}{kind}" for kind in _RESULT_TYPES) if p.exists()), None)
    if path is None:
        raise InputError(f"{folder}: no result for pair {pair.name} (png, jpg, webp); means need all pairs")
    return _resized(real(read_picture(path)), *pair.content.shape[:2])


def teacher_features(weights: Path) -> Features:
    """Features through the 16x proxy.

    Raises:
        UsageError: torch is not installed.
        InputError: the weights are missing, or another network's.
    """
    if not weights.exists():
        raise InputError(
            f"{weights}: no such file; give the 16x proxy's with --teacher, or --no-scores for pictures only"
        )
    try:
        import torch

        from mvstylizer.network.perceptual import SixteenfoldProxy
    except ImportError as error:
        raise UsageError(f"scores need {error.name}: pip install 'mvstylizer[train]', or take --no-scores") from error
    proxy = SixteenfoldProxy.load(weights)

    def features(picture: Picture) -> list[FeatureMap]:
        with torch.inference_mode():
            maps = proxy(torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None])
        return [each[0].numpy() for each in maps]

    return features


def score_all(results: dict[str, Result], pair: Pair, features: Features | None) -> dict[str, Scores]:
    """The scores of each method's result; the style is looked at once for all of them."""
    if features is None:
        return {name: _score(result, pair, None, None) for name, result in results.items()}
    style = features(pair.style)
    return {name: _score(result, pair, features(result.picture), style) for name, result in results.items()}


def real(codes: NDArray[np.uint8]) -> Picture:
    """uint8 RGB as float32 in 0..1."""
    return codes.astype(np.float32) / np.float32(255)


def codes(picture: Picture) -> NDArray[np.uint8]:
    """Float RGB in 0..1 as uint8."""
    return np.rint(picture * 255).astype(np.uint8)


def _score(result: Result, pair: Pair, features: list[FeatureMap] | None, style: list[FeatureMap] | None) -> Scores:
    picture, content = result.picture, pair.content
    return Scores(
        edge=metrics.edge_ssim(picture, content),
        halo=metrics.halo(picture, content),
        canny=metrics.canny_ssim(picture, content),
        luma=metrics.luma_ssim(picture, content),
        gram=math.nan if features is None or style is None else metrics.gram_distance(features, style),
        mean_std=math.nan if features is None or style is None else metrics.mean_std_distance(features, style),
        swd=metrics.swd(picture, pair.style),
        cpu_seconds=result.cpu_seconds,
    )


def _resized(picture: Picture, height: int, width: int) -> Picture:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32)
