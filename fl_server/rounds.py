"""Rounds counted over all campaigns around a stock strategy, whose own counting begins anew with every run."""

from collections.abc import Iterable

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping, FedAvg, Strategy

from fl_server.guard import WEIGHTS
from fl_server.guarded_grid import GuardedGrid
from fl_server.privacy import prepared
from fl_server.strategies import packed
from mvstylizer.errors import InputError


class CountedRounds(Strategy):
    """A Strategy that passes everything on to another one, with the number of the round over all campaigns.

    ``completed`` is the last round that gave a model, and ``metrics`` what its edges measured, weighted by examples.
    """

    def __init__(
        self, strategy: FedAvg | DifferentialPrivacyServerSideFixedClipping, grid: GuardedGrid, completed: int
    ) -> None:
        self._strategy = strategy
        self._grid = grid
        self.completed = completed
        self.metrics: dict[str, float] = {}

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Train messages for all edges that are there; waits for them."""
        self._grid.begin_round()
        config["round"] = self.completed + 1
        # FedAdam corrects its bias by this number, so it must not begin anew.
        return self._strategy.configure_train(self.completed + 1, arrays, config, self._grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The strategy's own aggregation, as float32.

        Raises:
            InputError: it gave NaN or infinity; the campaign ends and the next one begins from the checkpoint.
        """
        if isinstance(self._strategy, DifferentialPrivacyServerSideFixedClipping):
            replies = prepared(self._strategy, replies)
        arrays, metrics = self._strategy.aggregate_train(self.completed + 1, replies)
        if arrays is None:
            return None, metrics
        # FedAdam and its like compute in double precision.
        weights = arrays[WEIGHTS].numpy().astype(np.float32)
        if not np.isfinite(weights).all():
            raise InputError(f"round {self.completed + 1}: the strategy gave NaN or infinity; the round is repeated "
                             "from the last checkpoint, choose smaller options if it happens again")  # fmt: skip
        self.completed += 1
        values = (metrics or MetricRecord()).items()
        self.metrics = {key: float(value) for key, value in values if isinstance(value, int | float)}
        return packed(weights), metrics

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """None: edges evaluate when they train, and the cloud by itself."""
        return []

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Nothing came."""
        return None

    def summary(self) -> None:
        """The strategy's own."""
        self._strategy.summary()
