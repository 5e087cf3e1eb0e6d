"""Fine-tuning on an edge: Eq. 5 where only key frames and style codes are at hand (paper Algorithm 2, §3.4).

An edge keeps neither style photos nor a teacher; the objective is that of ``mvstylizer.training.frame_loss``. Some
steps have a known answer, as in training, so that a few frames do not make the stylizer forget what it could.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from mvstylizer.errors import InputError
from mvstylizer.network.stylizer import PASSES, Stylizer
from mvstylizer.training.frame_loss import OURS, FrameLoss, Weights, frame_loss
from mvstylizer.training.packing import pack, unpack
from mvstylizer.training.photos import Photos, random_crop, to_tensor
from mvstylizer.training.step import graded, known_answer, outside, toned_answer

MINIMUM_SIDE = 32
"""Sides of a frame, in pixels, below which the deepest level has too few positions for statistics."""
_BEGINNING = 0.25
"""Share of the steps in which the learning rate rises: Adam begins anew in every round, with its largest steps."""
_AT_ONCE = 8
"""Frames that an evaluation looks at in one batch."""
_RESIZED_SHARE = 0.15
_PROJECTED_SHARE = 0.5
"""Share of steps whose objective sees the locally affine projection of the output, as users do."""
_TURNS = 10
_KNOWN_TURNS = {3: "identity", 6: "graded", 9: "toned"}
"""Steps of every ten that have a known answer; in turn, since a round may have few steps."""


@dataclass(frozen=True)
class TrainingFrame:
    """A key frame and the style that its user asked for."""

    picture: NDArray[np.uint8]
    """RGB ``(H, W, 3)``."""
    code: NDArray[np.float32]
    """Style code ``(code_size,)``, finite."""


@dataclass(frozen=True)
class FinetuneConfig:
    """Settings of one fine-tuning."""

    steps: int = 50
    batch: int = 2
    """Frames a step (paper §4.2)."""
    crop: int = 128
    """Side of the square that is cut from a frame, in pixels; smaller frames give what they have."""
    learning_rate: float = 3e-5
    beta1: float = 0.5
    style_weight: float = OURS.style
    """λ of Eq. 5."""
    edge_weight: float = OURS.edges
    """Of lost and invented edges, beside Eq. 5."""
    proximal: float = 0.0
    """μ of FedProx (Li et al., MLSys 2020): μ/2 · ‖w − w₀‖² is added to the loss."""
    seed: int = 1


@dataclass(frozen=True)
class Metrics:
    """Means over frames; all but ``edges`` are the smaller the better."""

    loss: float
    """content + λ · style + edge_weight · lost edges."""
    content: float
    """First half of Eq. 5."""
    style: float
    """Second half of Eq. 5, before λ."""
    edges: float
    """Edge similarity to the content, 1 at best."""
    images: int
    """Frames shown: with repetition while training, each once in an evaluation."""


def finetune(stylizer: Stylizer, frames: Sequence[TrainingFrame], config: FinetuneConfig) -> Metrics:
    """Train decoder, colorization and meta-smoothing in place; the means of the steps that transferred styles.

    The same stylizer, frames and config give the same weights on the same machine and number of threads.

    Raises:
        InputError: no frames, frames smaller than ``MINIMUM_SIDE`` or codes that do not fit; or no step that
            transferred a style had a finite gradient. The stylizer is then as it was.
    """
    side = _side(stylizer, frames, config.crop)
    before, parameters = pack(stylizer), [p for p in stylizer.parameters() if p.requires_grad]
    start = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=config.learning_rate, betas=(config.beta1, 0.999))
    seen: list[FrameLoss] = []
    taken = 0
    for step in range(config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _rise_and_fall((step + 0.5) / config.steps)
        loss, parts = _step_loss(stylizer, frames, config, side, step)
        if config.proximal > 0:
            loss = loss + config.proximal / 2 * _squared_distance(parameters, start)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if clip_grad_norm_(parameters, 1.0).isfinite():
            optimizer.step()
            taken += 1
            seen += parts
    if not seen:
        unpack(stylizer, before)
        raise InputError(f"{config.steps} steps on {len(frames)} frames gave no finite gradient; use other frames")
    return _metrics(seen, Weights(config.style_weight, config.edge_weight), taken * config.batch)


def evaluate(stylizer: Stylizer, frames: Sequence[TrainingFrame], crop: int = 128, weights: Weights = OURS) -> Metrics:
    """The objective on the middle of each frame in its style; nothing is drawn at random, nothing learnt.

    Raises:
        InputError: no frames, frames smaller than ``MINIMUM_SIDE`` or codes that do not fit.
    """
    side = _side(stylizer, frames, crop)
    seen: list[FrameLoss] = []
    with torch.no_grad():
        for first in range(0, len(frames), _AT_ONCE):
            some = frames[first : first + _AT_ONCE]
            content = to_tensor(np.stack([_middle(frame.picture, side) for frame in some]))
            code = torch.from_numpy(np.stack([frame.code for frame in some]))
            # What a user would get: values that leave 0..1 are cut off.
            parts = frame_loss(stylizer, stylizer(content, code).clamp(0, 1), content, code)
            seen += [parts] * len(some)
    return _metrics(seen, weights, len(frames))


def _rise_and_fall(share: float) -> float:
    """Of the learning rate, after this share of the steps: it ends at 0, so that the last frames do not count most."""
    return min(share / _BEGINNING, (1 - share) / (1 - _BEGINNING))


def _step_loss(
    stylizer: Stylizer, frames: Sequence[TrainingFrame], config: FinetuneConfig, side: int, step: int
) -> tuple[Tensor, list[FrameLoss]]:
    """The loss of one step, and its parts where a style was transferred; seed and step alone decide what it shows."""
    rng = np.random.default_rng((config.seed, step))
    turn = step % _TURNS
    if turn in _KNOWN_TURNS:
        return _known_loss(stylizer, frames, config.batch, side, _KNOWN_TURNS[turn], rng), []
    r = float(np.exp2(rng.uniform(-1, 1))) if rng.random() < _RESIZED_SHARE else 1.0
    chosen = [frames[i] for i in rng.integers(len(frames), size=config.batch)]
    content = to_tensor(np.stack([random_crop(frame.picture, side, rng) for frame in chosen]))
    code = torch.from_numpy(np.stack([frame.code for frame in chosen]))
    output = stylizer(content, code, r, int(rng.integers(1, PASSES + 1)))
    parts = frame_loss(stylizer, output, content, code, r, projected=bool(rng.random() < _PROJECTED_SHARE))
    return parts.total(Weights(config.style_weight, config.edge_weight)) + outside(output), [parts.detached()]


def _known_loss(
    stylizer: Stylizer, frames: Sequence[TrainingFrame], batch: int, side: int, kind: str, rng: np.random.Generator
) -> Tensor:
    """The loss of a step whose answer is known, with crops of the frames themselves as styles."""
    photos = Photos.of([frame.picture for frame in frames])

    def stylized(content: Tensor, style: Tensor) -> Tensor:
        with torch.no_grad():
            code = stylizer.encode_style(style)
        output: Tensor = stylizer(content, code)
        return output

    if kind == "toned":
        return toned_answer(stylized, photos, batch, side, rng)[0]
    if kind == "identity":
        content = style = answer = photos.crops(batch, side, rng)
    else:
        content, style, answer = graded(photos, batch, side, rng)
    return known_answer(stylized(content, style), answer, kind)[0]


def _squared_distance(parameters: Sequence[Tensor], start: Sequence[Tensor]) -> Tensor:
    return torch.stack([(now - before).square().sum() for now, before in zip(parameters, start, strict=True)]).sum()


def _side(stylizer: Stylizer, frames: Sequence[TrainingFrame], crop: int) -> int:
    """The largest crop of at most ``crop`` px that all frames have."""
    if not frames:
        raise InputError("no frames to train on or to judge by; wait until the frame store has some")
    for frame in frames:
        if frame.code.shape != (stylizer.code_size,) or not np.isfinite(frame.code).all():
            raise InputError(f"a frame's style code is not {stylizer.code_size} finite numbers; encode its style again")
    side = min([crop, *(int(min(frame.picture.shape[:2])) for frame in frames)])
    if side < MINIMUM_SIDE:
        raise InputError(f"a crop or a frame is {side} px; {MINIMUM_SIDE} are needed")
    return side


def _middle(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    top, left = ((size - side) // 2 for size in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def _metrics(seen: Sequence[FrameLoss], weights: Weights, images: int) -> Metrics:
    def mean(values: Sequence[Tensor]) -> float:
        return float(torch.stack(list(values)).double().mean())

    return Metrics(
        loss=mean([parts.total(weights) for parts in seen]),
        content=mean([parts.content for parts in seen]),
        style=mean([parts.style for parts in seen]),
        edges=mean([parts.edges for parts in seen]),
        images=images,
    )
