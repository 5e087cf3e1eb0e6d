"""Rounds of any strategy over edges in this process, on a model of four weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from flwr.app import ConfigRecord, Context, Message
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from fl_server.guard import WEIGHTS, NormGuard
from fl_server.guarded_grid import GuardedGrid
from fl_server.local_grid import LocalGrid
from fl_server.privacy import with_privacy
from fl_server.rounds import CountedRounds
from fl_server.strategies import packed
from tests.fl_server.tiny_client import reply, weights_of

Weights = NDArray[np.float32]
Answer = Callable[[Message, Context], Message | None]
MODEL: Weights = np.array([1.0, -2.0, 0.5, 3.0], np.float32)


def drawn_to(target: float, examples: int = 4) -> Answer:
    """An edge whose training goes half of the way to ``target``."""

    def train(message: Message, context: Context) -> Message:
        weights = weights_of(message)
        return reply(message, weights + (np.float32(target) - weights) / np.float32(2), examples)

    return train


GOOD: Mapping[str, Answer] = {"oslo": drawn_to(0.0), "rome": drawn_to(1.0, 8), "lima": drawn_to(2.0, 2)}


@dataclass
class Federation:
    """Goes on from round to round; ``weights`` is the model after ``completed`` rounds."""

    strategy: FedAvg
    edges: Mapping[str, Answer]
    weights: Weights
    completed: int = 0
    noise: float = 0.0

    def __post_init__(self) -> None:
        self.grid = LocalGrid(self.edges)
        self.norms = NormGuard()
        self.guarded = GuardedGrid(self.grid, self.norms, pause=0.0, poll=0.0)

    def run(self, rounds: int) -> Weights:
        """So many rounds more."""
        private = with_privacy(self.strategy, self.noise, 1.0) if self.noise else self.strategy
        counted = CountedRounds(private, self.guarded, self.completed)
        config = ConfigRecord({"layout": "x", "steps": 50, "batch": 2})
        result = counted.start(self.guarded, packed(self.weights), rounds, 60.0, config)
        self.weights = result.arrays[WEIGHTS].numpy()
        self.completed = counted.completed
        return self.weights
