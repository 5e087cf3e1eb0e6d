"""What a cloud refuses to average: the checks of one reply, and of a round's updates against each other.

A plain FedAvg run dies of a wrong shape or key and turns the model into NaN for one NaN; here each such reply is
found by itself, before the strategy sees it.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from numpy.typing import NDArray

ARRAYS, CONFIG, METRICS, WEIGHTS = "arrays", "config", "metrics", "weights"
EXAMPLES = "num-examples"
METRIC_KEYS = frozenset({EXAMPLES, "loss-before", "loss-after", "content", "style", "seconds", "round"})
BUSY, NO_DATA, OTHER_LAYOUT, FAILED, REJECTED = 1001, 1002, 1003, 1004, 1100
"""Error codes: all but the last are an edge's own answers, that is what the guard makes of a bad reply."""
EXPIRED, _UNAVAILABLE, _CRASHED = 3, 5, (2, 8)
"""Flower's own codes: the message's time is over, the node went away, its ClientApp raised or died."""
_KINDS = {BUSY: "busy", NO_DATA: "no-data", OTHER_LAYOUT: "layout", EXPIRED: "silent", _UNAVAILABLE: "unavailable"}
_KINDS |= {FAILED: "failed"} | dict.fromkeys(_CRASHED, "crashed")
_HISTORY = 50
_ENOUGH = 3
"""Norms that have to be known for their median to mean something."""


@dataclass(frozen=True)
class Rejection:
    """Why one edge had no part in a round."""

    node: int
    name: str
    kind: str
    """``busy``, ``no-data``, ``layout``, ``failed``, ``silent``, ``unavailable``, ``crashed``, ``error``, or of a bad
    reply ``keys``, ``shape``, ``not-finite``, ``examples``, ``stale``, ``norm``."""
    reason: str


class BadReplyError(Exception):
    """A reply must not be averaged."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


def kind_of_error(code: int) -> str:
    """The kind of an Error reply by its code."""
    return _KINDS.get(code, "error")


def update_norm(reply: RecordDict, sent: RecordDict) -> float:
    """L2 norm of the update in a reply to what was sent.

    Raises:
        BadReplyError: the reply is none that could be averaged.
    """
    _check_metrics(reply, sent)
    weights, before = _weights(reply), _weights(sent)
    if weights.dtype != before.dtype or weights.shape != before.shape:
        expected = f"{before.dtype} {before.shape}"
        raise BadReplyError("shape", f"weights are {weights.dtype} {weights.shape}, not {expected}")
    if not np.isfinite(weights).all():
        raise BadReplyError("not-finite", "weights hold NaN or infinity")
    # In double precision: the square of a large float32 is infinite.
    return float(np.linalg.norm(weights.astype(np.float64) - before))


def _check_metrics(reply: RecordDict, sent: RecordDict) -> None:
    if set(reply) != {ARRAYS, METRICS}:
        raise BadReplyError("keys", f"records {sorted(reply)}, not {ARRAYS} and {METRICS}")
    metrics, config = reply[METRICS], sent[CONFIG]
    if not isinstance(metrics, MetricRecord) or set(metrics) != METRIC_KEYS:
        raise BadReplyError("keys", f"metrics {sorted(metrics)}, not {sorted(METRIC_KEYS)}")
    numbers = {key: value for key, value in metrics.items() if isinstance(value, int | float)}
    if len(numbers) != len(metrics) or not all(math.isfinite(value) for value in numbers.values()):
        raise BadReplyError("not-finite", "a metric is no finite number")
    if not isinstance(config, ConfigRecord) or numbers["round"] != config["round"]:
        raise BadReplyError("stale", f"it is of round {numbers['round']}, not of this one")
    examples, most = numbers[EXAMPLES], _most_examples(config)
    if not isinstance(examples, int) or not 0 < examples <= most:
        raise BadReplyError("examples", f"{EXAMPLES} is {examples}, not a whole number of 1 to {most}")


def _most_examples(config: ConfigRecord) -> int:
    """Frames that the asked-for steps can show: more would be a weight that was not earned."""
    steps, batch = config["steps"], config["batch"]
    return steps * batch if isinstance(steps, int) and isinstance(batch, int) else 0


def _weights(content: RecordDict) -> NDArray[np.float32]:
    arrays = content[ARRAYS]
    if not isinstance(arrays, ArrayRecord) or set(arrays) != {WEIGHTS}:
        raise BadReplyError("keys", f"arrays {sorted(arrays)}, not {WEIGHTS} alone")
    try:
        return arrays[WEIGHTS].numpy()
    except (TypeError, ValueError, OSError, EOFError) as error:
        raise BadReplyError("shape", f"weights cannot be read ({error})") from error


@dataclass
class NormGuard:
    """Finds updates of absurd length: ``factor`` times the median of the round's, or of those before."""

    factor: float = 10.0
    history: deque[float] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    """L2 norms of accepted updates, for rounds with too few replies to have a median of their own."""

    def limit(self, norms: Iterable[float]) -> float:
        """The longest update that is accepted in a round with these norms; infinite where nothing is known yet."""
        of_round = list(norms)
        known = of_round if len(of_round) >= _ENOUGH else list(self.history)
        middle = median(known) if len(known) >= _ENOUGH else 0.0
        return self.factor * middle if middle > 0 else math.inf

    def judge(self, norms: dict[int, float]) -> dict[int, str]:
        """Reasons against updates, by the keys of ``norms``; all others become part of the history."""
        limit = self.limit(norms.values())
        bad = {key: f"update norm {norm:.3g} is over {limit:.3g}, {self.factor:g} times the median"
               for key, norm in norms.items() if norm > limit}  # fmt: skip
        self.history.extend(norm for key, norm in norms.items() if key not in bad)
        return bad


def round_of(message: Message) -> int:
    """The round that a train message is of."""
    config = message.content[CONFIG]
    value = config["round"] if isinstance(config, ConfigRecord) else None
    return value if isinstance(value, int) else 0
