"""Flower's own strategies by name, and their state on the server as arrays, which a round's checkpoint keeps.

FedAvg (McMahan et al. 2017), FedAvgM (Hsu et al. 2019), FedAdam, FedYogi and FedAdagrad (Reddi et al. 2021), FedProx
(Li et al. 2020), FedMedian and FedTrimmedAvg (Yin et al. 2018), Krum and MultiKrum (Blanchard et al. 2017), Bulyan
(El Mhamdi et al. 2018).
"""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp import strategy as flower
from flwr.serverapp.strategy import FedAvg, FedAvgM
from flwr.serverapp.strategy.fedopt import FedOpt
from numpy.typing import NDArray

from fl_server.guard import WEIGHTS
from mvstylizer.errors import UsageError

STRATEGIES: Mapping[str, type[FedAvg]] = {
    "fedavg": flower.FedAvg,
    "fedavgm": flower.FedAvgM,
    "fedadam": flower.FedAdam,
    "fedyogi": flower.FedYogi,
    "fedadagrad": flower.FedAdagrad,
    "fedprox": flower.FedProx,
    "fedmedian": flower.FedMedian,
    "fedtrimmedavg": flower.FedTrimmedAvg,
    "krum": flower.Krum,
    "multikrum": flower.MultiKrum,
    "bulyan": flower.Bulyan,
}
_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    # Flower's own would make FedAvg of these two.
    "fedavgm": {"server_momentum": 0.9},
    "fedprox": {"proximal_mu": 0.01},
    # Flower's own move every weight by a tenth a round; ours are trained with 1e-4 a step.
    "fedadam": {"eta": 1e-3, "eta_l": 1e-4},
    "fedyogi": {"eta": 1e-3, "eta_l": 1e-4},
    "fedadagrad": {"eta": 1e-3, "eta_l": 1e-4},
}
_COMMON = set(inspect.signature(FedAvg.__init__).parameters)


def option_names(name: str) -> dict[str, type]:
    """The options that a strategy has beyond those of all, with their types (``int`` or ``float``)."""
    parameters = inspect.signature(STRATEGIES[name].__init__).parameters.values()
    return {
        each.name: type(each.default)
        for each in parameters
        if each.name not in _COMMON and isinstance(each.default, int | float)
    }


def make_strategy(name: str, options: Mapping[str, float], min_edges: int = 1) -> FedAvg:
    """The strategy of this name; every edge that is there takes part, and evaluation is the server's own.

    Raises:
        UsageError: there is no such strategy, it has no such option, or refuses its value.
    """
    if name not in STRATEGIES:
        raise UsageError(f"--strategy {name} is not known; choose one of {', '.join(STRATEGIES)}")
    types = option_names(name)
    if unknown := sorted(options.keys() - types.keys()):
        known = f"it has {', '.join(types)}" if types else "it has none"
        raise UsageError(f"--strategy {name} has no option {unknown[0]}; {known}")
    merged = {**_DEFAULTS.get(name, {}), **options}
    given: dict[str, Any] = {key: types[key](value) for key, value in merged.items()}
    try:
        return STRATEGIES[name](
            fraction_evaluate=0.0, min_train_nodes=min_edges, min_available_nodes=min_edges, **given
        )  # fmt: skip
    except ValueError as error:
        raise UsageError(f"--strategy {name}: {error}") from error


def server_state(strategy: FedAvg) -> dict[str, NDArray[Any]]:
    """What the strategy remembers from round to round, beside the model itself; empty for most."""
    state: dict[str, Any] = {}
    if isinstance(strategy, FedAvgM) and strategy.momentum_vector is not None:
        state["momentum_vector"] = strategy.momentum_vector[0]
    if isinstance(strategy, FedOpt):
        state |= {name: value[WEIGHTS] for name in ("m_t", "v_t") if (value := getattr(strategy, name))}
    return {name: np.array(value) for name, value in state.items()}


def restore_server_state(strategy: FedAvg, state: Mapping[str, NDArray[Any]], weights: ArrayRecord) -> None:
    """Put back what ``server_state`` took; ``weights`` is the model that belongs to it."""
    arrays = {name: np.array(value) for name, value in state.items()}
    if isinstance(strategy, FedAvgM):
        # It would take those of the first round that it sees, whatever came of them.
        strategy.current_arrays = weights
        if "momentum_vector" in arrays:
            strategy.momentum_vector = [arrays["momentum_vector"]]
    if isinstance(strategy, FedOpt):
        for name in ("m_t", "v_t"):
            if name in arrays:
                setattr(strategy, name, {WEIGHTS: arrays[name]})


def packed(weights: NDArray[np.float32]) -> ArrayRecord:
    """Packed weights as they travel: a record with one array."""
    return ArrayRecord({WEIGHTS: Array(np.ascontiguousarray(weights))})
