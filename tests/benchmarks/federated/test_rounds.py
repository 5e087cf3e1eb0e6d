"""The federated loop: one edge is plain fine-tuning, several are their mean, and nothing is left to chance."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.federated.rounds import Schedule, average, learning_curve
from mvstylizer.network.stylizer import Stylizer
from mvstylizer.training.finetuning import FinetuneConfig, TrainingFrame, finetune
from mvstylizer.training.packing import pack
from tests.networks import perturbed_stylizer, smooth_picture

SCHEDULE = Schedule(rounds=2, steps=2, batch=2, crop=32, learning_rate=1e-3)


@pytest.fixture(scope="module")
def edges() -> list[list[TrainingFrame]]:
    """Two edges of three frames."""
    stylizer = perturbed_stylizer()

    def frame(seed: int) -> TrainingFrame:
        with torch.no_grad():
            code = stylizer.encode_style(smooth_picture(40, 48, seed + 100))[0].numpy()
        picture = smooth_picture(40, 48, seed)[0].permute(1, 2, 0).numpy()
        return TrainingFrame((picture * 255).astype(np.uint8), code)

    return [[frame(10 * edge + i) for i in range(3)] for edge in range(2)]


def trained(edges: list[list[TrainingFrame]], schedule: Schedule, seed: int = 1) -> Stylizer:
    """A stylizer after all rounds."""
    stylizer = perturbed_stylizer()
    assert [p.images for p in learning_curve(stylizer, edges, edges[0], schedule, seed)] == [0, 4, 8][
        : schedule.rounds + 1
    ]
    return stylizer


def test_mean_is_weighted_with_images() -> None:
    """An edge with three times as many images counts three times as much."""
    mean = average([np.zeros(3, np.float32), np.ones(3, np.float32)], [1, 3])
    assert mean.dtype == np.float32 and np.allclose(mean, 0.75)


def alone(frames: list[TrainingFrame], *place: int) -> np.ndarray:
    """Weights after an edge's fine-tuning, its draws decided by seed, round and number of the edge."""
    stylizer = perturbed_stylizer()
    seed = int(np.random.SeedSequence(place).generate_state(1)[0])
    finetune(stylizer, frames, FinetuneConfig(2, 2, 32, 1e-3, seed=seed))
    return pack(stylizer)


def test_one_round_is_the_mean_of_the_edges(edges: list[list[TrainingFrame]]) -> None:
    """After one round the weights are the mean of each edge's fine-tuning, whose draws differ."""
    together = pack(trained(edges, replace(SCHEDULE, rounds=1)))
    first, second = alone(edges[0], 1, 0, 0), alone(edges[1], 1, 0, 1)
    assert np.allclose(together, (first + second) / 2, atol=1e-7)
    assert not np.allclose(first, second, atol=1e-5)


def test_one_edge_is_fine_tuning(edges: list[list[TrainingFrame]]) -> None:
    """A federation of one is that edge's fine-tuning, and its second round goes on from the first."""
    once, twice = (pack(trained(edges[:1], replace(SCHEDULE, rounds=n))) for n in (1, 2))
    assert np.allclose(once, alone(edges[0], 1, 0, 0), atol=1e-7)
    assert 1e-5 < np.abs(twice - once).max() < 0.1


def test_the_seed_decides_and_momentum_carries_on(edges: list[list[TrainingFrame]]) -> None:
    """Run again, weights are the same; another seed or the cloud's momentum gives others."""
    plain, again, other = (pack(trained(edges, SCHEDULE, seed)) for seed in (1, 1, 2))
    moved = pack(trained(edges, replace(SCHEDULE, momentum=0.9)))
    assert np.array_equal(plain, again) and not np.array_equal(plain, other)
    start = pack(perturbed_stylizer())
    assert np.linalg.norm(moved - start) > 1.1 * np.linalg.norm(plain - start)
