"""Differential privacy of whole edges: Flower's own clipping and noise on the server, and what they are worth.

The guarantee is about one edge's updates: whether it took part in a round or sent nothing new. Metrics are not
covered; frames never leave an edge anyway.
"""

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import DifferentialPrivacyServerSideFixedClipping as ServerSideClipping
from flwr.serverapp.strategy import FedAvg
from numpy.typing import NDArray

from fl_server.guard import ARRAYS, EXAMPLES, METRICS, WEIGHTS
from mvstylizer.errors import UsageError

_LOG = logging.getLogger(__name__)
_HAIR = np.float32(1e-10)
"""Its square is still a float32."""


def with_privacy(strategy: FedAvg, noise: float, clip: float) -> ServerSideClipping:
    """The strategy behind Flower's wrapper: updates no longer than ``clip``, Gaussian noise ``noise`` times as large.

    Raises:
        UsageError: the strategy does more with updates than average them, so that noise on the result is not enough;
            or a value is out of range.
    """
    if type(strategy).aggregate_train is not FedAvg.aggregate_train:
        raise UsageError("--dp-noise needs --strategy fedavg or fedprox: the others carry updates on without noise")
    try:
        return ServerSideClipping(strategy, noise, clip, num_sampled_clients=1)
    except ValueError as error:
        raise UsageError(f"--dp-noise {noise:g} --dp-clip {clip:g}: {error}") from error


def prepared(private: ServerSideClipping, replies: Iterable[Message]) -> list[Message]:
    """The good replies, each with the same weight, and the noise set for their number.

    Flower's wrapper gives a round up for one busy edge, and expects as many replies as it was told beforehand. A
    weighted mean would give one edge a larger share than the noise covers.
    """
    good = [reply for reply in replies if reply.has_content()]
    before = private.current_arrays[WEIGHTS].numpy()
    for reply in good:
        metrics, arrays = reply.content[METRICS], reply.content[ARRAYS]
        if isinstance(metrics, MetricRecord) and isinstance(arrays, ArrayRecord):
            metrics[EXAMPLES] = 1
            arrays[WEIGHTS] = Array(_moved(arrays[WEIGHTS].numpy(), before))
    private.num_sampled_clients = max(1, len(good))
    return good


def _moved(weights: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weights; if nothing changed, the first one by a hair: Flower divides by the length of the update."""
    if not np.array_equal(weights, before):
        return weights
    moved = weights.copy()
    moved[0] += max(np.spacing(abs(moved[0])), _HAIR)
    return moved


def epsilon(releases: Mapping[float, int], delta: float) -> float:
    """ε at ``delta`` of so many Gaussian mechanisms by their noise multipliers; no gain from sampling is claimed.

    The Rényi bound (Mironov 2017, Proposition 3 and Corollary 3) at its best order: with ρ = Σ rounds / (2 noise²),
    ε = ρ + 2 √(ρ ln(1/δ)). An upper bound: the accountant of ``flwr[dp]`` gives a little less.
    """
    rho = sum(rounds / (2 * noise**2) if noise > 0 else math.inf for noise, rounds in releases.items() if rounds)
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def privacy_spent(releases: Mapping[str, int], delta: float, clip: float) -> dict[str, Any]:
    """What a manifest says of privacy: nothing where no round had noise; ε is None where some had none."""
    if not releases.keys() - {"0"}:
        return {}
    value = epsilon({float(noise): rounds for noise, rounds in releases.items()}, delta)
    shown = value if math.isfinite(value) else None
    _LOG.info("privacy spent: epsilon %s at delta %g after %s rounds by noise", shown, delta, dict(releases))
    return {"privacy": {"epsilon": shown, "delta": delta, "clip": clip}}
