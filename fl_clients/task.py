"""What the cloud asks a trainer for in one round, read from Flower's message."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

from fl_clients.refusal import Reason, RefusalError

ARRAYS, CONFIG, METRICS, WEIGHTS = "arrays", "config", "metrics", "weights"
_MOST_STEPS = 100_000


@dataclass(frozen=True)
class TrainTask:
    """One round's work: the cloud's weights, and how to go on from them."""

    weights: NDArray[np.float32]
    """``(P,)``, as ``mvstylizer.training.packing`` lays them out."""
    layout: str
    round: int
    """Absolute, not counted from the start of Flower's run."""
    steps: int
    batch: int
    crop: int
    """Side in pixels."""
    learning_rate: float
    proximal_mu: float

    @classmethod
    def of(cls, message: Message) -> Self:
        """Raises RefusalError (FAILED) for a message that is not of this version's cloud."""
        try:
            arrays, config = message.content[ARRAYS], message.content[CONFIG]
            if list(arrays) != [WEIGHTS]:
                raise KeyError(f"arrays are {', '.join(map(str, arrays))[:100]}, not only {WEIGHTS!r}")
            task = cls(
                np.asarray(arrays[WEIGHTS].numpy()),  # type: ignore[union-attr]
                str(config["layout"]),
                *(_whole(config[name], name) for name in ("round", "steps", "batch", "crop")),
                *(_real(config[name], name) for name in ("learning-rate", "proximal-mu")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RefusalError(Reason.FAILED, f"the cloud's message cannot be read ({error}); update both") from error
        if not 0 < task.steps <= _MOST_STEPS or task.batch < 1 or task.crop < 1 or task.round < 0:
            raise RefusalError(Reason.FAILED, "the cloud asks for a number of steps, frames or pixels beyond reason")
        return task


def reply(message: Message, weights: NDArray[np.float32], metrics: dict[str, int | float]) -> Message:
    """The answer to a train message: new weights and scalar metrics, and nothing else of this edge."""
    content = RecordDict({ARRAYS: ArrayRecord({WEIGHTS: Array(weights)}), METRICS: MetricRecord(dict(metrics))})
    return Message(content, reply_to=message)


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}, no whole number")
    return value


def _real(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise TypeError(f"{name} is {value!r}, no finite number")
    return float(value)
