"""Rounds of federated training in one process, with the edges' own fine-tuning and weights packed as they travel.

Flower and its messages are left out: they would add seconds a round and change no weight. What the cloud does with the
edges' weights is the plain weighted mean of FedAvg (McMahan et al., AISTATS 2017; the paper's Algorithm 2), or the same
with momentum (FedAvgM; Hsu et al., 2019).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvstylizer.network.stylizer import Stylizer
from mvstylizer.training.finetuning import FinetuneConfig, Metrics, TrainingFrame, evaluate, finetune
from mvstylizer.training.packing import pack, unpack

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Schedule:
    """How a federation trains."""

    rounds: int
    steps: int
    """An edge and round."""
    batch: int
    crop: int
    learning_rate: float
    momentum: float = 0.0
    """Of the cloud."""
    every: int = 1
    """Rounds from one evaluation to the next."""

    def images(self, done: int) -> int:
        """Frames shown to each edge in so many rounds."""
        return done * self.steps * self.batch


@dataclass(frozen=True)
class Point:
    """The held-out loss after so many images an edge."""

    images: int
    loss: float
    content: float
    style: float
    edges: float


def learning_curve(
    stylizer: Stylizer, edges: Sequence[Sequence[TrainingFrame]], held_out: Sequence[TrainingFrame],
    schedule: Schedule, seed: int,
) -> Iterator[Point]:  # fmt: skip
    """Train ``stylizer`` in place with these edges; a point before the first round and after every few."""
    weights, velocity = pack(stylizer), np.zeros_like(pack(stylizer))
    yield _point(0, evaluate(stylizer, held_out, schedule.crop))
    for done in range(schedule.rounds):
        results, counts = [], []
        for number, frames in enumerate(edges):
            unpack(stylizer, weights)
            metrics = finetune(stylizer, frames, _task(schedule, seed, done, number))
            results.append(pack(stylizer))
            counts.append(metrics.images)
        velocity = schedule.momentum * velocity + (average(results, counts) - weights)
        weights = weights + velocity
        unpack(stylizer, weights)
        if (done + 1) % schedule.every == 0:
            yield _point(schedule.images(done + 1), evaluate(stylizer, held_out, schedule.crop))


def average(results: Sequence[Weights], counts: Sequence[int]) -> Weights:
    """Mean of the edges' weights ``(P,)``, weighted with their numbers of images."""
    return np.average(np.stack(results), axis=0, weights=counts).astype(np.float32)


def _task(schedule: Schedule, seed: int, done: int, edge: int) -> FinetuneConfig:
    return FinetuneConfig(
        steps=schedule.steps,
        batch=schedule.batch,
        crop=schedule.crop,
        learning_rate=schedule.learning_rate,
        seed=int(np.random.SeedSequence((seed, done, edge)).generate_state(1)[0]),
    )


def _point(images: int, metrics: Metrics) -> Point:
    return Point(images, metrics.loss, metrics.content, metrics.style, metrics.edges)
